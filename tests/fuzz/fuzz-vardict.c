/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The bytes are a program that writes a message of D-Bus values, since sd-bus takes no message but
 * from a connection. What is read by a table is appended by it and read again to the same; and so
 * without a table.
 */

#include "kind/vardict.h"

#include <string.h>
#include <sys/socket.h>

#define pt_auto_message __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Program {
        const uint8_t *at, *end;
} Program;

static uint8_t next(Program *p)
{
        return p->at < p->end ? *p->at++ : 0;
}

/* Half a socket pair, the same for all runs. */
static sd_bus *bus(void)
{
        static sd_bus *instance;
        int fds[2];

        if (instance)
                return instance;
        g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        g_assert(sd_bus_new(&instance) >= 0);
        g_assert(sd_bus_set_fd(instance, fds[0], fds[0]) >= 0);
        g_assert(sd_bus_start(instance) >= 0);
        return instance;
}

static sd_bus_message *message_new(void)
{
        sd_bus_message *m = NULL;

        g_assert(sd_bus_message_new_method_call(bus(), &m, "a.b", "/", "a.b", "C") >= 0);
        return m;
}

static void turn(sd_bus_message *m)
{
        g_assert(sd_bus_message_seal(m, 1, 0) >= 0);
        g_assert(sd_bus_message_rewind(m, true) >= 0);
}

/* A word that the tables know, or some that they do not, or the program's own bytes. */
static char *word(Program *p)
{
        static const char *const words[] = {
                "action",   "enabled", "priority",    "from",       "to",    "family",
                "protocol", "source",  "destination", "ports",      "allow", "lan",
                "any",      "80",      "tcp",         "10.0.0.0/8", "true",  "addresses",
                "1-2",      "",        "interfaces",  "sources",    "eth*",
        };
        uint8_t n = next(p);
        size_t size;
        char *own;

        if (n < 200)
                return g_strdup(words[n % G_N_ELEMENTS(words)]);
        size = MIN((size_t) (n - 200), (size_t) (p->end - p->at));
        own = g_strndup((const char *) p->at, size);
        p->at += size;
        if (g_utf8_validate(own, -1, NULL))
                return own;
        g_free(own);
        return g_strdup("x");
}

static void write_basic(Program *p, sd_bus_message *m, char type)
{
        g_autofree char *text = NULL;
        union {
                uint8_t y;
                int b;
                uint16_t q;
                uint32_t u;
                uint64_t t;
                double d;
        } value = {};

        if (type == 's') {
                text = word(p);
                g_assert(sd_bus_message_append_basic(m, 's', text) >= 0);
                return;
        }
        for (size_t i = 0; i < 8; i++)
                value.t = value.t << 8 | (next(p) & (type == 'd' ? 0x3f : 0xff));
        if (type == 'b')
                value.b = value.t & 1;
        g_assert(sd_bus_message_append_basic(m, type, &value) >= 0);
}

static void write_vardict(Program *p, sd_bus_message *m, unsigned depth);

static void write_variant(Program *p, sd_bus_message *m, unsigned depth)
{
        static const char *const signatures[] = {
                "s", "s",  "s",  "u",  "b",     "x",     "q",  "t",   "y",
                "d", "as", "au", "av", "a{sv}", "a{ss}", "as", "aas",
        };
        const char *signature = signatures[next(p) % G_N_ELEMENTS(signatures)];
        unsigned n = next(p) % 6;

        if (depth == 0)
                signature = "s";
        g_assert(sd_bus_message_open_container(m, 'v', signature) >= 0);
        if (strcmp(signature, "a{sv}") == 0) {
                write_vardict(p, m, depth - 1);
        } else if (signature[0] != 'a') {
                write_basic(p, m, signature[0]);
        } else {
                g_assert(sd_bus_message_open_container(m, 'a', signature + 1) >= 0);
                for (unsigned i = 0; i < n; i++) {
                        g_autofree char *key = NULL, *text = NULL;

                        if (signature[1] == 'v') {
                                write_variant(p, m, depth - 1);
                        } else if (signature[1] == '{') {
                                key = word(p);
                                text = word(p);
                                g_assert(sd_bus_message_append(m, "{ss}", key, text) >= 0);
                        } else if (signature[1] == 'a') {
                                g_assert(sd_bus_message_append(m, "as", 1, "x") >= 0);
                        } else {
                                write_basic(p, m, signature[1]);
                        }
                }
                g_assert(sd_bus_message_close_container(m) >= 0);
        }
        g_assert(sd_bus_message_close_container(m) >= 0);
}

static void write_vardict(Program *p, sd_bus_message *m, unsigned depth)
{
        g_assert(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        while (next(p) % 8 != 0) {
                g_autofree char *key = word(p);

                g_assert(sd_bus_message_open_container(m, 'e', "sv") >= 0);
                g_assert(sd_bus_message_append(m, "s", key) >= 0);
                write_variant(p, m, depth);
                g_assert(sd_bus_message_close_container(m) >= 0);
        }
        g_assert(sd_bus_message_close_container(m) >= 0);
}

static void check_by_table(sd_bus_message *m, const PtKind *kind)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL, *again = NULL, *document = NULL;
        pt_auto_message *m2 = NULL, *m3 = NULL;
        g_autoptr(PtObject) object = NULL;
        pt_auto_json *whole = NULL;

        g_assert(sd_bus_message_rewind(m, true) >= 0);
        if (pt_fields_read(kind->fields, m, diag, &json) < 0) {
                g_assert(pt_diag_errors(diag) > 0);
                return;
        }
        g_assert(sd_bus_message_at_end(m, true) == 1);
        document = json_object_new_object();
        json_object_object_add(document, "apiVersion", json_object_new_string(kind->api_version));
        json_object_object_add(document, "kind", json_object_new_string(kind->name));
        json_object_object_add(document, "spec", json_object_get(json));
        if (pt_object_from_json(document, PT_FROM_ALLOW_NAMELESS, NULL, &object) < 0)
                return;
        m2 = message_new();
        g_assert(pt_object_append(object, true, m2) == 0);
        whole = pt_object_to_json(object, true);
        m3 = message_new();
        g_assert(pt_fields_append(kind->fields, json_object_object_get(whole, "spec"), m3) == 0);
        turn(m3);
        g_assert(pt_fields_read(kind->fields, m3, NULL, &again) == 0);
        g_assert(json_object_equal(json_object_object_get(whole, "spec"), again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Program program = {data, data + size};
        pt_auto_message *m = message_new(), *m2 = NULL;
        pt_auto_json *json = NULL, *again = NULL;

        write_vardict(&program, m, 8);
        turn(m);
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                check_by_table(m, *kind);
        g_assert(sd_bus_message_rewind(m, true) >= 0);
        if (pt_vardict_read(m, 64, &json) < 0)
                return 0;
        m2 = message_new();
        g_assert(pt_vardict_append(json, m2) == 0);
        turn(m2);
        g_assert(pt_vardict_read(m2, 64, &again) == 0);
        g_assert(json_object_equal(json, again));
        return 0;
}
