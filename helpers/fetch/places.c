/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Networks of countries, continents and autonomous systems, from files of MaxMind's format
 * (https://maxmind.github.io/MaxMind-DB/): a binary tree over the bits of an address. It is walked
 * with a stack of our own, and what a damaged file could make of it is limited.
 */

#include "reply.h"

#include <maxminddb.h>
#include <string.h>

/* The tree of the largest public database has four million nodes. */
#define NODES_MAX (64U * 1024U * 1024U)
#define BITS_MAX 128U

typedef struct Place {
        uint64_t node; /* or 0 */
        unsigned bits;
        uint8_t address[16];
} Place;

typedef struct Search {
        const Work *work;
        const char *path;
        MMDB_s db;
        PtDatasetBuilder *builder;
        GHashTable *verdicts; /* offset of a record's data -> 1: no, 2: yes */
        GHashTable *seen;     /* codes of countries that the database has */
        bool asns;
        uint64_t nodes;
        uint32_t ipv4; /* the node where IPv4 begins in a tree of IPv6 */
        bool has_ipv4;
} Search;

static char *text_at(MMDB_entry_s *entry, const char *const *path)
{
        MMDB_entry_data_s data;

        if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
            data.type != MMDB_DATA_TYPE_UTF8_STRING)
                return NULL;
        return g_strndup(data.utf8_string, MIN(data.data_size, 64));
}

static bool lists_text(const PtList *list, const char *text)
{
        for (unsigned i = 0; i < list->n; i++)
                if (strcmp(((char *const *) list->items)[i], text) == 0)
                        return true;
        return false;
}

static bool lists_continent(const PtList *list, const char *code)
{
        for (unsigned i = 0; i < list->n; i++)
                if (strcmp(fw_continents[((const int *) list->items)[i]].name, code) == 0)
                        return true;
        return false;
}

static bool is_asn(const Search *search, MMDB_entry_s *entry)
{
        static const char *const path[] = {"autonomous_system_number", NULL};
        const PtList *asns = &fw_alias_box(search->work->alias)->asns;
        MMDB_entry_data_s data;

        if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
            data.type != MMDB_DATA_TYPE_UINT32)
                return false;
        for (unsigned i = 0; i < asns->n; i++)
                if (((const uint32_t *) asns->items)[i] == data.uint32)
                        return true;
        return false;
}

/* Of a country or a continent that is asked for; with `invert`, of another one. */
static bool is_place(const Search *search, MMDB_entry_s *entry)
{
        static const char *const country_path[] = {"country", "iso_code", NULL};
        static const char *const continent_path[] = {"continent", "code", NULL};
        const FwAliasBox *box = fw_alias_box(search->work->alias);
        g_autofree char *country = text_at(entry, country_path);
        g_autofree char *continent = text_at(entry, continent_path);
        bool in = (country && lists_text(&box->countries, country)) ||
                  (continent && lists_continent(&box->continents, continent));

        if (country)
                g_hash_table_add(search->seen, g_strdup(country));
        return box->invert ? !in && country : in;
}

/* Records share their data: each of these is looked at once. */
static bool wanted(Search *search, MMDB_entry_s *entry)
{
        gpointer key = GUINT_TO_POINTER(entry->offset + 1);
        unsigned verdict = GPOINTER_TO_UINT(g_hash_table_lookup(search->verdicts, key));

        if (verdict == 0) {
                verdict = (search->asns ? is_asn(search, entry) : is_place(search, entry)) ? 2 : 1;
                g_hash_table_insert(search->verdicts, key, GUINT_TO_POINTER(verdict));
        }
        return verdict == 2;
}

/* 64 bits of zero and more before the 32 of IPv4, which is how a tree of IPv6 has them. */
static bool is_ipv4(const Search *search, const Place *place)
{
        static const uint8_t zero[12];

        return search->db.metadata.ip_version == 6 && place->bits >= 96 &&
               memcmp(place->address, zero, sizeof(zero)) == 0;
}

static int add_network(Search *search, const Place *place)
{
        bool four = search->db.metadata.ip_version == 4 || is_ipv4(search, place);
        unsigned skip = is_ipv4(search, place) ? 12 : 0, bits = place->bits - 8 * skip;
        size_t size = four ? 4 : 16;
        PtAddressRange range = {.family = four ? AF_INET : AF_INET6, .plen = (uint8_t) bits};

        memcpy(range.lo, place->address + skip, size);
        memcpy(range.hi, range.lo, size);
        for (unsigned bit = bits; bit < 8 * size; bit++)
                range.hi[bit / 8] |= (uint8_t) (0x80 >> bit % 8);
        return pt_dataset_builder_add(search->builder, &range);
}

