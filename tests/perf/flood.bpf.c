/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * `send` is run by the kernel on frames that never were on a wire (BPF_PROG_TEST_RUN with live
 * frames): it writes the next one of `frames` into each, and lets it into the stack as if the
 * interface had received it. `sink` counts what reaches another interface, by the index at the
 * frame's end, and drops it.
 */

#include "flood.h"

#include <linux/bpf.h>
/* after linux/bpf.h */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct frame {
        __u64 words[FLOOD_FRAME / 8];
};

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, FLOOD_FRAMES_MAX);
        __uint(map_flags, BPF_F_MMAPABLE);
        __type(key, __u32);
        __type(value, struct frame);
} frames SEC(".maps");

/* How often each index came. */
struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, FLOOD_FRAMES_MAX);
        __uint(map_flags, BPF_F_MMAPABLE);
        __type(key, __u32);
        __type(value, __u64);
} seen SEC(".maps");

__u32 n_frames = 1; /* how many of `frames` are in use */
__u32 next = 0;

SEC("xdp")
int flood_send(struct xdp_md *ctx)
{
        __u64 *data = (void *) (long) ctx->data;
        const void *end = (void *) (long) ctx->data_end;
        __u32 index = next;
        struct frame *frame;

        next = index + 1 < n_frames ? index + 1 : 0;
        frame = bpf_map_lookup_elem(&frames, &index);
        if (!frame || (void *) (data + FLOOD_FRAME / 8) > end)
                return XDP_ABORTED;
#pragma unroll
        for (int i = 0; i < FLOOD_FRAME / 8; i++)
                data[i] = frame->words[i];
        return XDP_PASS;
}

SEC("xdp")
int flood_sink(struct xdp_md *ctx)
{
        const __u8 *data = (void *) (long) ctx->data;
        const void *end = (void *) (long) ctx->data_end;
        __u32 index;
        __u64 *count;

        if ((const void *) (data + FLOOD_FRAME) > end || data[FLOOD_FRAME - 6] != FLOOD_MARK >> 8 ||
            data[FLOOD_FRAME - 5] != (FLOOD_MARK & 0xff))
                return XDP_PASS; /* neighbour discovery and the like */
        index = (__u32) data[FLOOD_FRAME - 4] << 24 | (__u32) data[FLOOD_FRAME - 3] << 16 |
                (__u32) data[FLOOD_FRAME - 2] << 8 | data[FLOOD_FRAME - 1];
        count = bpf_map_lookup_elem(&seen, &index);
        if (!count)
                return XDP_PASS;
        __sync_fetch_and_add(count, 1);
        return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
