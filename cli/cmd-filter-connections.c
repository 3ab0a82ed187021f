/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * filter connections: what filterd lists in pages of packed rows. There may be hundreds of
 * thousands, so the next page is asked for before the one at hand is printed.
 */

#include "conditions.h"
#include "filter.h"

#include "base/io.h"
#include "base/text.h"
#include "kind/field.h"
#include "kind/vardict.h"
#include "netlink/connection-filter.h"
#include "output.h"
#include "table.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_ROWS 10000U
#define PAGE_BYTES (PAGE_ROWS * sizeof(PtConnection))

typedef struct Printer {
        CtlFormat format;
        CtlTable *table;
        uint64_t left; /* rows still wanted */
        uint64_t printed;
} Printer;

/* "source=10.0.0.0/8 state=established" as JSON by the filter's own table. */
static int read_conditions(const Ctl *ctl, struct json_object **ret)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_auto(PtConnectionFilter) filter = {0};
        pt_auto_json *json = NULL;
        int r = ctl_read_conditions(ctl, pt_connection_filter_fields, "a connection", &json);

        if (r != CTL_DONE)
                return r;
        r = pt_connection_filter_from_json(json, diag, &filter);
        if (r < 0) {
                ctl_say_diagnostics(diag);
                return CTL_USAGE;
        }
        *ret = g_steal_pointer(&json);
        return CTL_DONE;
}

/* {"filter": <conditions>} or the conditions alone, as a{sv}. */
static int append_request(sd_bus_message *m, struct json_object *conditions, uint32_t limit)
{
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}", "limit", "u", limit, "format", "s",
                                          "packed");
        if (r >= 0)
                r = pt_fields_append_entry("filter", pt_connection_filter_fields, conditions, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int print_json(const PtConnection *connections, size_t n)
{
        g_autofree char *buffer = g_malloc(64 * 1024);
        size_t size = 0;

        for (size_t i = 0; i < n; i++) {
                size += pt_connection_write_json(&connections[i], buffer + size);
                buffer[size++] = '\n';
                if (size > 64 * 1024 - PT_CONNECTION_JSON_MAX - 1 || i + 1 == n) {
                        if (fwrite(buffer, 1, size, stdout) != size)
                                return CTL_REFUSED; /* main() says why */
                        size = 0;
                }
        }
        return CTL_DONE;
}

static void print_yaml(const PtConnection *connections, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                char text[PT_CONNECTION_JSON_MAX + 1];
                pt_auto_json *json = NULL;

                text[pt_connection_write_json(&connections[i], text)] = '\0';
                json = json_tokener_parse(text);
                ctl_print_json(json, CTL_YAML);
        }
}

static const CtlTableColumn columns[] = {
        {.heading = "PROTO"},
        {.heading = "STATE"},
        {.heading = "SOURCE", .minimum = 15, .weight = 2},
        {.heading = "DESTINATION", .minimum = 15, .weight = 2},
        {.heading = "SOURCE AS", .flags = CTL_TABLE_OPTIONAL, .minimum = 15, .weight = 1},
        {.heading = "DESTINATION AS", .flags = CTL_TABLE_OPTIONAL, .minimum = 15, .weight = 1},
        {.heading = "BYTES", .flags = CTL_TABLE_OPTIONAL | CTL_TABLE_RIGHT},
        {.heading = "EXPIRES", .flags = CTL_TABLE_OPTIONAL | CTL_TABLE_RIGHT},
        /* from here on only with -o wide */
        {.heading = "PACKETS", .flags = CTL_TABLE_OPTIONAL | CTL_TABLE_RIGHT},
        {.heading = "ASSURED"},
        {.heading = "MARK", .flags = CTL_TABLE_OPTIONAL | CTL_TABLE_RIGHT},
        {.heading = "ZONE", .flags = CTL_TABLE_OPTIONAL | CTL_TABLE_RIGHT},
        {.heading = "HELPER", .flags = CTL_TABLE_OPTIONAL},
        {.heading = "ID", .flags = CTL_TABLE_RIGHT},
};
#define COLUMNS_NARROW 8

#define NUMBER_MAX 24

static const char *number(uint64_t value, bool known, char buffer[static NUMBER_MAX])
{
        if (!known)
                return NULL;
        (void) g_snprintf(buffer, NUMBER_MAX, "%" PRIu64, value);
        return buffer;
}

static const char *state_text(const PtConnection *c)
{
        return pt_connection_state_to_string(c->state)
                       ?: c->flags & PT_CONNECTION_REPLIED ? "replied"
                                                           : "unreplied";
}

static void add_row(CtlTable *table, const PtConnection *c)
{
        char protocol[PT_PROTOCOL_TEXT_MAX], expires[PT_DURATION_TEXT_MAX];
        char ends[4][PT_ENDPOINT_TEXT_MAX], numbers[5][NUMBER_MAX];
        bool counted = c->flags & PT_CONNECTION_COUNTED;
        const PtConnectionTuple *there = &c->original, *back = &c->reply;
        const char *cells[G_N_ELEMENTS(columns)] = {
                pt_connection_protocol(c->protocol, protocol),
                state_text(c),
                pt_connection_endpoint(c, there->source, there->source_port, ends[0]),
                pt_connection_endpoint(c, there->destination, there->destination_port, ends[1]),
                c->flags & PT_CONNECTION_SNAT
                        ? pt_connection_endpoint(c, back->destination, back->destination_port,
                                                 ends[2])
                        : NULL,
                c->flags & PT_CONNECTION_DNAT
                        ? pt_connection_endpoint(c, back->source, back->source_port, ends[3])
                        : NULL,
                number(c->bytes[0] + c->bytes[1], counted, numbers[0]),
                pt_duration_format(c->timeout * (uint64_t) G_USEC_PER_SEC, expires),
                number(c->packets[0] + c->packets[1], counted, numbers[1]),
                c->flags & PT_CONNECTION_ASSURED ? "yes" : "no",
                number(c->mark, c->mark != 0, numbers[2]),
                number(c->zone, c->zone != 0, numbers[3]),
                c->helper[0] ? c->helper : NULL,
                number(c->id, true, numbers[4]),
        };

        ctl_table_add(table, cells);
}

