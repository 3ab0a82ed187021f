/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "log.h"

#include "base/log.h"
#include "base/marks.h"
#include "base/messages.h"
#include "filter/zones.h"
#include "netlink/nflog.h"

#include <linux/netfilter.h>
#include <string.h>
#include <time.h>

/* Another program may stop to read the group. */
#define RETRY_USEC (5 * G_USEC_PER_SEC)
/* Interfaces come and go, and get other names. */
#define NAMES_USEC G_USEC_PER_SEC
#define NAMES_MAX 1024U

struct FwLog {
        sd_event *event;
        int netns_fd;
        FwEngine *engine;
        FwLogRules *rules;
        PtNflog *nflog;
        sd_event_source *retry;
        bool told; /* that another program has the group */

        FwLogRecord *kept; /* FW_LOG_KEPT, by number */
        uint64_t end;
        uint64_t packets, lost, unwritten;

        GHashTable *names; /* index of an interface -> name */
        uint64_t names_usec;

        double tokens; /* for the journal */
        uint64_t tokens_usec;
        uint64_t held_back; /* since the journal last got one */

        void (*added)(void *userdata);
        void *userdata;
        sd_event_source *tell;
};

static uint64_t now_usec(clockid_t clock)
{
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static const char *name_of(FwLog *log, uint32_t index)
{
        uint64_t now = now_usec(CLOCK_MONOTONIC);
        char name[IF_NAMESIZE];
        const char *known;

        if (index == 0)
                return "";
        if (now - log->names_usec > NAMES_USEC || g_hash_table_size(log->names) >= NAMES_MAX) {
                g_hash_table_remove_all(log->names);
                log->names_usec = now;
        }
        known = g_hash_table_lookup(log->names, GUINT_TO_POINTER(index));
        if (known)
                return known;
        /* One that is gone already has a number only. */
        if (!if_indextoname(index, name))
                g_snprintf(name, sizeof(name), "#%u", index);
        g_hash_table_insert(log->names, GUINT_TO_POINTER(index), g_strdup(name));
        return g_hash_table_lookup(log->names, GUINT_TO_POINTER(index));
}

/* Zones are those of the ruleset in force: they are looked up when the packet is read, a moment
 * after it passed. */

static const FwZone *zone_of(const FwZones *zones, const FwLogRecord *record,
                             const uint8_t *address, const char *interface)
{
        return fw_zones_find(zones, record->headers.family, record->has_headers ? address : NULL,
                             interface);
}

static void set_zones(FwLog *log, uint8_t hook, FwLogRecord *record)
{
        const FwLayout *layout = fw_engine_layout(log->engine);
        const FwZone *from = NULL, *to = NULL;
        const FwZones *zones;

        if (!layout)
                return;
        zones = layout->zones;
        if (hook == NF_INET_LOCAL_OUT)
                from = &zones->router;
        else if (*record->in)
                from = zone_of(zones, record, record->headers.source, record->in);
        if (hook == NF_INET_LOCAL_IN)
                to = &zones->router;
        else if (*record->out)
                to = zone_of(zones, record, record->headers.destination, record->out);
        if (from)
                record->from = g_ref_string_new_intern(from->name);
        if (to)
                record->to = g_ref_string_new_intern(to->name);
        if (record->reason == FW_REASON_DEFAULT && from && to)
                record->verdict = fw_zones_default(zones, from, to);
}

/* Zones are of IP, and a frame has ports. The header is left out of what has none; what follows the
 * tag is the type in any case. */
static void set_frame(const PtNflogPacket *packet, FwLogRecord *record)
{
        record->bridge = packet->link != NULL;
        if (!packet->link)
                return;
        record->has_mac = true;
        memcpy(record->destination_mac, packet->link, sizeof(record->destination_mac));
        memcpy(record->mac, packet->link + sizeof(record->destination_mac), sizeof(record->mac));
        record->ether_type = packet->ethertype;
        record->tagged = packet->vlan_type != 0;
        record->vlan = packet->vlan;
}

/* The journal. */

static bool take_token(FwLog *log)
{
        uint64_t now = now_usec(CLOCK_MONOTONIC);

        log->tokens += (double) (now - log->tokens_usec) * FW_LOG_JOURNAL_SECOND / G_USEC_PER_SEC;
        log->tokens = MIN(log->tokens, FW_LOG_JOURNAL_BURST);
        log->tokens_usec = now;
        if (log->tokens < 1)
                return false;
        log->tokens -= 1;
        return true;
}

static void field(GPtrArray *fields, const char *name, const char *value)
{
        if (value && *value)
                g_ptr_array_add(fields, g_strdup_printf("PATRONUS_%s=%s", name, value));
}

/* Members of the line under names of their own, so that journalctl can ask for each. */
static void add_fields(const FwLogRecord *record, GPtrArray *fields)
{
        static const struct {
                const char *member, *name;
        } members[] = {
                {"verdict", "VERDICT"},
                {"reason", "REASON"},
                {"from", "FROM"},
                {"to", "TO"},
                {"in", "IN"},
                {"out", "OUT"},
                {"family", "FAMILY"},
                {"protocol", "PROTOCOL"},
                {"source", "SOURCE"},
                {"sourcePort", "SOURCE_PORT"},
                {"destination", "DESTINATION"},
                {"destinationPort", "DESTINATION_PORT"},
                {"icmpType", "ICMP_TYPE"},
                {"icmpCode", "ICMP_CODE"},
                {"flags", "TCP_FLAGS"},
                {"length", "LENGTH"},
                {"mac", "MAC"},
                {"destinationMac", "DESTINATION_MAC"},
                {"etherType", "ETHER_TYPE"},
                {"vlan", "VLAN"},
                {"mark", "MARK"},
        };
        static const char *const of_rule[][2] = {{"kind", "KIND"},
                                                 {"name", "NAME"},
                                                 {"uid", "RULE_UID"},
                                                 {"generation", "RULE_GENERATION"},
                                                 {"text", "RULE_TEXT"}};
        g_autoptr(GString) line = g_string_new(NULL);
        pt_auto_json *json = NULL;
        struct json_object *value, *rule;

        fw_log_record_to_json(record, line);
        json = json_tokener_parse(line->str);
        for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
                if (json_object_object_get_ex(json, members[i].member, &value))
                        field(fields, members[i].name, json_object_get_string(value));
        if (!json_object_object_get_ex(json, "rule", &rule))
                return;
        for (size_t i = 0; i < G_N_ELEMENTS(of_rule); i++)
                if (json_object_object_get_ex(rule, of_rule[i][0], &value))
                        field(fields, of_rule[i][1], json_object_get_string(value));
}

static void to_journal(FwLog *log, const FwLogRecord *record)
{
        g_autoptr(GPtrArray) fields = NULL;
        g_autoptr(GString) text = NULL;

        if (LOG_INFO > pt_log_level())
                return;
        if (!take_token(log)) {
                log->unwritten++;
                log->held_back++;
                return;
        }
        if (log->held_back > 0)
                pt_log_fields(LOG_NOTICE, (const char *[]){PT_MESSAGE_LOG_HELD_BACK, NULL},
                              "%" PRIu64 " logged packets are not here: they came too fast",
                              log->held_back);
        log->held_back = 0;
        fields = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(fields, g_strdup(PT_MESSAGE_PACKET));
        add_fields(record, fields);
        g_ptr_array_add(fields, NULL);
        text = g_string_new(NULL);
        fw_log_record_to_text(record, text);
        pt_log_fields(LOG_INFO, (const char *const *) fields->pdata, "%s", text->str);
}

/* What comes. */

static int tell_added(sd_event_source *source, void *userdata)
{
        FwLog *log = userdata;

        if (log->added)
                log->added(log->userdata);
        return 0;
}

static FwLogRecord *add_record(FwLog *log)
{
        FwLogRecord *record = &log->kept[log->end++ % FW_LOG_KEPT];

        fw_log_record_done(record);
        *record = (FwLogRecord){.verdict = FW_ACTION_INVALID, .reason = FW_REASON_INVALID_NAME};
        (void) sd_event_source_set_enabled(log->tell, SD_EVENT_ONESHOT);
        return record;
}

static void logged(const PtNflogPacket *packet, void *userdata)
{
        FwLog *log = userdata;
        FwLogRecord *record = add_record(log);

        log->packets++;
        (void) fw_log_record_set_prefix(record, packet->prefix ?: "", packet->prefix_size);
        record->time_usec = packet->time_usec ?: now_usec(CLOCK_REALTIME);
        record->has_headers = pt_headers_decode(packet->ethertype, packet->payload, packet->size,
                                                &record->headers) == 0;
        g_strlcpy(record->in, name_of(log, packet->in), sizeof(record->in));
        g_strlcpy(record->out, name_of(log, packet->out), sizeof(record->out));
        record->mark = packet->mark;
        if (packet->mac) {
                record->has_mac = true;
                memcpy(record->mac, packet->mac, sizeof(record->mac));
        }
        if (record->by_rule) {
                record->rule = fw_log_rule_ref(
                        fw_log_rules_find(log->rules, record->uid, record->generation));
                if (record->rule) {
                        record->verdict = record->rule->action;
                        if (record->rule->audit)
                                record->reason = FW_REASON_AUDIT;
                        else if (record->rule->fragments)
                                record->reason = FW_REASON_FRAGMENTS;
                }
        }
        if (packet->bridge)
                set_frame(packet, record);
        else
                set_zones(log, packet->hook, record);
        to_journal(log, record);
}

static void lost(uint32_t n, void *userdata)
{
        FwLog *log = userdata;
        FwLogRecord *record = add_record(log);

        log->lost += n;
        record->time_usec = now_usec(CLOCK_REALTIME);
        record->lost = n;
}

static void open_group(FwLog *log);

static int try_again(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwLog *log = userdata;

        log->retry = sd_event_source_disable_unref(log->retry);
        open_group(log);
        return 0;
}

static void open_group(FwLog *log)
{
        int r = pt_nflog_new(log->netns_fd, log->event, PT_MARK_NFLOG_GROUP, logged, lost, log,
                             &log->nflog);

        if (r == 0) {
                if (log->told)
                        pt_log(LOG_NOTICE, "what rules log is read now");
                log->told = false;
                return;
        }
        if (!log->told)
                pt_log(LOG_WARNING, "what rules log cannot be read: %s; trying again every %u s",
                       r == -EBUSY ? "another program reads the group " G_STRINGIFY(
                                             PT_MARK_NFLOG_GROUP) " of nfnetlink_log"
                                   : strerror(-r),
                       (unsigned) (RETRY_USEC / G_USEC_PER_SEC));
        log->told = true;
        (void) sd_event_add_time_relative(log->event, &log->retry, CLOCK_MONOTONIC, RETRY_USEC, 0,
                                          try_again, log);
}

int fw_log_new(sd_event *event, int netns_fd, FwEngine *engine, FwLogRules *rules, FwLog **ret)
{
        g_autoptr(FwLog) log = g_new0(FwLog, 1);
        int r;

        log->event = event;
        log->netns_fd = netns_fd;
        log->engine = engine;
        log->rules = rules;
        log->kept = g_new0(FwLogRecord, FW_LOG_KEPT);
        log->names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        log->tokens = FW_LOG_JOURNAL_BURST;
        log->tokens_usec = now_usec(CLOCK_MONOTONIC);
        r = sd_event_add_defer(event, &log->tell, tell_added, log);
        if (r >= 0)
                r = sd_event_source_set_enabled(log->tell, SD_EVENT_OFF);
        if (r < 0)
                return r;
        open_group(log);
        *ret = g_steal_pointer(&log);
        return 0;
}

void fw_log_free(FwLog *log)
{
        if (!log)
                return;
        pt_nflog_free(log->nflog);
        sd_event_source_disable_unref(log->retry);
        sd_event_source_disable_unref(log->tell);
        for (unsigned i = 0; i < FW_LOG_KEPT; i++)
                fw_log_record_done(&log->kept[i]);
        g_free(log->kept);
        g_clear_pointer(&log->names, g_hash_table_unref);
        g_free(log);
}

void fw_log_watch(FwLog *log, void (*added)(void *userdata), void *userdata)
{
        log->added = added;
        log->userdata = userdata;
}

uint64_t fw_log_begin(const FwLog *log)
{
        return log->end > FW_LOG_KEPT ? log->end - FW_LOG_KEPT : 0;
}

uint64_t fw_log_end(const FwLog *log)
{
        return log->end;
}

const FwLogRecord *fw_log_get(const FwLog *log, uint64_t number)
{
        g_assert(number >= fw_log_begin(log) && number < log->end);
        return &log->kept[number % FW_LOG_KEPT];
}

uint64_t fw_log_packets(const FwLog *log)
{
        return log->packets;
}

uint64_t fw_log_lost(const FwLog *log)
{
        return log->lost;
}

uint64_t fw_log_unwritten(const FwLog *log)
{
        return log->unwritten;
}
