# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemons with one mistake each: the test that compares them with the kernel, or with a model, must see every one, else it does
not look there.

The compiler of rules is compared by test_match_oracle.py and by the tests of what rules can be and do, the evaluator of single packets by
test_cuts.py and test_three_ways.py, commits by test_model.py, what falls between two policies by test_zero_gap.py.

A copy of the tree is changed and only the daemons are built, so it takes minutes: with tools/check --long, or PATRONUS_LONG=1.
"""

import os
import shutil
import subprocess
import sys

import lab as lab_module
import pytest

pytestmark = pytest.mark.skipif("not __import__('os').environ.get('PATRONUS_LONG')", reason="takes minutes: PATRONUS_LONG=1")

CONFIGD, FILTERD, FILTER, KINDS = "daemons/configd", "daemons/filterd", "libpatronus/filter", "libpatronus/kinds/firewall"
DAEMONS = ("daemons/configd/patronus-configd", "daemons/filterd/patronus-filterd")
MODEL_SCRIPTS = 60
# name: file, what is there, what takes its place
COMPILER = {
    "excluded addresses are wanted": (f"{FILTER}/match.c", "true, &box->except.addresses", "false, &box->except.addresses"),
    "excluded ports are wanted": (f"{FILTER}/match.c", "true, &box->except.ports", "false, &box->except.ports"),
    "untracked is invalid": (f"{FILTER}/match.c", "= NF_CT_STATE_UNTRACKED_BIT", "= NF_CT_STATE_INVALID_BIT"),
    "dscp is not asked": (f"{FILTER}/match.c", "if (pt_object_has(&rule->object, FW_RULE_DSCP))", "if (false)"),
    "mark is not asked": (f"{FILTER}/match.c", "if (pt_object_has(&rule->object, FW_RULE_MARK))", "if (false)"),
    "IPv6 is forgotten": (f"{FILTER}/match.c", "found = fill(ways->rule, ways->choice++, AF_INET6, ret);", "found = false; ways->choice++;"),
    "always the first alias": (f"{FILTER}/match.c", "term->aliases += digit - values;", ""),
    "parts of one digit": (f"{FILTER}/match.c", "                part /= n;\n", ""),
    "protocols of services are forgotten": (f"{FILTER}/match.c", "effective->n_choices + (effective->protocols.n > 0)", "effective->n_choices"),
    "the source's ports are the destination's": (f"{FILTER}/match.c", "add_ports(match, FW_DIM_SOURCE_PORT, &rule->source, NULL);",
                                                 "add_ports(match, FW_DIM_DESTINATION_PORT, &rule->source, NULL);"),
    "one value excludes nothing": (f"{FILTERD}/match-put.c", "term->negated ? NFT_CMP_NEQ : NFT_CMP_EQ", "NFT_CMP_EQ"),
    "a range excludes nothing": (f"{FILTERD}/match-put.c", "term->negated ? NFT_RANGE_NEQ : NFT_RANGE_EQ", "NFT_RANGE_EQ"),
    "an alias excludes nothing": (f"{FILTERD}/match-put.c", "        if (term->negated)\n                pt_nft_lookup_not(put->rule, PT_REG(REG), set,",
                                  "        if (false)\n                pt_nft_lookup_not(put->rule, PT_REG(REG), set,"),
    # Not of names, or nft could not list the set, and no packet would have to show it.
    "ends of sets are exclusive twice": (f"{FILTERD}/match-put.c", "fw_interval_increment(each.hi, set->len))",
                                         "((memcmp(each.lo, each.hi, set->len) != 0 && set->len < 16) || fw_interval_increment(each.hi, set->len)))"),
    "bits beside a number count": (f"{FILTERD}/match-put.c", "if ((term->mask & all) != all || len * 8 != place->width)", "if (false)"),
    "prefixes are a bit short": (f"{FILTERD}/match-put.c", "fw_prefix_mask((unsigned) plen, mask, len);", "fw_prefix_mask((unsigned) plen - 1, mask, len);"),
    "a code hides the type": (f"{KINDS}/dimension.c", "lo[1] = icmp->code < 0 ? 0 :", "lo[1] = icmp->code < 0 ? 2 :"),
    "DSCP of IPv6 a bit off": (f"{KINDS}/dimension.c", "{4, 6, 36}", "{5, 6, 36}"),
    "MAC of the receiver": (f"{KINDS}/dimension.c", "BOTH(48, 48, 9)", "BOTH(0, 48, 9)"),
    "destination ports are source ports": (f"{KINDS}/dimension.c", "BOTH(16, 16, 13)", "BOTH(0, 16, 13)"),
    "the first port of a range is out": (f"{KINDS}/dimension.c", "htons(range->lo)", "htons((uint16_t) (range->lo + (range->lo != range->hi)))"),
    "ranges of services end with the last": (f"{FILTER}/effective.c", "ports[n].hi = MAX(ports[n].hi, ports[i].hi);", "ports[n].hi = ports[i].hi;"),
}


EVALUATOR = {
    "the last rule decides": (f"{FILTER}/lists.c", "return fw_effective_compare(", "return -fw_effective_compare("),
    "zones of rules are not asked": (f"{FILTER}/lists.c", "fw_scope_matches(collect->from->name, collect->to->name, rule)", "true"),
    "no translation": (f"{FILTER}/evaluate-nat.c", "if (found.rule) {", "if (false) {"),
    "NAT rules of other zones translate": (f"{FILTER}/lists.c", "collect->side, collect->zone->name, &reflected",
                                           "collect->side, nat->zone ?: FW_ZONE_ANY, &reflected"),
    "forwards take what is not for the router": (f"{FILTER}/evaluate-nat.c", "(!way->local || (fw_nat_is_reflected(use) && way->here))",
                                                 "fw_nat_is_reflected(use) && way->here"),
    "mapped ports stay": (f"{FILTER}/evaluate-nat.c", "port->lo - at->lo + to->lo", "port->lo - at->lo + at->lo"),
    "one-to-one goes to the next": (f"{FILTER}/evaluate-nat.c", "lo |= from->lo & differs;", "lo += 1;"),
    "translated connections are not marked": (f"{FILTER}/evaluate-nat.c", "moves ? IPS_DST_NAT : 0, may_move ? IPS_DST_NAT : 0);",
                                              "moves ? 0 : 0, may_move ? 0 : 0);"),
    "bans are not asked": (f"{FILTER}/evaluate.c", "if (world->banned(family, evaluation->source, &outcome->ban, world->userdata))", "if (false)"),
    "anti-lockout is not asked": (f"{FILTER}/evaluate.c", "[FW_STAGE_LOCKOUT] = ask_lockout,", "[FW_STAGE_LOCKOUT] = ask_bans,"),
    "anti-lockout is for all interfaces": (f"{FILTER}/guards.c", "lockout->interfaces.n == 0 || is_within(bounds, name, sizeof(name))", "true"),
    "guards are not asked": (f"{FILTER}/evaluate.c", "return reason >= 0 ? decide(evaluation, FW_DROP, reason) : 0;", "return reason >= 0 ? 0 : 0;"),
    "defaults are those of others": (f"{FILTER}/evaluate.c", "return decide(evaluation,\n                      fw_zones_default(fw_lists_zones(evaluation->world->lists), outcome->from,\n"
                                     "                                       outcome->to),", "(void) outcome;\n        return decide(evaluation, FW_DROP,"),
    "addresses have no zone": (f"{FILTER}/zones.c", "        if (address)\n                number", "        if (false)\n                number"),
    "exceptions do not except": (f"{FILTER}/packet.c", "        if (term->negated)\n                truth = FW_YES - truth;", ""),
    "aliases are empty": (f"{FILTER}/packet.c", "return span.lo > span.hi ? FW_NO : fw_span_within(value, span.lo, span.hi);", "return FW_NO;"),
    "terms are alternatives": (f"{FILTER}/packet.c", "truth = MIN(truth, ask_term(matcher, &match->terms[i]));", "truth = ask_term(matcher, &match->terms[i]);"),
    "ranges end early": (f"{FILTER}/packet.c", "value->hi < lo || value->lo > hi", "value->hi < lo || (value->lo >= hi && lo != hi)"),
}
COMMITS = {
    "mine wins over theirs": (f"{CONFIGD}/merge.c", "        if (conflict)\n                merge_add_conflict", "        if (false)\n                merge_add_conflict"),
    "deleted is not changed": (f"{CONFIGD}/merge.c", "        if (!same(theirs, base))\n                merge_add_conflict", "        if (false)\n                merge_add_conflict"),
    "theirs are lost": (f"{CONFIGD}/merge.c", "*theirs = pt_slice_get(merge->theirs,", "*theirs = pt_slice_get(merge->base,"),
    "references are not looked up": (f"{CONFIGD}/validate.c", "if (name_is_reserved(kind, name) || pt_slice_get(context->slice, kind, name) ||", "if (true ||"),
    "a second window": (f"{CONFIGD}/confirm.c", "if (confirm->waits.revision == 0 || wish->restores)", "if (true)"),
    "old connections confirm": (f"{CONFIGD}/confirm.c", "if (origin->since_usec <= confirm->armed_usec)", "if (false)"),
    "what was not confirmed stays": (f"{CONFIGD}/confirm.c", "        confirm->over = true;\n        pt_log", "        pt_log"),
    "back to what runs": (f"{CONFIGD}/confirm.c", "                             .candidate = back,", "                             .candidate = manager->running,"),
    "the window never ends": (f"{CONFIGD}/confirm.c", "r = sd_event_add_time(confirm->manager->event, &confirm->timer, CLOCK_BOOTTIME,\n                                      confirm->waits.deadline_usec,",
                              "r = sd_event_add_time(confirm->manager->event, &confirm->timer, CLOCK_BOOTTIME,\n                                      UINT64_MAX - 1,"),
    "the confirmed link stays": ("libpatronus/txn/store-confirm.c", "        if (r >= 0)\n                r = write_link(store, PT_STORE_CONFIRMED, store->confirmed, check);\n", ""),
}
GAPS = {
    "sets of aliases come with their rules": (f"{FILTERD}/sets-emit.c", "stages->before", "stages->batch"),
    "interval sets change in place": (f"{FILTERD}/sets.c", "if (change->intervals && (!alone || overlaps(change)))", "if (false)"),
    "small sets change in place": (f"{FILTERD}/sets.c", "return (!alone || nested) && change->elements <= FW_SET_RENEWED_MAX;", "return false;"),
    "nested sets change in place": (f"{FILTERD}/sets.c", "(!alone || nested) &&", "!alone &&"),
    "maps of stretches come with their rules": (f"{FILTERD}/emit-plan.c", "batch = emit->stages->before;", "batch = emit->batch;"),
    "short runs change in place": (f"{FILTERD}/layout.h", "#define FW_RUN_FRESH_MAX 1024", "#define FW_RUN_FRESH_MAX 16"),
    "lists come with their rules": (f"{FILTERD}/objects.c", "object->limiter ? stages->batch : stages->before", "object->limiter || object->set.bounds ? stages->batch : stages->before"),
}
RULES = {
    "test_bridge_oracle.py": {
        "frames: VLAN 0 is a tag": (f"{FILTER}/frame.c", "add_number(bounds, tags[i] | range->lo, tags[i] | range->hi);",
                                    "if (range->hi > 0)\n                        add_number(bounds, tags[i] | range->lo, tags[i] | range->hi);"),
        "frames: groups have one address": (f"{FILTER}/frame.c", "        if (macs->n == 1 && !fw_mac_mask_is_prefix(items)) {", "        if (false) {"),
        "frames: a mask is a bit longer": (f"{KINDS}/bridge-rule.c", "ended = ended || !one;", "ended = ended || !one || bit == 46;"),
        "frames: source and destination are exchanged": (f"{FILTER}/frame.c", "FW_LAYER_LINK, 6, 6, 9", "FW_LAYER_LINK, 0, 6, 9"),
        "frames: the sender of ARP is the target": (f"{FILTER}/frame.c", "FW_LAYER_NETWORK, 14, 4, 7", "FW_LAYER_NETWORK, 24, 4, 7"),
        "frames: the operation of ARP is not asked": (f"{FILTER}/frame.c", "if (rule->arp.operations.n > 0)", "if (false)"),
        "frames: the family is not asked": (f"{FILTER}/frame.c", "if (match.family != AF_UNSPEC)", "if (false)"),
        "frames: aliases are empty": (f"{FILTER}/frame.c", "if (entries->len > 0)", "if (false)"),
        "frames: nothing is excluded": (f"{FILTERD}/bridge-put.c", "                if (test->negated)", "                if (false)"),
        "frames: rules in audit mode decide": (f"{FILTERD}/bridge-emit.c", "if (!fw_rule_decides(&item->rule->effective.rule))", "if (false)"),
        "frames: rules in any order": (f"{FILTER}/frame.c", "        g_ptr_array_sort(rules, compare_rules);\n", ""),
        "frames: what this machine sends is forwarded": (f"{FILTER}/frame.c", "rule->direction = fw_bridge_direction(origin);",
                                                         "rule->direction = fw_bridge_direction(origin) == FW_BRIDGE_OUT ? FW_BRIDGE_FORWARD : fw_bridge_direction(origin);"),
        "why: a mask is not asked of frames": (f"{FILTER}/frame-match.c", "        if (test->masked)\n", "        if (false)\n"),
        "why: nothing is excluded of frames": (f"{FILTER}/frame-match.c", "return test->negated ? FW_YES - truth : truth;", "return truth;"),
        "why: rules in audit mode decide of frames": (f"{FILTER}/frame-match.c", "!fw_rule_decides(&rule->effective.rule)", "false"),
        "why: frames of all directions": (f"{FILTER}/frame-match.c", "if (rule->direction != direction)", "if (false)"),
        "why: the VLAN of frames is not known": (f"{FILTER}/question-frame.c", "if (fw_question_has(question, QUESTION_VLAN))", "if (false)"),
        "why: ARP has no target": (f"{FILTER}/question-frame.c", "&question->destination, FW_FRAME_ARP_TARGET_ADDRESS", "&question->source, FW_FRAME_ARP_TARGET_ADDRESS"),
        "frames: aliases that change do not change rules": (f"{FILTER}/frame.c", "                        pt_hasher_add(hasher, test->bounds->data,\n                                      test->bounds->len * sizeof(FwBounds));\n", ""),
    },
    "test_bridge.py": {
        "frames: the tag's priority counts": (f"{FILTER}/frame.c", "{0xff, 0xff, VLAN_BITS >> 8, VLAN_BITS & 0xff}", "{0xff, 0xff, 0xff, 0xff}"),
        "frames: counters begin anew": (f"{FILTERD}/bridge-emit.c", "if (sync->match[i] >= 0)", "if (false)"),
        "frames: the monitor does not hear of them": ("libpatronus/netlink/nft-reply.c", " && genmsg->nfgen_family != NFPROTO_BRIDGE)", ")"),
    },
    "test_nat_oracle.py": {
        # The compiler and the evaluator ask the same function: what filterd says is no oracle of it.
        "disabled NAT rules translate": (f"{FILTER}/effective.c", "return fw_nat_enabled(nat) && ", "return "),
        "manual is hybrid": (f"{FILTER}/zones.c", "return outbound == FW_OUTBOUND_AUTOMATIC || outbound == FW_OUTBOUND_HYBRID;", "return outbound != FW_OUTBOUND_OFF;"),
        "automatic is hybrid": (f"{FILTER}/effective.c", "(!outbound || policy->outbound == FW_OUTBOUND_HYBRID ||", "(!outbound || policy->outbound != FW_OUTBOUND_OFF ||"),
        "settings reflect nothing": (f"{FILTER}/effective.c", ": policy->reflection);", ": false);"),
        "nobody goes back": (f"{FILTER}/nat-use.c", "return fw_nat_reflects(policy, nat) &&", "return false && fw_nat_reflects(policy, nat) &&"),
        "what comes with reflection is of its zone": (f"{FILTER}/effective.c", "rule->from = linked->reflected ? NULL : nat->zone;", "rule->from = nat->zone;"),
        "the evaluator keeps ports": (f"{FILTER}/evaluate-nat.c", "*port = (FwSpan){to->lo, to->hi};", ";"),
        "the evaluator masquerades nothing": (f"{FILTER}/evaluate-nat.c", "} else if (to->masquerades && outcome->family == AF_INET) {", "} else if (false) {"),
        "the evaluator forgets who goes back": (f"{FILTER}/evaluate-nat.c", "if (outcome->from == to)\n                r = find_rule(", "if (false)\n                r = find_rule("),
        "the evaluator sends as the whole pool's first": (f"{FILTER}/evaluate-nat.c", "span.hi = MAX(span.hi, fw_number_read(ranges[i].hi, len));", "span.hi = MAX(span.hi, fw_number_read(ranges[0].lo, len));"),
        "the nearest address is led on": (f"{FILTERD}/nat-emit.c", "        if (!reflected)\n", "        if (true)\n"),
    },
    # The evaluator, which asks the kernel nothing: rules one after the other, and frames, say otherwise.
    "test_three_ways.py": {
        "intervals end early": (f"{FILTER}/rule-index.c", "cuts->starts[at] <= span.hi;", "cuts->starts[at] < span.hi;"),
        "what does not decide decides for the evaluator": (f"{FILTER}/evaluate.c", "if (!fw_rule_decides(rule)) {", "if (false) {"),
        "where packets leave is not known": (f"{FILTER}/evaluate.c", "        if (outcome->way.out[0])\n                fw_packet_set_interface(",
                                             "        if (false)\n                fw_packet_set_interface("),
        "every packet of TCP is a SYN": (f"{FILTER}/question.c", "if (!fw_question_has(question, QUESTION_FLAGS))", "if (true)"),
        "codes are 0": (f"{FILTER}/question.c", "unsigned code = icmp->code < 0 ? 0 : (unsigned) icmp->code;", "unsigned code = 0;"),
        "marks are 0": (f"{FILTER}/question.c", "fw_packet_set(packet, FW_DIM_MARK, question->mark.value, question->mark.value);", "fw_packet_set(packet, FW_DIM_MARK, 0, 0);"),
        "every packet is the first": (f"{FILTER}/question.c", "fw_question_has(question, QUESTION_STATE) ? (uint32_t) question->state", "false ? (uint32_t) question->state"),
        "nothing else lies in an alias": (f"{FILTER}/alias-cache.c", "if (g_array_index(spans, FwSpan, middle).hi < value)", "if (g_array_index(spans, FwSpan, middle).lo < value)"),
        "bits under a mask are all": (f"{FILTER}/packet.c", "if (((value->lo ^ term->value) & term->mask & ~unknown) != 0)", "if (((value->lo ^ term->value) & ~unknown) != 0)"),
    },
    "test_why.py": {
        "parts begin at line one": (f"{FILTERD}/explain.c", "Lines taken = {.text = lines->text, .before = lines->before};", "Lines taken = {.text = lines->text};"),
        "answers of other processes are lost": (f"{FILTERD}/explain.c", "r = append_file(batch.answers[i], fd);", "r = 0;"),
        "the last part is as long as others": (f"{FILTERD}/explain.c", "i + 1 < n ? n_lines / n : n_lines", "n_lines / n - 1"),
        "parts are all the first": (f"{FILTERD}/explain.c", "&batch->parts[part], batch->answers[part]", "&batch->parts[0], batch->answers[part]"),
        "nobody else drops": (f"{FILTERD}/explain.c", "explainer->foreign && outcome.action == FW_ALLOW", "false"),
        "bans are not known": (f"{FILTERD}/explain.c", "explainer->explain->bans ? find_ban : NULL", "NULL"),
        "ports that nobody said are one": (f"{FILTER}/question.c", "(PtPortRange){1024, UINT16_MAX}", "(PtPortRange){UINT16_MAX, UINT16_MAX}"),
    },
    "test_analysis.py": {
        "tests are of now": (f"{FILTERD}/policy-tests.c", "        run->lists = run->whole;\n", ""),
        "all times are the first": (f"{FILTERD}/policy-tests.c", "g_memdup2(&(int64_t){fw_moment_time(&run->test->at)}, sizeof(int64_t))", "g_memdup2(&(int64_t){0}, sizeof(int64_t))"),
        "zones of times are not asked": (f"{FILTER}/schedule.c", "g_date_time_to_unix(time) - 60 * moment->offset", "g_date_time_to_unix(time)"),
        "aliases hold what is configured": (f"{FILTERD}/policy-tests.c", ".live = planned->live", ".live = NULL"),
    },
    "test_limits.py": {
        "forwards have no limits": (f"{FILTER}/effective.c", "set(&linked->rule, FW_RULE_LIMITS);", ""),
        "one more at a time": (f"{FILTERD}/limiter.c", "pt_nft_connlimit_new(limiter->limits.connections)", "pt_nft_connlimit_new(limiter->limits.connections + 1)"),
        "one more of each source": (f"{FILTERD}/limiter.c", "pt_nft_connlimit_new(limiter->limits.connections_per_source)",
                                    "pt_nft_connlimit_new(limiter->limits.connections_per_source + 1)"),
        "sources are destinations": (f"{FILTERD}/limiter.c", "offset + (destination ? size : 0)", "offset + (destination ? 0 : size)"),
        "bursts are as rates": (f"{FILTERD}/limiter.c", "return has(limiter, FW_LIMIT_BURST) ? limiter->limits.burst\n", "return false ? limiter->limits.burst\n"),
        "who has too much goes on": (f"{FILTERD}/limiter.c", "pt_nft_rule_new(TABLE, chain), NF_DROP, NULL,", "pt_nft_rule_new(TABLE, chain), NF_ACCEPT, NULL,"),
        "nobody is found in the alias": (f"{FILTERD}/limiter.c", "put_connections(limiter, overloads ? over : drop, drop, batch);\n        put_rates(limiter, overloads ? over : drop, drop, batch);",
                                         "put_connections(limiter, drop, drop, batch);\n        put_rates(limiter, drop, drop, batch);"),
        "audit limits": (f"{FILTERD}/limiter.c", " &&\n               fw_rule_box(rule)->mode != FW_MODE_AUDIT;", ";"),
        "what is added is the destination": (f"{FILTERD}/limiter.c", 'put_target(&limiter->source, limiter->chain, false, "addSource", batch);',
                                             'put_target(&limiter->source, limiter->chain, true, "addSource", batch);'),
    },
    "test_syn_proxy.py": {
        "what the router begins is asked": (f"{FILTERD}/dispatch.c", "if (!dispatch->zones->proxies)", "if (true)"),
        "the router answers for forwards": (f"{FILTERD}/emit-rule.c", "translated = IPS_DST_NAT, none", "translated = 0, none"),
        "what is not answered is dropped": (f"{FILTERD}/emit-rule.c", "else if (part->part & FW_PART_PASS)\n                pt_nft_verdict(r, NF_ACCEPT, NULL);",
                                            "else if (part->part & FW_PART_PASS)\n                pt_nft_verdict(r, NF_DROP, NULL);"),
    },
    "test_floating.py": {
        "late rules are not turned": (f"{KINDS}/firewall-rule.c", "return place == FW_PLACE_LATE ? -r : r;", "return r;"),
        "all that floats is quick": (f"{KINDS}/rule-rare.c", "pt_object_has(&rule->object, FW_RULE_QUICK) && !rule->box->quick", "false"),
        "directions are not asked": (f"{FILTER}/match.c", "else if (fw_rule_floating(match->rule) && in != out)", "else if (false)"),
        "what leaves is forgotten": (f"{FILTER}/match.c", "fw_rule_looks_out(rule)\n                       ? 2", "fw_rule_looks_out(rule)\n                       ? 1"),
        "nothing floats over the router": (f"{FILTER}/zones.c", "(strcmp(from, FW_ZONE_ROUTER) == 0 && !fw_scope_floats(rule))", "strcmp(from, FW_ZONE_ROUTER) == 0"),
    },
    "test_rule_modes.py": {
        "audit decides": (f"{KINDS}/rule-rare.c", "rule->action != FW_CONTINUE && fw_rule_box(rule)->mode != FW_MODE_AUDIT", "rule->action != FW_CONTINUE"),
        "parts count again": (f"{FILTERD}/emit-rule.c", "if (fw_match_alone(part->rule))", "if (false)"),
        "what returns stands among others": (f"{FILTERD}/layout.c", "!at(klass, from)->alone", "true"),
        "groups are never off": (f"{FILTER}/effective.c", "(!group || fw_group_enabled((const RuleGroup *) group))", "true"),
        "a switch changes nothing": (f"{FILTERD}/layout-delta.c", "if (services || groups || compare.times)", "if (services || compare.times)"),
    },
    "test_rule_marks.py": {
        "checksums stay": (f"{FILTERD}/marks.c", "PT_REG(REG_DATA), family == AF_INET);", "PT_REG(REG_DATA), false);"),
        "bits of others go": (f"{FILTERD}/marks.c", "uint32_t others = ~bits;", "uint32_t others = 0;"),
        "later packets have no mark": (f"{FILTERD}/marks.c", "PT_CTMARK_HAS_MARK | PT_CTMARK_HAS_DSCP, AF_UNSPEC", "PT_CTMARK_HAS_DSCP, AF_UNSPEC"),
        "the connection is not marked": (f"{FILTERD}/marks.c", "return fw_rule_sets_mark(rule) || fw_rule_sets_dscp(rule) || ", "return "),
        "audit marks": (f"{KINDS}/rule-rare.c", "pt_object_has(&rule->object, field) && rule->box->mode != FW_MODE_AUDIT", "pt_object_has(&rule->object, field)"),
    },
    "test_log.py": {
        "bans are not logged": (f"{FILTERD}/dispatch.c", "fw_settings_put_log(dispatch->zones, CHAIN_BANNED, FW_REASON_BAN, dispatch->batch);", ""),
        "the dead are banned": (f"{FILTERD}/dispatch.c", "CHAIN_KILLED_ENDS, FW_REASON_KILLED,", "CHAIN_KILLED_ENDS, FW_REASON_BAN,"),
    },
    "test_schedules.py": {
        "all windows end connections": (f"{FILTERD}/revoke.c", "!rule || !fw_rule_ends_connections(rule) ||", "!rule ||"),
        "what another rule lets begin ends": (f"{FILTERD}/revoke.c", "connection, packet, &rule) == FW_NO;", "connection, packet, &rule) != FW_MAYBE;"),
        "windows that ended unseen": (f"{FILTERD}/judge.c", "if ((!judge->in_force || !same_times", "if ((judge->in_force && !same_times"),
    },
    "test_rule_fragments.py": {
        "only first fragments": (f"{FILTERD}/dispatch-fragments.c", "#define IPV4_FRAGMENT 0x3fff", "#define IPV4_FRAGMENT 0x2000"),
        "headers make fragments": (f"{FILTERD}/dispatch-fragments.c", "#define IPV6_FRAGMENT 0xfff9", "#define IPV6_FRAGMENT 0xffff"),
        "put together first": ("libpatronus/base/marks.h", "(-450)", "(-350)"),
        "all rules see fragments": (f"{FILTER}/zones.c", "if (fw_rule_fragments(rule) != (strcmp(to, FW_ZONE_FRAGMENTS) == 0))", "if (false)"),
        "nobody drops fragments": (f"{FILTER}/evaluate.c", "return outcome->rule ? decide(evaluation, FW_DROP, FW_REASON_FRAGMENTS) : 0;", "return 0;"),
    },
    "test_rule_tags.py": {
        "tags are not asked": (f"{FILTER}/match.c", "add_lists(ret, FW_DIM_TAGS, false, &box->tagged, NULL);", ""),
        "one tag is all": (f"{FILTER}/tags.c", "mask |= (FwNumber) 1 << bit;", "mask = (FwNumber) 1 << bit;"),
        "bits are given anew": (f"{FILTERD}/layout-delta.c", "fw_tags_new(delta->slice, delta->layout->tags, diag, &tags)", "fw_tags_new(delta->slice, NULL, diag, &tags)"),
        "bits are forgotten at the end": (f"{FILTERD}/engine-nft.c", "engine->layout ? engine->layout->tags : observed->tags, diag", "engine->layout ? engine->layout->tags : NULL, diag"),
        "bits of what goes are free": (f"{FILTER}/tags.c", "is_taken(tags, bit) || is_taken(before, bit)", "is_taken(tags, bit)"),
        "what is not tracked is tagged": (f"{FILTER}/packet.c", "if (!packet->tags || tracked == FW_NO)", "if (!packet->tags)"),
        "what may be tagged is": (f"{FILTER}/packet.c", "if (certain && tracked == FW_YES)", "if (tracked == FW_YES)"),
    },
    "test_rule_questions.py": {
        "a set excludes nothing": (f"{FILTERD}/match-put.c", "        if (term->negated)\n                pt_nft_lookup_not(put->rule, PT_REG(REG), name,",
                                   "        if (false)\n                pt_nft_lookup_not(put->rule, PT_REG(REG), name,"),
        "flags that must be clear are not asked": (f"{FILTER}/match.c", "set | clear", "set"),
        "lengths are not turned": (f"{FILTERD}/match-put.c", "if (info->turned)", "if (false)"),
        "globs are names": (f"{KINDS}/dimension.c", "        if (glob)\n                memset(hi + len, 0xff, IFNAMSIZ - len);", ""),
        "every rejection is alike": (f"{FILTERD}/emit-rule.c", "NFT_REJECT_ICMPX_UNREACH, codes[with]", "NFT_REJECT_ICMPX_UNREACH, codes[FW_REJECT_NO_ROUTE]"),
    },
}
# By a unit test each: tests/unit/test-<name>.c. As root in a namespace of its own: one talks to the kernel.
PROGRAMS = {
    "box": {
        "exceptions are no more than boxes": (f"{FILTER}/box.c", "return in_boxes(term->dimension) && !term->negated &&", "return in_boxes(term->dimension) &&"),
    },
    "evaluate-index": {
        "candidates of the first word": (f"{FILTER}/rule-index.c", "walk->word * 64 +", "walk->word * 32 +"),
    },
    "schedule": {
        "times are of UTC": (f"{FILTER}/schedule.c", "moment->zoned ? g_time_zone_new_utc() : g_time_zone_new_local()", "g_time_zone_new_utc()"),
    },
    "parts": {
        "who is killed has done it": ("libpatronus/event/parts.c", "return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;", "return -WEXITSTATUS(status);"),
        "the last failure is told": ("libpatronus/event/parts.c", "if (result == 0 && r < 0)", "if (r < 0)"),
        "a part is left out": ("libpatronus/event/parts.c", "for (unsigned i = 1; i < n; i++)\n                pids[i] = start(", "for (unsigned i = 1; i < n; i++)\n                pids[i] = i + 1 == n && n > 2 ? fork() ?: (_exit(0), 0) : start("),
    },
    "evaluate": {
        "one-to-one goes to the first": (f"{FILTER}/evaluate-nat.c", "lo |= from->lo & differs;", ""),
    },
    "plan": {
        "keys of the first value": (f"{FILTERD}/match-shape.c", "                n /= term->n;\n", ""),
        "overlaps end early": (f"{FILTERD}/phases.c", "a->lo[i] > b->hi[i] || b->lo[i] > a->hi[i]",
                              "a->lo[i] >= b->hi[i] || b->lo[i] >= a->hi[i]"),
        "what overlaps need not wait": (f"{FILTERD}/phases.c", "queue->before[r]++;",
                                       ";"),
        "maps of a phase come in any order": (f"{FILTERD}/phases.c", "begun ? phase + 1 : phase);",
                                             "phase);"),
        "lists before maps": (f"{FILTERD}/plan.c", "                at = add_maps(section, phase, places, at);\n                add_shards(section, phase);",
                             "                add_shards(section, phase);\n                at = add_maps(section, phase, places, at);"),
        "regions share an address": (f"{FILTER}/tree.c", "span->hi = cut->from - 1;",
                                    "span->hi = cut->from;"),
        "no copies in the upper half": (f"{FILTER}/tree.c", "if (reach->lo <= span->hi && reach->hi >= span->lo)",
                                       "if (reach->lo <= span->hi && reach->hi >= span->lo && (!half || reach->lo >= span->lo))"),
        "ranges are their first value": (f"{FILTERD}/match-ranges.c", "fw_number_write(span.hi, bytes, hi + at);",
                                        "fw_number_write(span.lo, bytes, hi + at);"),
    },
    "layout": {
        "leaves of other rules stay": (f"{FILTERD}/plan.c", "if (chain->rules[i] != rules[i].rule)",
                                      "if (false)"),
    },
    "engine-sums": {
        "classes that go count for nobody": (f"{FILTERD}/emit.c", ": fw_carry_gone(change->before->chain)", ": change->before->chain"),
        "what nobody takes is gone": (f"{FILTERD}/emit.c", "fw_kept_counts_put(kept, layout->slice, carry, stages->batch);", ";"),
        "what waits is there once": (f"{FILTERD}/kept-counts.c", "same = same && !left.fresh[sort] && left.waited[sort] == kept->read[sort];",
                                     "same = same && !left.fresh[sort];"),
    },
    "engine-nft": {
        "what stays is carried too": (f"{FILTERD}/emit-shard.c", "stays = fw_tag_same(&rule->tag, &tag);",
                                     "stays = false;"),
        "maps that go count for nobody": (f"{FILTERD}/emit-plan.c", "return fw_carry_read_map(emit->nft, owner, before->name, emit->carry);",
                                         "return 0;"),
    },
}
MUTANTS = {name: (oracle, mutant)
           for oracle, mutants in (("test_match_oracle.py", COMPILER), ("test_cuts.py", EVALUATOR), ("test_model.py", COMMITS), ("test_zero_gap.py", GAPS),
                                   *RULES.items(), *PROGRAMS.items())
           for name, mutant in mutants.items()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the sources with a build of its own; the other programs are those that are there."""
    tree = tmp_path_factory.mktemp("mutants") / "tree"
    shutil.copytree(lab_module.ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns("build*", ".git", "__pycache__", ".pytest_cache"))
    subprocess.run(["meson", "setup", "build", "-Doptimization=0"], cwd=tree, check=True, capture_output=True)
    (tree / "build/cli/patronusctl").symlink_to(lab_module.build_dir() / "cli/patronusctl")
    (tree / "build/tests/perf/flood").symlink_to(lab_module.build_dir() / "tests/perf/flood")
    build(tree)
    return tree