static int visit_record(Search *search, const Place *place, unsigned bit, uint64_t record,
                        uint8_t type, MMDB_entry_s *entry, GArray *stack)
{
        Place child = {.bits = place->bits + 1};

        memcpy(child.address, place->address, sizeof(child.address));
        if (bit)
                child.address[place->bits / 8] |= (uint8_t) (0x80 >> place->bits % 8);
        switch (type) {
        case MMDB_RECORD_TYPE_SEARCH_NODE:
                /* 6to4, Teredo and mapped addresses lead to the nodes of IPv4 again. */
                if (search->has_ipv4 && record == search->ipv4 && !is_ipv4(search, &child))
                        return 0;
                child.node = record;
                if (child.bits >= BITS_MAX)
                        return -EBADMSG;
                g_array_append_val(stack, child);
                return 0;
        case MMDB_RECORD_TYPE_DATA:
                return wanted(search, entry) ? add_network(search, &child) : 0;
        case MMDB_RECORD_TYPE_EMPTY:
                return 0;
        default:
                return -EBADMSG;
        }
}

static int walk(Search *search)
{
        g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(Place));
        unsigned bits = search->db.metadata.ip_version == 4 ? 32 : BITS_MAX;
        Place root = {0};
        int r = 0;

        g_array_append_val(stack, root);
        while (r >= 0 && stack->len > 0) {
                Place place = g_array_index(stack, Place, stack->len - 1);
                MMDB_search_node_s node;

                g_array_set_size(stack, stack->len - 1);
                if (++search->nodes > NODES_MAX || place.bits >= bits ||
                    MMDB_read_node(&search->db, (uint32_t) place.node, &node) != MMDB_SUCCESS)
                        return -EBADMSG;
                r = visit_record(search, &place, 0, node.left_record, node.left_record_type,
                                 &node.left_record_entry, stack);
                if (r >= 0)
                        r = visit_record(search, &place, 1, node.right_record,
                                         node.right_record_type, &node.right_record_entry, stack);
        }
        return r;
}

static void find_ipv4(Search *search)
{
        uint32_t node = 0;
        MMDB_search_node_s read;

        if (search->db.metadata.ip_version != 6)
                return;
        for (unsigned i = 0; i < 96; i++) {
                if (MMDB_read_node(&search->db, node, &read) != MMDB_SUCCESS ||
                    read.left_record_type != MMDB_RECORD_TYPE_SEARCH_NODE)
                        return;
                node = (uint32_t) read.left_record;
        }
        search->ipv4 = node;
        search->has_ipv4 = true;
}

/* > 0: it failed, and was said. */
static int read_database(Search *search)
{
        int status = MMDB_open(search->path, MMDB_MODE_MMAP, &search->db), r;

        if (status != MMDB_SUCCESS) {
                r = work_fail(search->work, "the database %s cannot be read: %s", search->path,
                              MMDB_strerror(status));
                return r < 0 ? r : 1;
        }
        find_ipv4(search);
        r = walk(search);
        MMDB_close(&search->db);
        if (r == -EFBIG)
                r = work_fail(search->work,
                              "they are more than %u networks; divide them among "
                              "several aliases",
                              PT_DATASET_ENTRIES_MAX);
        else if (r < 0)
                r = work_fail(search->work, "the database %s is damaged", search->path);
        else
                return 0;
        return r < 0 ? r : 1;
}

/* Countries that the database does not know: most likely a slip. */
static void tell_unknown(const Search *search, PtDiagnostics *diag)
{
        const PtList *countries = &fw_alias_box(search->work->alias)->countries;

        for (unsigned i = 0; i < countries->n; i++) {
                const char *code = ((char *const *) countries->items)[i];

                if (g_hash_table_contains(search->seen, code))
                        continue;
                pt_diag_set_subject(diag, "countries");
                pt_diag_error(diag, "unknown-country", NULL,
                              "%s has no network in the database %s; look the code up in ISO 3166",
                              code, search->path);
        }
}

int work_find_places(const Work *work)
{
        const FwAliasBox *box = fw_alias_box(work->alias);
        g_autoptr(PtDatasetBuilder) builder = pt_dataset_builder_new(PT_DATASET_ADDRESSES);
        g_autoptr(GHashTable) verdicts = g_hash_table_new(NULL, NULL);
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        Search search = {.work = work, .builder = builder, .verdicts = verdicts, .seen = seen};
        FwFetchLine end = {.present = UINT64_C(1) << FW_LINE_PROBLEMS};
        int r = 0;

        if (box->countries.n > 0 || box->continents.n > 0) {
                search.path = work->request.database ?: "";
                r = read_database(&search);
                if (r == 0)
                        tell_unknown(&search, diag);
        }
        if (r == 0 && box->asns.n > 0) {
                g_hash_table_remove_all(verdicts);
                search.path = work->request.asn_database ?: "";
                search.asns = true;
                search.has_ipv4 = false;
                search.nodes = 0;
                r = read_database(&search);
        }
        if (r != 0)
                return MIN(r, 0);
        end.problems = (uint32_t) pt_diag_count(diag);
        return work_finish(work, builder, diag, &end);
}
