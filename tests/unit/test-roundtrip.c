/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Random objects of every kind, made from the tables: whatever way an object goes out, it comes
 * back the same. */

#include "bus-message.h"
#include "kind-unit.h"

#include "kind/describe.h"
#include "kind/field.h"
#include "kind/vardict.h"
#include "kind/yaml.h"

#define OBJECTS 200 /* of each kind */
#define TRIES 20000 /* to make them: most contradict themselves */
#define SEED 20250101

#define pt_auto_message __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message

static const char *one_of(GRand *rand, const char *const *words)
{
        return words[g_rand_int_range(rand, 0, (gint32) g_strv_length((char **) words))];
}

/* A text that the type takes. */
static char *random_text(const PtField *field, GRand *rand)
{
        static const char *const names[] = {"a",       "on",   "1e3", "2001-12-14", "null", "0x1f",
                                            "a.b_c-d", "true", "7",   "router",     NULL};
        static const char *const ifnames[] = {"eth0", "vlan*", "y",   "1.5", "no", "0x10*",
                                              "~x",   "#a",    "a@b", "-",   "+1", NULL};
        static const char *const strings[] = {"",   " ",  "a: b", "#x",   "ä€😀",      "'",
                                              "\"", "\\", "- x",  "null", "\xc2\xa0", NULL};
        static const char *const icmp_types[] = {"echo-request", "redirect/1", "packet-too-big",
                                                 NULL};
        static const char *const rate_units[] = {"second", "minute", "hour", "day", NULL};
        static const char *const time_zones[] = {"", "Z", ":30Z", "+01:00", "-09:30", NULL};
        uint32_t a = g_rand_int(rand), b = g_rand_int(rand);
        unsigned bits = (unsigned) g_rand_int_range(rand, 0, 33);

        if (field->type == &pt_type_bool)
                return g_strdup(a & 1 ? "true" : "false");
        if (field->type == &pt_type_u8 || field->type == &pt_type_u16 ||
            field->type == &pt_type_u32) {
                int64_t max = field->max ? field->max : (INT64_C(1) << (8 * field->type->size)) - 1;

                return g_strdup_printf("%" PRId64, field->min + a % (max - field->min + 1));
        }
        if (field->type == &pt_type_enum) {
                unsigned n = 0;

                while (field->choices[n].name)
                        n++;
                return g_strdup(field->choices[a % n].name);
        }
        if (field->type == &pt_type_protocol)
                return g_strdup_printf("%u", a % 256);
        if (field->type == &pt_type_ref || field->type == &pt_type_name)
                return g_strdup(one_of(rand, names));
        if (field->type == &pt_type_ifname)
                return g_strdup(one_of(rand, ifnames));
        if (field->type == &pt_type_string && field->min == 2 && field->max == 2)
                return g_strdup_printf("%c%c", 'A' + a % 26, 'A' + b % 26); /* a country */
        if (field->type == &pt_type_address_range && strcmp(field->name, "suffix") == 0)
                return g_strdup_printf("::%x:%x", a & 0xffff, 1 + (b & 0xff));
        if (field->type == &pt_type_string)
                return g_strdup(one_of(rand, strings));
        if (field->type == &pt_type_port_range || field->type == &pt_type_length_range)
                return a & 1 ? g_strdup_printf("%u", 1 + b % 65535)
                             : g_strdup_printf("%u-%u", 1 + b % 1000, 1001 + b % 60000);
        if (field->type == &pt_type_prefix || field->type == &pt_type_address_range) {
                uint32_t mask;

                /* Many rows take single addresses alone. */
                if (field->type == &pt_type_address_range && (b & 1))
                        bits = 32;
                mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
                a &= mask;
                return g_strdup_printf("%u.%u.%u.%u/%u", a >> 24, a >> 16 & 255, a >> 8 & 255,
                                       a & 255, bits);
        }
        if (field->type == &pt_type_mac)
                return g_strdup_printf("02:00:%02x:%02x:%02x:%02x", a & 255, a >> 8 & 255, b & 255,
                                       b >> 8 & 255);
        if (field->type == &pt_type_mac_mask)
                return g_strdup_printf("02:00:%02x:%02x:%02x:%02x", a & 255, a >> 8 & 255, b & 255,
                                       b >> 8 & 255);
        if (field->type == &pt_type_ether_type)
                return a & 1 ? g_strdup_printf("0x%04x", 0x600 + b % 0xf000) : g_strdup("ipv4");
        if (field->type == &pt_type_arp_operation)
                return g_strdup_printf("%u", 1 + b % 65535);
        if (field->type == &pt_type_vlan_range)
                return a & 1 ? g_strdup_printf("%u", 1 + b % 4094)
                             : g_strdup_printf("%u-%u", 1 + b % 1000, 1001 + b % 3000);
        if (field->type == &pt_type_icmp_type)
                return a & 1 ? g_strdup_printf("%u/%u", b % 256, b >> 8 & 255)
                             : g_strdup(one_of(rand, icmp_types));
        if (field->type == &pt_type_mark)
                return g_strdup_printf("0x%x/0x%x", a & b, b);
        if (field->type == &pt_type_rate)
                return g_strdup_printf("%u/%s", 1 + a % 1000000, one_of(rand, rate_units));
        if (field->type == &pt_type_time)
                return g_strdup_printf("%02u:%02u", a % 24, b % 60);
        if (field->type == &pt_type_dates)
                return a & 1 ? g_strdup_printf("%02u-%02u", 1 + a / 2 % 12, 1 + b % 28)
                             : g_strdup_printf("%04u-%02u-%02u", 1970 + a % 8000, 1 + b % 12,
                                               1 + b / 16 % 28);
        if (field->type == &pt_type_moment)
                return g_strdup_printf("%04u-%02u-%02uT%02u:%02u%s", 1970 + a % 8000, 1 + b % 12,
                                       1 + b / 16 % 28, a / 16 % 24, b / 64 % 60,
                                       one_of(rand, time_zones));
        if (field->type == &pt_type_dataset)
                return g_strdup_printf("%08x%08x%048x", a, b, a);
        if (field->type == &pt_type_fqdn)
                return g_strdup_printf("h%u.example", a % 1000);
        if (field->type == &pt_type_url)
                return g_strdup_printf("https://h%u.example/%u?a=b", a % 1000, b);
        if (field->type == &pt_type_duration)
                return g_strdup_printf("%uh%um", 1 + a % 100, 1 + b % 100);
        fail_msg("the test has no texts for the type %s", field->type->name);
        return NULL;
}