static int print_rows(Printer *printer, const PtConnection *connections, size_t n)
{
        n = MIN(n, printer->left);
        printer->left -= n;
        printer->printed += n;
        switch (printer->format) {
        case CTL_JSON:
                return print_json(connections, n);
        case CTL_YAML:
                print_yaml(connections, n);
                return CTL_DONE;
        case CTL_TABLE:
        case CTL_WIDE:
        case CTL_FORMAT_MAX:
                for (size_t i = 0; i < n; i++)
                        add_row(printer->table, &connections[i]);
        }
        return CTL_DONE;
}

static int print_page(Printer *printer, int fd, uint32_t rows)
{
        size_t size = rows * sizeof(PtConnection);
        void *page;
        int r;

        if (rows == 0)
                return CTL_DONE;
        page = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        if (page == MAP_FAILED)
                return -errno;
        r = print_rows(printer, page, rows);
        (void) munmap(page, size);
        return r;
}

/* Opens a reply: its page is checked to be what it says. */
static int open_page(sd_bus_message *reply, int *ret_fd, uint32_t *ret_rows, const char **ret_next)
{
        size_t size;
        int r = sd_bus_message_read(reply, "hus", ret_fd, ret_rows, ret_next);

        if (r < 0)
                return r;
        r = pt_memfd_check(*ret_fd, PAGE_BYTES, &size);
        return r < 0 ? r : size == *ret_rows * sizeof(PtConnection) ? 0 : -EBADMSG;
}

static int ask_for_next(Ctl *ctl, const char *next, CtlPending *pending)
{
        pt_auto_message *m = NULL;
        int r = ctl_method(ctl, &ctl_filter, "ListConnections", &m);

        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "a{sv}", 1, "after", "s", next);
        return r < 0 ? r : ctl_begin(ctl, m, CTL_CALL_READS, pending);
}

static int print_all(Ctl *ctl, sd_bus_message *request, Printer *printer)
{
        g_auto(CtlPending) pending = {0};
        bool more = true;
        int r = ctl_begin(ctl, request, CTL_CALL_READS, &pending);

        while (r == CTL_DONE && more) {
                pt_auto_message *reply = NULL;
                const char *next;
                uint32_t rows;
                int fd;

                r = ctl_finish(ctl, CTL_CALL_READS, &pending, &reply);
                if (r == CTL_DONE)
                        r = open_page(reply, &fd, &rows, &next);
                if (r != CTL_DONE)
                        return r;
                more = *next && rows < printer->left;
                if (more)
                        r = ask_for_next(ctl, next, &pending);
                if (r == CTL_DONE)
                        r = print_page(printer, fd, rows);
        }
        return r;
}

static int list(Ctl *ctl, struct json_object *conditions)
{
        g_autoptr(CtlTable) table = ctl_table_new();
        CtlFormat format = ctl->format == CTL_FORMAT_MAX ? CTL_TABLE : ctl->format;
        Printer printer = {.format = format, .table = table, .left = UINT64_MAX};
        pt_auto_message *m = NULL;
        int r;

        r = ctl_parse_limit(ctl, &printer.left);
        if (r != CTL_DONE)
                return r;
        for (unsigned i = 0; i < (format == CTL_WIDE ? G_N_ELEMENTS(columns) : COLUMNS_NARROW); i++)
                ctl_table_column(table, &columns[i]);
        r = ctl_method(ctl, &ctl_filter, "ListConnections", &m);
        if (r != CTL_DONE)
                return r;
        r = append_request(m, conditions, (uint32_t) MIN(printer.left, PAGE_ROWS));
        if (r >= 0)
                r = print_all(ctl, m, &printer);
        if (r != CTL_DONE)
                return r;
        if (ctl_format_is_table(format) && printer.printed > 0)
                (void) ctl_table_print(table, format == CTL_WIDE ? 0 : ctl_terminal_width(stdout),
                                       stdout);
        else if (printer.printed == 0)
                fprintf(stderr, json_object_object_length(conditions) > 0
                                        ? "there is no such connection\n"
                                        : "there is no connection\n");
        return CTL_DONE;
}

static int kill_connections(Ctl *ctl, struct json_object *conditions)
{
        pt_auto_message *m = NULL, *reply = NULL;
        uint64_t killed;
        int r;

        if (json_object_object_length(conditions) == 0) {
                ctl_error("--kill needs a condition, like address=10.0.0.7; family=ipv4 ends all "
                          "IPv4 connections");
                return CTL_USAGE;
        }
        r = ctl_method(ctl, &ctl_filter, "KillConnections", &m);
        if (r != CTL_DONE)
                return r;
        r = pt_fields_append(pt_connection_filter_fields, conditions, m);
        if (r >= 0)
                r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "t", &killed);
        if (r < 0)
                return r;
        printf("%" PRIu64 " connection%s ended\n", killed, killed == 1 ? "" : "s");
        return CTL_DONE;
}

int ctl_run_filter_connections(Ctl *ctl)
{
        pt_auto_json *conditions = NULL;
        int r = read_conditions(ctl, &conditions);

        if (r != CTL_DONE)
                return r;
        return ctl->values[CTL_KILL] ? kill_connections(ctl, conditions) : list(ctl, conditions);
}
