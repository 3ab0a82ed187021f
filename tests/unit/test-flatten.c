/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Aliases as ascending spans, against a model of bits. */

#include "alias-unit.h"

static PtSlice *random_slice(const char *state_dir, GRand *rand, int type,
                             Model own[MODEL_ALIASES][FW_SET_PART_MAX])
{
        PtSlice *slice = pt_slice_new();

        for (unsigned i = 0; i < MODEL_ALIASES; i++) {
                g_autofree char *text = model_random_alias(state_dir, rand, i, type, own[i]);

                fw_put(slice, text);
        }
        return slice;
}

static FwFlat *flat_of(const FwSource *source, const char *name, FwSetPart part)
{
        g_autoptr(GPtrArray) closure = fw_flat_closure(source->slice, name);
        FwFlat *flat = NULL;

        assert_int_equal(fw_flat_verify(source, closure, NULL), 0);
        assert_int_equal(fw_flat_new(source, closure, part, &flat), 0);
        return flat;
}

static void assert_flat(const FwSource *source, const char *name, FwSetPart part,
                        const Model *model)
{
        g_autoptr(FwFlat) flat = flat_of(source, name, part);
        g_autoptr(GArray) spans = model_spans(model, part);
        size_t numbers = 0;
        FwSpan span;

        for (unsigned i = 0; i < spans->len; i++) {
                const FwSpan *wanted = &g_array_index(spans, FwSpan, i);

                assert_int_equal(fw_flat_next(flat, &span), 1);
                assert_true(span.lo == wanted->lo && span.hi == wanted->hi);
                numbers += (size_t) (span.hi - span.lo) + 1;
        }
        assert_int_equal(fw_flat_next(flat, &span), 0);
        assert_int_equal(fw_flat_next(flat, &span), 0);
        assert_int_equal(fw_flat_spans(flat), spans->len);
        assert_int_equal(fw_flat_numbers(flat), numbers);
}

/* Applies a comparison to what was before. */
typedef struct Apply {
        FwSetPart part;
        bool spans, adding;
        Model model;
        const Model *after;
        FwNumber last[2]; /* of what leaves, and what enters */
        bool any[2];
} Apply;

static void apply(const FwSpan *span, bool added, void *userdata)
{
        Apply *it = userdata;
        FwNumber top = fw_number_max(fw_part_key_len(it->part));

        assert_true(span->lo <= span->hi);
        assert_true(!it->any[added] || span->lo > it->last[added]);
        it->any[added] = true;
        it->last[added] = span->hi;
        if (added != it->adding)
                return;
        for (FwNumber number = span->lo;; number++) {
                unsigned bit = number < MODEL_HALF ? (unsigned) number
                                                   : MODEL_SIZE - 1 - (unsigned) (top - number);

                /* What leaves was there, and what enters was not: also for whole spans, since all
                 * that leave do so before. */
                assert_true(bit < MODEL_SIZE && it->model.bits[bit] != added);
                assert_true(it->spans || it->after->bits[bit] == added);
                it->model.bits[bit] = added;
                if (number == span->hi)
                        break;
        }
}

static void assert_compare(const FwSource *before, const FwSource *after, const char *name,
                           FwSetPart part, bool spans, const Model *model_before,
                           const Model *model_after)
{
        Apply it = {.part = part, .spans = spans, .model = *model_before, .after = model_after};

        for (unsigned pass = 0; pass < 2; pass++) {
                g_autoptr(FwFlat) old = flat_of(before, name, part);
                g_autoptr(FwFlat) new = flat_of(after, name, part);

                it.adding = pass == 1;
                memset(it.any, 0, sizeof(it.any));
                assert_int_equal(fw_flat_compare(old, new, spans, apply, &it), 0);
        }
        assert_memory_equal(&it.model, model_after, sizeof(*model_after));
}