static void random_structs(const PtField *field, unsigned n, GRand *rand, struct json_object *spec);

static void random_fields(const PtField *root, const PtField *fields, const char *before,
                          GRand *rand, struct json_object *spec)
{
        for (const PtField *field = fields; field->name; field++) {
                g_autofree char *path = g_strconcat(before, field->name, NULL);
                g_autoptr(GString) assignment = g_string_new(NULL);
                unsigned n =
                        (field->flags & PT_F_LIST) ? (unsigned) g_rand_int_range(rand, 1, 5) : 1;

                /* Few at a time: the more there are, the likelier two of them contradict. */
                if (!(field->flags & PT_F_REQUIRED) && g_rand_int_range(rand, 0, 4) > 0)
                        continue;
                if (pt_field_items(field)) {
                        random_structs(field, n, rand, spec);
                        continue;
                }
                if (field->fields) {
                        g_autofree char *inside = g_strconcat(path, ".", NULL);

                        random_fields(root, field->fields, inside, rand, spec);
                        continue;
                }
                g_string_printf(assignment, "%s=", path);
                for (unsigned i = 0; i < n; i++) {
                        g_autofree char *text = random_text(field, rand);

                        g_string_append_printf(assignment, "%s%s", i > 0 ? "," : "", text);
                }
                /* Refused when a list has something twice: then the field stays away. */
                (void) pt_fields_set_text(root, assignment->str, NULL, spec);
        }
}

/* Of rows that stand in no struct but the object's own. */
static void random_structs(const PtField *field, unsigned n, GRand *rand, struct json_object *spec)
{
        struct json_object *array = json_object_new_array();

        for (unsigned i = 0; i < n; i++) {
                struct json_object *item = json_object_new_object();

                random_fields(field->fields, field->fields, "", rand, item);
                json_object_array_add(array, item);
        }
        json_object_object_add(spec, field->name, array);
}

static PtObject *random_object(const PtKind *kind, unsigned number, GRand *rand)
{
        pt_auto_json *json = json_object_new_object();
        struct json_object *metadata = json_object_new_object(), *spec = json_object_new_object();
        g_autofree char *name =
                kind->singleton ? g_strdup("default") : g_strdup_printf("object-%u", number);
        PtObject *object = NULL;

        json_object_object_add(json, "apiVersion", json_object_new_string(kind->api_version));
        json_object_object_add(json, "kind", json_object_new_string(kind->name));
        json_object_object_add(json, "metadata", metadata);
        json_object_object_add(json, "spec", spec);
        json_object_object_add(metadata, "name", json_object_new_string(name));
        if (kind->ordered && g_rand_boolean(rand))
                json_object_object_add(metadata, "position", json_object_new_int64(1 + number));
        if (g_rand_int_range(rand, 0, 4) == 0)
                json_object_object_add(metadata, "description",
                                       json_object_new_string("a: #\"b\" \\ 'c' – ü"));
        random_fields(kind->fields, kind->fields, "", rand, spec);
        /* Some are refused, since the tables know nothing of the rules across fields. */
        return pt_object_from_json(json, 0, NULL, &object) < 0 ? NULL : object;
}

static char *canonical(const PtObject *object)
{
        GString *out = g_string_new(NULL);

        pt_object_to_canonical(object, out);
        return g_string_free(out, FALSE);
}

static int keep(PtObject *object, void *userdata)
{
        PtObject **kept = userdata;

        assert_null(*kept);
        *kept = object;
        return 0;
}

