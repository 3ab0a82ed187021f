/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter counters: totals, or with --watch rates again and again. */

#include "filter.h"

#include "base/text.h"
#include "output.h"
#include "rows.h"
#include "table.h"
#include <stdio.h>
#include <sys/ioctl.h>
#include <systemd/sd-event.h>
#include <time.h>

#define PAGE 1000
#define WATCH_MIN_USEC (G_USEC_PER_SEC / 10)
#define SCREEN_ROWS 24 /* of a terminal that does not say */
#define HOME_AND_CLEAR "\033[H\033[J"

const CtlTarget ctl_filter = {
        "org.patronus.Filter1",
        "/org/patronus/Filter1",
        "org.patronus.Filter1",
};
const CtlTarget ctl_filter_properties = {
        "org.patronus.Filter1",
        "/org/patronus/Filter1",
        "org.freedesktop.DBus.Properties",
};

typedef struct Counter {
        char *kind, *name, *klass, *notes;
        uint64_t packets, bytes;
        bool carried;
        uint64_t packet_rate, byte_rate; /* a second */
} Counter;

static void counter_free(void *p)
{
        Counter *counter = p;

        g_free(counter->kind);
        g_free(counter->name);
        g_free(counter->klass);
        g_free(counter->notes);
        g_free(counter);
}

/* What --kind and --name leave. */
static bool is_wanted(const Ctl *ctl, char *const *kinds, const char *kind, const char *name)
{
        const char *pattern = ctl->values[CTL_NAME];

        if (kinds && !g_strv_contains((const char *const *) kinds, kind))
                return false;
        return !pattern || g_pattern_match_simple(pattern, name);
}

static int read_counter(const Ctl *ctl, char *const *kinds, sd_bus_message *m, GPtrArray *counters)
{
        const char *kind, *name, *klass, *notes;
        Counter read = {0};
        int carried, r;

        r = sd_bus_message_read(m, "(sssttbs)", &kind, &name, &klass, &read.packets, &read.bytes,
                                &carried, &notes);
        if (r <= 0)
                return r;
        if (is_wanted(ctl, kinds, kind, name)) {
                Counter *counter = g_memdup2(&read, sizeof(read));

                counter->kind = g_strdup(kind);
                counter->name = g_strdup(name);
                counter->klass = g_strdup(klass);
                counter->carried = carried;
                counter->notes = g_strdup(notes);
                g_ptr_array_add(counters, counter);
        }
        return 1;
}

/* One page; *next is where the following begins, "" at the end. */
static int read_page(Ctl *ctl, char *const *kinds, char **next, GPtrArray *counters)
{
        pt_auto_message *reply = NULL;
        const char *after;
        int r;

        r = ctl_ask(ctl, &ctl_filter, "ListCounters", CTL_CALL_READS, &reply, "a{sv}", 2, "after",
                    "s", *next, "limit", "u", (uint32_t) PAGE);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(sssttbs)");
        while (r >= 0 && (r = read_counter(ctl, kinds, reply, counters)) > 0)
                ;
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &after);
        if (r < 0)
                return r;
        g_free(*next);
        *next = g_strdup(after);
        return CTL_DONE;
}

/* The names of --kind as the kinds have them ("rules" is FirewallRule). */
static int read_kinds(const Ctl *ctl, char ***ret)
{
        g_auto(GStrv) words = NULL;

        if (!ctl->values[CTL_KIND])
                return CTL_DONE;
        words = g_strsplit(ctl->values[CTL_KIND], ",", -1);
        for (char **word = words; *word; word++) {
                const PtKind *kind = ctl_parse_kind(*word);

                if (!kind)
                        return CTL_USAGE;
                g_free(*word);
                *word = g_strdup(kind->name);
        }
        *ret = g_steal_pointer(&words);
        return CTL_DONE;
}

static int read_all(Ctl *ctl, char *const *kinds, GPtrArray **ret)
{
        g_autoptr(GPtrArray) counters = g_ptr_array_new_with_free_func(counter_free);
        g_autofree char *next = g_strdup("");
        int r;

        do {
                r = read_page(ctl, kinds, &next, counters);
                if (r != CTL_DONE)
                        return r;
        } while (*next);
        *ret = g_steal_pointer(&counters);
        return CTL_DONE;
}

static struct json_object *to_json(const Counter *counter, bool rates)
{
        struct json_object *row = json_object_new_object();

