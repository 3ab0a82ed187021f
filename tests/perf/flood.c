/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A packet generator and its counting other end, for benchmarks and tests that need more packets
 * than a socket can send.
 *
 *      flood send INTERFACE FRAMES COUNT [RATE]   lets COUNT of the frames in the file FRAMES (80
 *                                                 bytes each, again and again) into the stack as if
 *                                                 INTERFACE had received them, RATE a second or as
 *                                                 fast as it can; COUNT 0: until the input ends
 *      flood sink INTERFACE N                     counts what arrives on INTERFACE, by index, and
 *                                                 drops it; at each line of input it prints the N
 *                                                 counts, and ends with its input
 *
 * `send` prints {"sent":N,"ns":N}: the time that the kernel's whole receive path took for it, on
 * one processor. Both act in the network namespace that they run in.
 */

#include "flood.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX (1 << 16) /* frames a call: a call cannot be interrupted */
#define NS_PER_S 1000000000ULL

static uint64_t now_ns(void)
{
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * NS_PER_S + (uint64_t) ts.tv_nsec;
}

static int fail(const char *what)
{
        fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
        return EXIT_FAILURE;
}

static struct bpf_object *load(void)
{
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(".bpf.o"));
        struct bpf_object *object;

        if (n < 0)
                return NULL;
        memcpy(path + n, ".bpf.o", sizeof(".bpf.o"));
        object = bpf_object__open_file(path, NULL);
        if (!object)
                return NULL;
        if (bpf_object__load(object) < 0) {
                bpf_object__close(object);
                return NULL;
        }
        return object;
}

static int map_fd(struct bpf_object *object, const char *name)
{
        return bpf_object__find_map_fd_by_name(object, name);
}

static int program_fd(struct bpf_object *object, const char *name)
{
        return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

/* Global variables of the program are the one value of its map .bss or .data. */
static int set_frames(struct bpf_object *object, uint32_t n)
{
        struct bpf_map *map = bpf_object__find_map_by_name(object, ".data");
        uint32_t key = 0;

        if (!map || bpf_map__value_size(map) != sizeof(n)) {
                errno = ENOENT;
                return -1;
        }
        return bpf_map_update_elem(bpf_map__fd(map), &key, &n, BPF_ANY);
}

static long read_frames(struct bpf_object *object, const char *path)
{
        FILE *file = fopen(path, "re");
        uint8_t frame[FLOOD_FRAME];
        uint32_t n = 0;

        if (!file)
                return -1;
        for (; fread(frame, sizeof(frame), 1, file) == 1; n++) {
                if (bpf_map_update_elem(map_fd(object, "frames"), &n, frame, BPF_ANY) < 0) {
                        (void) fclose(file);
                        return -1;
                }
        }
        (void) fclose(file);
        if (n == 0) {
                errno = ENODATA;
                return -1;
        }
        return set_frames(object, n) < 0 ? -1 : (long) n;
}

static bool input_ended(void)
{
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        char byte;

        return poll(&input, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static int run(int program, unsigned ifindex, uint64_t count)
{
        uint8_t frame[FLOOD_FRAME] = {0};
        struct xdp_md ctx = {.data_end = sizeof(frame), .ingress_ifindex = ifindex};
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
                    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int) count,
                    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);

        return bpf_prog_test_run_opts(program, &options);
}

static int send_frames(const char *interface, const char *path, uint64_t count, uint64_t rate)
{
        struct bpf_object *object = load();
        unsigned ifindex = if_nametoindex(interface);
        uint64_t begin, spent = 0, sent = 0;
        int program;

        if (!object)
                return fail("cannot load flood.bpf.o");
        if (ifindex == 0)
                return fail(interface);
        if (read_frames(object, path) < 0)
                return fail(path);
        program = program_fd(object, "flood_send");
        begin = now_ns();
        while (count == 0 ? !input_ended() : sent < count) {
                uint64_t due = rate ? (now_ns() - begin) * rate / NS_PER_S - sent : BATCH_MAX;
                uint64_t n = count && count - sent < due ? count - sent : due, from;

                if (n > BATCH_MAX)
                        n = BATCH_MAX;
                if (n == 0) { /* a thousandth of a second's worth later */
                        (void) clock_nanosleep(CLOCK_MONOTONIC, 0,
                                               &(struct timespec){.tv_nsec = 1000000}, NULL);
                        continue;
                }
                from = now_ns();
                if (run(program, ifindex, n) < 0)
                        return fail("BPF_PROG_TEST_RUN");
                spent += now_ns() - from;
                sent += n;
        }
        printf("{\"sent\":%llu,\"ns\":%llu}\n", (unsigned long long) sent,
               (unsigned long long) spent);
        bpf_object__close(object);
        return EXIT_SUCCESS;
}

static int sink(const char *interface, uint32_t n)
{
        struct bpf_object *object = load();
        int ifindex = (int) if_nametoindex(interface);
        size_t size = n * sizeof(uint64_t);
        const uint64_t *seen;
        char line[64];

        if (!object)
                return fail("cannot load flood.bpf.o");
        if (ifindex == 0)
                return fail(interface);
        if (bpf_xdp_attach(ifindex, program_fd(object, "flood_sink"), XDP_FLAGS_DRV_MODE, NULL) < 0)
                return fail("cannot attach the sink");
        seen = mmap(NULL, size, PROT_READ, MAP_SHARED, map_fd(object, "seen"), 0);
        if (seen == MAP_FAILED)
                return fail("mmap");
        printf("ready\n");
        (void) fflush(stdout);
        while (fgets(line, sizeof(line), stdin)) {
                for (uint32_t i = 0; i < n; i++)
                        printf("%s%llu", i ? " " : "", (unsigned long long) seen[i]);
                printf("\n");
                (void) fflush(stdout);
        }
        (void) bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
        bpf_object__close(object);
        return EXIT_SUCCESS;
}

static bool number(const char *text, uint64_t max, uint64_t *ret)
{
        char *end;

        errno = 0;
        *ret = strtoull(text, &end, 10);
        return errno == 0 && end != text && *end == '\0' && *ret <= max;
}

int main(int argc, char **argv)
{
        uint64_t count, rate = 0;

        if ((argc == 5 || argc == 6) && strcmp(argv[1], "send") == 0 &&
            number(argv[4], UINT64_MAX, &count) && (argc == 5 || number(argv[5], 100000000, &rate)))
                return send_frames(argv[2], argv[3], count, rate);
        if (argc == 4 && strcmp(argv[1], "sink") == 0 && number(argv[3], FLOOD_FRAMES_MAX, &count))
                return sink(argv[2], (uint32_t) count);
        fprintf(stderr,
                "usage: flood send INTERFACE FRAMES COUNT [RATE] | flood sink INTERFACE N\n");
        return EXIT_FAILURE;
}