static void test_random(void **state)
{
        for (uint32_t seed = 1; seed <= 120; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                int type = (int) (seed % FW_ALIAS_TYPE_MAX);
                Model own[2][MODEL_ALIASES][FW_SET_PART_MAX];
                g_autoptr(PtSlice) before = random_slice(*state, rand, type, own[0]);
                g_autoptr(PtSlice) after = random_slice(*state, rand, type, own[1]);
                FwSource sources[2] = {{before, *state}, {after, *state}};

                for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++)
                        for (unsigned i = 0; i < MODEL_ALIASES; i++) {
                                g_autofree char *name = g_strdup_printf("alias-%u", i);
                                Model models[2];

                                if (!fw_part_of_type(part, (FwAliasType) type))
                                        continue;
                                model_flatten(before, name, own[0], part, &models[0]);
                                model_flatten(after, name, own[1], part, &models[1]);
                                assert_flat(&sources[0], name, part, &models[0]);
                                for (unsigned spans = 0; spans < 2; spans++)
                                        assert_compare(&sources[0], &sources[1], name, part,
                                                       spans == 1, &models[0], &models[1]);
                        }
        }
}

static void put_alias(PtSlice *slice, const char *name, const char *spec)
{
        g_autofree char *text =
                g_strdup_printf("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\","
                                "\"metadata\":{\"name\":\"%s\"},\"spec\":%s}",
                                name, spec);

        fw_put(slice, text);
}

static void count(const FwSpan *span, bool added, void *userdata)
{
        ++((unsigned *) userdata)[added];
}

/* All there is, and a network that grows by one at its end: the one leaves, the other enters. */
static void test_bounds(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        FwSource source = {slice, *state};
        g_autoptr(FwFlat) all4 = NULL, all6 = NULL, a = NULL, b = NULL;
        unsigned n[2] = {0};
        FwSpan span;

        put_alias(slice, "all",
                  "{\"type\":\"network\",\"addresses\":[\"0.0.0.0/1\",\"128.0.0.0/1\",\"::/0\"]}");
        all4 = flat_of(&source, "all", FW_SET_IPV4);
        assert_int_equal(fw_flat_next(all4, &span), 1);
        assert_true(span.lo == 0 && span.hi == UINT32_MAX);
        assert_int_equal(fw_flat_next(all4, &span), 0);
        all6 = flat_of(&source, "all", FW_SET_IPV6);
        assert_int_equal(fw_flat_next(all6, &span), 1);
        assert_true(span.lo == 0 && span.hi == ~(FwNumber) 0);
        assert_int_equal(fw_flat_next(all6, &span), 0);

        put_alias(slice, "a", "{\"type\":\"network\",\"addresses\":[\"10.0.0.0-10.0.0.5\"]}");
        put_alias(slice, "b",
                  "{\"type\":\"network\",\"addresses\":[\"10.0.0.0-10.0.0.5\",\"10.0.0.6\"]}");
        a = flat_of(&source, "a", FW_SET_IPV4);
        b = flat_of(&source, "b", FW_SET_IPV4);
        assert_int_equal(fw_flat_compare(a, b, true, count, n), 0);
        assert_int_equal(n[0], 1);
        assert_int_equal(n[1], 1);
}

static void assert_refused(const FwSource *source, const char *name, int error, const char *code)
{
        g_autoptr(GPtrArray) closure = fw_flat_closure(source->slice, name);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        assert_int_equal(fw_flat_verify(source, closure, diag), error);
        assert_int_equal(pt_diag_count(diag), 1);
        assert_string_equal(pt_diag_get(diag, 0)->code, code);
        assert_string_equal(pt_diag_get(diag, 0)->subject, "Alias/inner");
        assert_string_equal(pt_diag_get(diag, 0)->pointer, "/spec/dataset");
}

/* A dataset that is gone or not what it was is named, whoever includes it. */
static void test_datasets_checked(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        FwSource source = {slice, *state};
        g_autofree char *spec = NULL, *path = NULL;
        char hex[65];

        unit_dataset_put(*state, "192.0.2.1\n192.0.2.3\n", hex);
        spec = g_strdup_printf("{\"type\":\"host\",\"dataset\":\"%s\"}", hex);
        put_alias(slice, "inner", spec);
        put_alias(slice, "outer", "{\"type\":\"host\",\"aliases\":[\"inner\"]}");
        path = g_build_filename(*state, PT_DATASET_FOLDER, hex, NULL);
        {
                pt_auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

                assert_true(fd >= 0);
                assert_int_equal(pwrite(fd, "\x02", 1, 64 + 3), 1);
        }
        assert_refused(&source, "outer", -EBADMSG, "dataset-broken");
        assert_int_equal(unlink(path), 0);
        assert_refused(&source, "outer", -ENOENT, "dataset-missing");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_random, unit_dataset_setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_bounds, unit_dataset_setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_datasets_checked, unit_dataset_setup,
                                                unit_store_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