        json_object_object_add(row, "kind", json_object_new_string(counter->kind));
        json_object_object_add(row, "name", json_object_new_string(counter->name));
        json_object_object_add(row, "class", json_object_new_string(counter->klass));
        json_object_object_add(row, "packets", json_object_new_uint64(counter->packets));
        json_object_object_add(row, "bytes", json_object_new_uint64(counter->bytes));
        json_object_object_add(row, "carried", json_object_new_boolean(counter->carried));
        if (*counter->notes)
                json_object_object_add(row, "notes", json_object_new_string(counter->notes));
        if (rates) {
                json_object_object_add(row, "packetsPerSecond",
                                       json_object_new_uint64(counter->packet_rate));
                json_object_object_add(row, "bytesPerSecond",
                                       json_object_new_uint64(counter->byte_rate));
        }
        return row;
}

static int print_totals(Ctl *ctl, char *const *kinds)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(ctl->format);
        g_autoptr(GPtrArray) counters = NULL;
        int r = read_all(ctl, kinds, &counters);

        if (r != CTL_DONE)
                return r;
        ctl_rows_column(rows, "KIND", "kind", 0);
        ctl_rows_column(rows, "NAME", "name", 0);
        ctl_rows_column(rows, "BETWEEN", "class", 0);
        ctl_rows_column(rows, "PACKETS", "packets", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "BYTES", "bytes", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "CARRIED", "carried", 0);
        ctl_rows_column(rows, "NOTES", "notes", 0);
        for (unsigned i = 0; i < counters->len; i++) {
                pt_auto_json *row = to_json(g_ptr_array_index(counters, i), false);

                ctl_rows_add(rows, row);
        }
        ctl_rows_end(rows, "there is no counter");
        return CTL_DONE;
}

/* Watching. */

typedef struct Watch {
        Ctl *ctl;
        char **kinds;
        uint64_t interval_usec;
        GPtrArray *last; /* Counter */
        uint64_t last_usec;
        bool screen; /* a terminal is drawn anew; else lines follow one another */
} Watch;

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static char *key_of(const Counter *counter)
{
        return g_strjoin("\n", counter->kind, counter->name, counter->klass, NULL);
}

/* A counter that is smaller than before was made anew. */
static uint64_t rate(uint64_t before, uint64_t after, uint64_t usec)
{
        uint64_t grown = after >= before ? after - before : after;

        return (uint64_t) ((double) grown * G_USEC_PER_SEC / (double) MAX(usec, 1));
}

static int busier(const void *a, const void *b)
{
        const Counter *x = *(Counter *const *) a, *y = *(Counter *const *) b;

        if (x->byte_rate != y->byte_rate)
                return x->byte_rate > y->byte_rate ? -1 : 1;
        if (x->packet_rate != y->packet_rate)
                return x->packet_rate > y->packet_rate ? -1 : 1;
        return g_strcmp0(x->name, y->name) ?: g_strcmp0(x->klass, y->klass);
}

static void set_rates(const GPtrArray *before, const GPtrArray *counters, uint64_t usec)
{
        g_autoptr(GHashTable) by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (unsigned i = 0; i < before->len; i++)
                g_hash_table_insert(by_key, key_of(g_ptr_array_index(before, i)),
                                    g_ptr_array_index(before, i));
        for (unsigned i = 0; i < counters->len; i++) {
                Counter *counter = g_ptr_array_index(counters, i);
                g_autofree char *key = key_of(counter);
                const Counter *old = g_hash_table_lookup(by_key, key);

                counter->packet_rate = rate(old ? old->packets : 0, counter->packets, usec);
                counter->byte_rate = rate(old ? old->bytes : 0, counter->bytes, usec);
        }
}

static unsigned screen_rows(void)
{
        struct winsize size = {0};

        return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 3 ? size.ws_row
                                                                               : SCREEN_ROWS;
}