static void check_object(const PtObject *object, UnitBus *bus)
{
        g_autofree char *text = canonical(object);
        g_autoptr(PtObject) by_line = NULL, by_yaml = NULL, by_bus = NULL,
                            copy = pt_object_copy(object, NULL);
        g_autoptr(GPtrArray) changes = pt_object_diff(object, copy, true);
        g_autoptr(GString) yaml = g_string_new(NULL);
        pt_auto_message *m = unit_bus_message(bus);
        pt_auto_json *json = NULL;

        assert_int_equal(pt_object_from_canonical(text, strlen(text), NULL, &by_line), 0);
        pt_object_to_yaml(object, true, yaml);
        assert_int_equal(pt_yaml_read("x", yaml->str, yaml->len, 0, NULL, keep, &by_yaml), 0);
        assert_int_equal(pt_object_append(object, true, m), 0);
        unit_bus_turn(m);
        assert_int_equal(pt_vardict_read(m, PT_JSON_DEPTH_MAX, &json), 0);
        assert_int_equal(pt_object_from_json(json, 0, NULL, &by_bus), 0);
        assert_int_equal(changes->len, 0);

        {
                const PtObject *others[] = {by_line, by_yaml, by_bus, copy};

                for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
                        g_autofree char *other = canonical(others[i]);

                        assert_string_equal(other, text);
                }
        }
}

static void test_round_trips(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(SEED);

        for (const PtKind *const *kind = pt_kinds(); *kind; kind++) {
                unsigned accepted = 0;

                for (unsigned i = 0; i < TRIES && accepted < OBJECTS; i++) {
                        g_autoptr(PtObject) object = random_object(*kind, i, rand);

                        if (!object)
                                continue;
                        check_object(object, *state);
                        accepted++;
                }
                assert_true(accepted > OBJECTS / 10);
        }
}

/* A struct that cannot be without one of its members goes as a whole. */
static bool goes_whole(const PtKind *kind, const char *name, struct json_object *wanted)
{
        const PtField *field = pt_kind_find_field(kind, name);

        if (json_object_object_get_ex(json_object_object_get(wanted, "spec"), name, NULL))
                return false;
        for (const PtField *row = pt_field_nested(field); row && row->name; row++)
                if (row->flags & PT_F_REQUIRED)
                        return true;
        return false;
}

/* From one object to another by the patch that their difference is. */
static void test_patches(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(SEED + 1);
        unsigned patched = 0;

        (void) state;
        for (unsigned i = 0; i < TRIES && patched < OBJECTS; i++) {
                g_autoptr(PtObject) before = random_object(&pt_kind_firewall_rule, 1, rand),
                                    after = NULL;
                g_autoptr(PtObject) wanted = random_object(&pt_kind_firewall_rule, 1, rand);
                g_autoptr(GPtrArray) changes = NULL, left = NULL;
                pt_auto_json *json = NULL, *patch = NULL, *aim = NULL;

                if (!before || !wanted)
                        continue;
                changes = pt_object_diff(before, wanted, true);
                json = pt_object_to_json(before, true);
                aim = pt_object_to_json(wanted, true);
                patch = json_object_new_object();
                for (guint j = 0; j < changes->len; j++) {
                        const PtChange *change = changes->pdata[j];
                        g_auto(GStrv) words = NULL;
                        g_autofree char *path = NULL, *assignment = NULL;

                        if (!g_str_has_prefix(change->pointer, "/spec/"))
                                continue;
                        words = g_strsplit(change->pointer + strlen("/spec/"), "/", -1);
                        path = goes_whole(&pt_kind_firewall_rule, words[0], aim)
                                       ? g_strdup(words[0])
                                       : g_strjoinv(".", words);
                        assignment =
                                g_strconcat(path, "=", change->after ? change->after : "", NULL);
                        if (change->after &&
                            change->after[0] == '"') { /* a word that YAML quotes */
                                g_free(assignment);
                                assignment = g_strconcat(path, "=", change->after + 1, NULL);
                                assignment[strlen(assignment) - 1] = '\0';
                        }
                        assert_int_equal(pt_fields_set_text(pt_kind_firewall_rule.fields,
                                                            assignment, NULL, patch),
                                         0);
                }
                pt_json_merge(json_object_object_get(json, "spec"), patch);
                assert_int_equal(pt_object_from_json(json, 0, NULL, &after), 0);
                left = pt_object_diff(after, wanted, true);
                for (guint j = 0; j < left->len; j++)
                        assert_true(g_str_has_prefix(((PtChange *) left->pdata[j])->pointer,
                                                     "/metadata/"));
                patched++;
        }
        assert_true(patched > 5);
}

static int open_bus(void **state)
{
        *state = g_new0(UnitBus, 1);
        unit_bus_open(*state);
        return 0;
}

static int close_bus(void **state)
{
        unit_bus_close(*state);
        g_free(*state);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trips),
                cmocka_unit_test(test_patches),
        };

        return cmocka_run_group_tests(tests, open_bus, close_bus);
}