def build(tree):
    subprocess.run(["ninja", "-j2", "-C", "build", *DAEMONS, *(f"tests/unit/test-{name}" for name in PROGRAMS)], cwd=tree, check=True, capture_output=True)


def oracle(tree, name):
    """Runs the copy's test, whose labs have names of their own."""
    if name in PROGRAMS:
        return subprocess.run(["unshare", "-n", str(tree / f"build/tests/unit/test-{name}")], capture_output=True, text=True, timeout=120, check=False)
    env = {name: value for name, value in os.environ.items() if name != "PATRONUS_LONG" and not name.startswith("PYTEST_")}
    done = subprocess.run([sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"tests/netns/{name}"],
                          cwd=tree, env=env | {"PATRONUS_BUILD": str(tree / "build"), "PATRONUS_MODEL_SCRIPTS": str(MODEL_SCRIPTS)}, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: tests failed
    return done


@pytest.mark.parametrize("name", ("test_match_oracle.py", "test_cuts.py", "test_model.py", "test_zero_gap.py", *RULES, *PROGRAMS))
def test_the_oracle_agrees_with_what_is_right(tree, name):
    done = oracle(tree, name)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.replace(" ", "-"))
def test_mutant_is_caught(tree, mutant):
    by, (name, there, instead) = MUTANTS[mutant]
    path = tree / name
    right = path.read_text()
    assert right.count(there) >= 1, f"{name} has changed: mend the mutant"
    path.write_text(right.replace(there, instead))
    try:
        build(tree)
        assert oracle(tree, by).returncode != 0, "nobody noticed"
    finally:
        path.write_text(right)