static void draw(const GPtrArray *counters, unsigned rows)
{
        g_autoptr(CtlTable) table = ctl_table_new();

        ctl_table_column(table, &(CtlTableColumn){.heading = "NAME", .minimum = 12, .weight = 2});
        ctl_table_column(table, &(CtlTableColumn){.heading = "BETWEEN", .minimum = 8, .weight = 1});
        ctl_table_column(table,
                         &(CtlTableColumn){.heading = "PACKETS/S", .flags = CTL_TABLE_RIGHT});
        ctl_table_column(table, &(CtlTableColumn){.heading = "BYTES/S", .flags = CTL_TABLE_RIGHT});
        ctl_table_column(table, &(CtlTableColumn){.heading = "PACKETS", .flags = CTL_TABLE_RIGHT});
        ctl_table_column(table, &(CtlTableColumn){.heading = "BYTES", .flags = CTL_TABLE_RIGHT});
        for (unsigned i = 0; i < MIN(counters->len, rows); i++) {
                const Counter *c = g_ptr_array_index(counters, i);
                g_autofree char *name = ctl_safe(c->name), *klass = ctl_safe(c->klass);
                g_autofree char *packet_rate = g_strdup_printf("%" PRIu64, c->packet_rate);
                g_autofree char *byte_rate = g_strdup_printf("%" PRIu64, c->byte_rate);
                g_autofree char *packets = g_strdup_printf("%" PRIu64, c->packets);
                g_autofree char *bytes = g_strdup_printf("%" PRIu64, c->bytes);

                ctl_table_add(table, (const char *const[]){name, *klass ? klass : NULL, packet_rate,
                                                           byte_rate, packets, bytes});
        }
        (void) ctl_table_print(table, ctl_terminal_width(stdout), stdout);
}

/* Lines for programs and files: only what moved. */
static void print_lines(const Watch *watch, const GPtrArray *counters)
{
        bool json = watch->ctl->format == CTL_JSON || watch->ctl->format == CTL_YAML;

        for (unsigned i = 0; i < counters->len; i++) {
                const Counter *c = g_ptr_array_index(counters, i);
                g_autofree char *name = ctl_safe(c->name);

                if (c->packet_rate == 0 && c->byte_rate == 0)
                        break; /* the busiest come first */
                if (json) {
                        pt_auto_json *row = to_json(c, true);

                        ctl_print_json(row, watch->ctl->format);
                } else {
                        printf("%s %s %" PRIu64 " packets/s %" PRIu64 " bytes/s\n", name,
                               *c->klass ? c->klass : "-", c->packet_rate, c->byte_rate);
                }
        }
}

static int show(Watch *watch)
{
        g_autoptr(GPtrArray) counters = NULL;
        uint64_t now;
        int r = read_all(watch->ctl, watch->kinds, &counters);

        if (r != CTL_DONE)
                return r;
        now = now_usec();
        if (watch->last) {
                set_rates(watch->last, counters, now - watch->last_usec);
                g_ptr_array_sort(counters, busier);
                if (watch->screen) {
                        fputs(HOME_AND_CLEAR, stdout);
                        draw(counters, screen_rows() - 2);
                } else {
                        print_lines(watch, counters);
                }
                if (fflush(stdout) != 0)
                        return CTL_REFUSED; /* nobody reads any more */
                g_ptr_array_unref(watch->last);
        }
        watch->last = g_steal_pointer(&counters);
        watch->last_usec = now;
        return CTL_DONE;
}

static int tick(sd_event_source *source, uint64_t usec, void *userdata)
{
        Watch *watch = userdata;
        int r = show(watch);

        if (r != CTL_DONE)
                return sd_event_exit(sd_event_source_get_event(source), r);
        r = sd_event_source_set_time_relative(source, watch->interval_usec);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int run_watch(Watch *watch)
{
        pt_cleanup(sd_event_unrefp) sd_event *event = NULL;
        int r = show(watch);

        if (r != CTL_DONE)
                return r;
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, watch->interval_usec,
                                               1, tick, watch);
        return r < 0 ? r : sd_event_loop(event);
}

int ctl_run_filter_counters(Ctl *ctl)
{
        g_auto(GStrv) kinds = NULL;
        const char *interval = ctl->values[CTL_WATCH];
        Watch watch = {.ctl = ctl, .screen = isatty(STDOUT_FILENO)};
        int r = read_kinds(ctl, &kinds);

        if (r != CTL_DONE || !interval)
                return r != CTL_DONE ? r : print_totals(ctl, kinds);
        if (pt_duration_parse(interval, &watch.interval_usec) < 0 ||
            watch.interval_usec < WATCH_MIN_USEC) {
                ctl_error("\"%s\" is no time to wait; write %s; at least 100ms", interval,
                          PT_DURATION_SYNTAX);
                return CTL_USAGE;
        }
        watch.kinds = kinds;
        watch.screen = watch.screen && !(ctl->format == CTL_JSON || ctl->format == CTL_YAML);
        r = run_watch(&watch);
        if (watch.last)
                g_ptr_array_unref(watch.last);
        return r;
}
