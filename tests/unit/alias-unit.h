/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Random aliases, and a naive model of what they hold: a bit for each of the first and the last
 * 256 numbers of a part, where intervals begin and end at nothing. */

#include "dataset-unit.h"
#include "filter-unit.h"
#include "filter/flatten.h"

#include <arpa/inet.h>

#define MODEL_HALF 256U
#define MODEL_SIZE (2 * MODEL_HALF)
#define MODEL_ALIASES 6U

/* Bit i < MODEL_HALF is the number i; the others count up to the last number. */
typedef struct Model {
        bool bits[MODEL_SIZE];
} Model;

static inline FwNumber model_number(FwSetPart part, unsigned bit)
{
        return bit < MODEL_HALF ? bit
                                : fw_number_max(fw_part_key_len(part)) - (MODEL_SIZE - 1 - bit);
}

static inline void model_format(FwSetPart part, unsigned bit, GString *out)
{
        size_t len = fw_part_key_len(part);
        char text[INET6_ADDRSTRLEN];
        uint8_t bytes[16];

        fw_number_write(model_number(part, bit), len, bytes);
        if (part == FW_SET_PORTS)
                g_string_append_printf(out, "%u", bytes[0] << 8 | bytes[1]);
        else if (part == FW_SET_MACS)
                g_string_append_printf(out, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
                                       bytes[2], bytes[3], bytes[4], bytes[5]);
        else
                g_string_append(out, inet_ntop(part == FW_SET_IPV4 ? AF_INET : AF_INET6, bytes,
                                               text, sizeof(text)));
}

/* "10.0.0.1" or "10.0.0.1-10.0.0.5", and the same in the model. */
static inline char *model_random_entry(Model *model, GRand *rand, FwSetPart part, bool single)
{
        unsigned half = (unsigned) g_rand_int_range(rand, 0, 2) * MODEL_HALF;
        unsigned lo = (unsigned) g_rand_int_range(rand, 0, MODEL_HALF), hi;
        GString *out = g_string_new(NULL);

        /* Port 0 is none. */
        if (part == FW_SET_PORTS && half == 0 && lo == 0)
                lo = 1;
        hi = lo;
        if (!single && g_rand_int_range(rand, 0, 3) != 0)
                hi += (unsigned) g_rand_int_range(rand, 0, 24);
        hi = MIN(hi, MODEL_HALF - 1);
        for (unsigned i = lo; i <= hi; i++)
                model->bits[half + i] = true;
        model_format(part, half + lo, out);
        if (hi > lo) {
                g_string_append_c(out, '-');
                model_format(part, half + hi, out);
        }
        return g_string_free(out, FALSE);
}

static const char *const model_types[] = {"host", "network", "port", "mac"};

static inline FwSetPart model_random_part(GRand *rand, int type)
{
        if (type == FW_ALIAS_PORT)
                return FW_SET_PORTS;
        if (type == FW_ALIAS_MAC)
                return FW_SET_MACS;
        return g_rand_boolean(rand) ? FW_SET_IPV4 : FW_SET_IPV6;
}

/*
 * An alias "alias-N" of a type with some entries, some of them perhaps in a dataset, that may
 * include others with a higher number. `models`: what it holds itself, of each part.
 */
static inline char *model_random_alias(const char *state_dir, GRand *rand, unsigned number,
                                       int type, Model models[static FW_SET_PART_MAX])
{
        static const char *const members[] = {"addresses", "addresses", "ports", "macs"};
        g_autoptr(GString) text = g_string_new(NULL), lines = g_string_new(NULL);
        unsigned n = (unsigned) g_rand_int_range(rand, 0, 12);
        bool single = type == FW_ALIAS_HOST || type == FW_ALIAS_MAC, first = true;

        memset(models, 0, FW_SET_PART_MAX * sizeof(*models));
        g_string_printf(text,
                        "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\","
                        "\"metadata\":{\"name\":\"alias-%u\"},\"spec\":{\"type\":\"%s\",\"%s\":[",
                        number, model_types[type], members[type]);
        for (unsigned i = 0; i < n; i++) {
                FwSetPart part = model_random_part(rand, type);
                g_autofree char *entry = model_random_entry(&models[part], rand, part, single);
                g_autofree char *quoted = g_strdup_printf("\"%s\"", entry);

                if (type != FW_ALIAS_PORT && g_rand_boolean(rand)) {
                        g_string_append_printf(lines, "%s\n", entry);
                } else if (!strstr(text->str, quoted)) { /* twice is refused */
                        g_string_append_printf(text, "%s%s", first ? "" : ",", quoted);
                        first = false;
                }
        }
        g_string_append(text, "]");
        if (first) {
                g_autofree char *empty = g_strdup_printf(",\"%s\":[]", members[type]);

                g_string_replace(text, empty, "", 1); /* an empty list is refused */
        }
        first = true;
        for (unsigned other = number + 1; other < MODEL_ALIASES; other++) {
                if (g_rand_int_range(rand, 0, 3) != 0)
                        continue;
                g_string_append_printf(text, "%s\"alias-%u\"", first ? ",\"aliases\":[" : ",",
                                       other);
                first = false;
        }
        if (!first)
                g_string_append_c(text, ']');
        if (lines->len > 0) {
                char hex[65];

                unit_dataset_put(state_dir, lines->str, hex);
                g_string_append_printf(text, ",\"dataset\":\"%s\"", hex);
        }
        g_string_append(text, "}}");
        return g_strdup(text->str);
}

/* What an alias of the slice holds of a part with all that it includes. `own`: of each alias. */
static inline void model_flatten(const PtSlice *slice, const char *name,
                                 Model own[MODEL_ALIASES][FW_SET_PART_MAX], FwSetPart part,
                                 Model *ret)
{
        g_autoptr(GPtrArray) todo = g_ptr_array_new();

        memset(ret, 0, sizeof(*ret));
        g_ptr_array_add(todo, (void *) (uintptr_t) name);
        for (unsigned i = 0; i < todo->len; i++) {
                const Alias *alias = (const Alias *) pt_slice_get(slice, &pt_kind_alias,
                                                                  g_ptr_array_index(todo, i));
                unsigned number = (unsigned) (strrchr(alias->object.name, '-')[1] - '0');

                for (unsigned bit = 0; bit < MODEL_SIZE; bit++)
                        ret->bits[bit] |= own[number][part].bits[bit];
                for (unsigned k = 0; k < alias->aliases.n; k++)
                        g_ptr_array_add(todo, ((char **) alias->aliases.items)[k]);
        }
}

/* The spans of a model; the halves do not touch, but for 16 bits they could: they do not either. */
static inline GArray *model_spans(const Model *model, FwSetPart part)
{
        GArray *spans = g_array_new(FALSE, FALSE, sizeof(FwSpan));

        for (unsigned bit = 0; bit < MODEL_SIZE; bit++) {
                FwNumber number = model_number(part, bit);
                FwSpan span = {number, number};

                if (!model->bits[bit])
                        continue;
                if (bit > 0 && bit != MODEL_HALF && model->bits[bit - 1])
                        g_array_index(spans, FwSpan, spans->len - 1).hi = number;
                else
                        g_array_append_val(spans, span);
        }
        return spans;
}
