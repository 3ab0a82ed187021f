/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "log-rules.h"

#include "counters.h"
#include "kind/field.h"

#include <string.h>

G_STATIC_ASSERT(sizeof(((FwTag *) NULL)->uid) == FW_LOG_UID_SIZE);
G_STATIC_ASSERT(sizeof(((FwTag *) NULL)->generation) == FW_LOG_GENERATION_SIZE);

typedef struct Noted {
        uint8_t key[FW_LOG_UID_SIZE + FW_LOG_GENERATION_SIZE];
        bool in_force; /* while a sweep looks */
        FwLogRule *rule;
        GList link; /* in `order`; data is the entry */
} Noted;

struct FwLogRules {
        GHashTable *rules; /* Noted, a set by key */
        GQueue order;      /* Noted, those noted last at the end */
        unsigned sweep_at;
};

static unsigned key_hash(const void *p)
{
        uint64_t hash;

        /* A digest at both ends. */
        memcpy(&hash, ((const Noted *) p)->key + FW_LOG_UID_SIZE, sizeof(hash));
        return (unsigned) (hash ^ hash >> 32);
}

static gboolean key_equal(const void *a, const void *b)
{
        return memcmp(((const Noted *) a)->key, ((const Noted *) b)->key,
                      sizeof(((const Noted *) a)->key)) == 0;
}

static void noted_free(void *p)
{
        Noted *noted = p;

        fw_log_rule_unref(noted->rule);
        g_free(noted);
}

FwLogRules *fw_log_rules_new(void)
{
        FwLogRules *rules = g_new0(FwLogRules, 1);

        rules->rules = g_hash_table_new_full(key_hash, key_equal, noted_free, NULL);
        g_queue_init(&rules->order);
        rules->sweep_at = 2 * FW_LOG_PAST_MAX;
        return rules;
}

void fw_log_rules_free(FwLogRules *rules)
{
        if (!rules)
                return;
        g_hash_table_unref(rules->rules);
        g_free(rules);
}

/* What was configured: of a rule that others change, the rule. */
static const PtObject *origin_of(const FirewallRule *rule)
{
        const FwEffectiveRule *effective = fw_effective_of(rule);

        return effective ? effective->origin : &rule->object;
}

static FwLogRule *rule_new(const FirewallRule *rule, const FwTag *tag)
{
        FwLogRule *known = g_new0(FwLogRule, 1);
        const PtObject *origin = origin_of(rule);
        GString *text = g_string_new(NULL);

        known->refs = 1;
        memcpy(known->uid, tag->uid, sizeof(known->uid));
        memcpy(known->generation, tag->generation, sizeof(known->generation));
        known->action = rule->action;
        known->audit = fw_rule_box(rule)->mode == FW_MODE_AUDIT;
        known->fragments = fw_rule_fragments(rule);
        known->kind = g_strdup(origin->kind->name);
        known->name = g_strdup(origin->name);
        pt_fields_to_canonical(origin->kind->fields, origin, origin->present, text);
        known->text = g_string_free(text, FALSE);
        return known;
}

static void key_of(const FwTag *tag, Noted *ret)
{
        memcpy(ret->key, tag->uid, FW_LOG_UID_SIZE);
        memcpy(ret->key + FW_LOG_UID_SIZE, tag->generation, FW_LOG_GENERATION_SIZE);
}

typedef void (*LogRuleFunc)(FwLogRules *rules, const FirewallRule *rule, const FwTag *tag,
                            Noted *noted);

/* `each` gets what is noted, or NULL, of a rule that logs. */
static void tell_logging(FwLogRules *rules, const FirewallRule *rule, LogRuleFunc each)
{
        Noted wanted = {0};
        FwTag tag;

        if (!fw_rule_logs(rule))
                return;
        fw_tag_of(rule, 0, false, &tag);
        key_of(&tag, &wanted);
        each(rules, rule, &tag, g_hash_table_lookup(rules->rules, &wanted));
}

static void foreach_logging(const FwClass *klass, LogRuleFunc each, FwLogRules *rules)
{
        for (unsigned i = 0; i < klass->entries->len; i++)
                tell_logging(rules, g_array_index(klass->entries, FwEntry, i).rule, each);
}

static void foreach_frame_rule(const FwBridge *bridge, LogRuleFunc each, FwLogRules *rules)
{
        const GPtrArray *frames = fw_bridge_rules(bridge);

        for (unsigned i = 0; i < frames->len; i++)
                tell_logging(rules,
                             &((const FwFrameRule *) g_ptr_array_index(frames, i))->effective.rule,
                             each);
}

static void note(FwLogRules *rules, const FirewallRule *rule, const FwTag *tag, Noted *noted)
{
        if (noted) {
                g_queue_unlink(&rules->order, &noted->link);
        } else {
                noted = g_new0(Noted, 1);
                key_of(tag, noted);
                noted->rule = rule_new(rule, tag);
                noted->link.data = noted;
                g_hash_table_add(rules->rules, noted);
        }
        g_queue_push_tail_link(&rules->order, &noted->link);
}

static void note_class(const FwClass *klass, void *userdata)
{
        foreach_logging(klass, note, userdata);
}

void fw_log_rules_note(FwLogRules *rules, const FwLayout *layout)
{
        fw_layout_foreach_class(layout, note_class, rules);
}

void fw_log_rules_note_bridge(FwLogRules *rules, const FwBridge *bridge)
{
        foreach_frame_rule(bridge, note, rules);
}

void fw_log_rules_note_delta(FwLogRules *rules, const FwLayoutDelta *delta)
{
        /* Patches are of folds, and what logs does not fold. */
        for (unsigned i = 0; i < delta->changes->len; i++) {
                const FwClass *after = g_array_index(delta->changes, FwClassChange, i).after;

                if (after)
                        note_class(after, rules);
        }
}

static void mark(FwLogRules *rules, const FirewallRule *rule, const FwTag *tag, Noted *noted)
{
        if (noted)
                noted->in_force = true;
}

static void mark_class(const FwClass *klass, void *userdata)
{
        foreach_logging(klass, mark, userdata);
}

void fw_log_rules_sweep(FwLogRules *rules, const FwLayout *in_force, const FwBridge *bridge)
{
        unsigned past = 0;
        GList *link;

        if (rules->order.length < rules->sweep_at)
                return;
        fw_layout_foreach_class(in_force, mark_class, rules);
        if (bridge)
                foreach_frame_rule(bridge, mark, rules);
        for (link = rules->order.head; link; link = link->next)
                past += !((Noted *) link->data)->in_force;
        for (link = rules->order.head; link;) {
                Noted *noted = link->data;

                link = link->next;
                if (!noted->in_force && past > FW_LOG_PAST_MAX) {
                        past--;
                        g_queue_unlink(&rules->order, &noted->link);
                        g_hash_table_remove(rules->rules, noted);
                        continue;
                }
                noted->in_force = false;
        }
        rules->sweep_at = rules->order.length + FW_LOG_PAST_MAX;
}

FwLogRule *fw_log_rules_find(const FwLogRules *rules, const uint8_t uid[static FW_LOG_UID_SIZE],
                             const uint8_t generation[static FW_LOG_GENERATION_SIZE])
{
        Noted wanted = {0}, *noted;

        memcpy(wanted.key, uid, FW_LOG_UID_SIZE);
        memcpy(wanted.key + FW_LOG_UID_SIZE, generation, FW_LOG_GENERATION_SIZE);
        noted = g_hash_table_lookup(rules->rules, &wanted);
        return noted ? noted->rule : NULL;
}
