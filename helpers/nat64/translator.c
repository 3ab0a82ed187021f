/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "translator.h"

#include "backend/config-file.h"
#include "base/log.h"
#include "netlink/tun.h"

#include <string.h>
#include <sys/stat.h>

/* What tayga writes into its folder. */
static const char *const memory[] = {"dynamic.map", "dynamic.map~~"};

struct Translator {
        const Nat64 *wanted; /* a reference */
        char *config, *folder, *alias;
        PtRunner *runner;
        uint64_t since_usec;
        bool removed, gone;
        char *text; /* why it does not work, though it runs; or NULL */
        TranslatorChanged changed;
        void *userdata;
};

const char *translator_name(const Translator *translator)
{
        return translator->wanted->object.name;
}

G_GNUC_PRINTF(3, 4)
static int explain(int r, char **ret_why, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        *ret_why = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        return r;
}

/* The interface. */

/* Interfaces of ours by another name: what was configured before. */
static void delete_links(const Translator *translator, const char *but)
{
        g_autoptr(GArray) links = NULL;

        if (pt_links_find(-1, translator->alias, &links) < 0)
                return;
        for (unsigned i = 0; i < links->len; i++) {
                const PtLink *link = &g_array_index(links, PtLink, i);

                if (strcmp(link->alias, translator->alias) == 0 &&
                    (!but || strcmp(link->name, but) != 0))
                        (void) pt_link_delete(-1, link->index);
        }
}

static bool is_in(const PtAddressRange *prefix, const PtAddressRange *prefixes, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (prefix->family == prefixes[i].family && prefix->plen == prefixes[i].plen &&
                    memcmp(prefix->lo, prefixes[i].lo, sizeof(prefix->lo)) == 0)
                        return true;
        return false;
}

/* The prefix, the pool, and the translator's own address where the prefix does not hold it. */
static int make_routes(const Translator *translator, uint32_t index, char **ret_why)
{
        PtAddressRange wanted[3] = {fw_nat64_prefix(translator->wanted), translator->wanted->pool,
                                    pt_nat64_address6(translator->wanted)};
        unsigned n = pt_nat64_is_well_known(translator->wanted) ? 3 : 2;
        g_autoptr(GArray) there = NULL;
        int r = pt_link_routes(-1, index, &there);

        for (unsigned i = 0; r >= 0 && i < there->len; i++) {
                const PtAddressRange *route = &g_array_index(there, PtAddressRange, i);

                if (!is_in(route, wanted, n))
                        r = pt_link_route_delete(-1, index, route);
        }
        for (unsigned i = 0; i < n; i++) {
                g_autoptr(GString) text = g_string_new(NULL);

                if (r >= 0)
                        r = pt_link_route_add(-1, index, &wanted[i]);
                if (r >= 0)
                        continue;
                pt_address_range_format(&wanted[i], text);
                return explain(r, ret_why, "there can be no route for %s: %s%s", text->str,
                               strerror(-r), r == -EEXIST ? "; another one has this prefix" : "");
        }
        return 0;
}

/* The interface as it is wanted, while nobody serves it or somebody does. */
static int make_link(const Translator *translator, bool served, char **ret_why)
{
        const char *name = fw_nat64_interface(translator->wanted);
        unsigned mtu = fw_nat64_mtu(translator->wanted);
        PtLink link;
        int r = pt_link_get(-1, name, &link);

        if (r >= 0 && strcmp(link.alias, translator->alias) != 0)
                return explain(-EEXIST, ret_why,
                               "there is an interface %s already, which is another's: name another "
                               "one, or remove it",
                               name);
        if (!served)
                r = pt_tun_make(name, geteuid(), mtu, translator->alias);
        else if (r >= 0 && (link.mtu != mtu || !(link.flags & IFF_UP)))
                r = pt_link_set(-1, link.index, mtu, translator->alias);
        if (r >= 0)
                r = pt_link_get(-1, name, &link);
        if (r == -ENOENT)
                return explain(r, ret_why, "the kernel has no /dev/net/tun: load the module tun");
        if (r < 0)
                return explain(r, ret_why, "the interface %s cannot be made: %s", name,
                               strerror(-r));
        return make_routes(translator, link.index, ret_why);
}

/* Its program. */

static int write_config(const Translator *translator, char **ret_why)
{
        g_autoptr(GString) text = g_string_new(NULL);
        int r = mkdir(translator->folder, 0700) < 0 && errno != EEXIST ? -errno : 0;

        if (r == 0)
                r = pt_nat64_put_config(translator->wanted, translator->folder, text);
        if (r >= 0)
                r = pt_config_file_write(translator->config, text, 0600);
        return r < 0 ? explain(r, ret_why, "%s cannot be written: %s", translator->config,
                               strerror(-r))
                     : 0;
}

static int prepare(void *userdata, char **ret_why)
{
        Translator *translator = userdata;
        int r;

        *ret_why = pt_nat64_obstacle();
        if (*ret_why)
                return -ENOENT;
        r = write_config(translator, ret_why);
        if (r < 0)
                return r;
        delete_links(translator, fw_nat64_interface(translator->wanted));
        return make_link(translator, false, ret_why);
}

static void forget(Translator *translator)
{
        delete_links(translator, NULL);
        (void) unlink(translator->config);
        for (unsigned i = 0; i < G_N_ELEMENTS(memory); i++) {
                g_autofree char *path = g_build_filename(translator->folder, memory[i], NULL);

                (void) unlink(path);
        }
        (void) rmdir(translator->folder);
        translator->gone = true;
}

static void changed(PtRunner *runner, void *userdata)
{
        Translator *translator = userdata;

        translator->since_usec = (uint64_t) g_get_real_time();
        if (translator->removed && pt_runner_state(runner) == PT_RUNNER_STOPPED)
                forget(translator);
        translator->changed(translator, translator->userdata);
}

int translator_new(sd_event *event, const Nat64 *nat64, const char *state_dir, const char *run_dir,
                   TranslatorChanged told, void *userdata, Translator **ret)
{
        Translator *translator = g_new0(Translator, 1);
        const char *name = nat64->object.name;
        g_autofree char *file = g_strconcat(name, ".conf", NULL),
                        *what = g_strconcat("tayga of Nat64/", name, NULL);
        const char *argv[] = {PT_NAT64_PROGRAM, "-d", "-c", NULL, NULL};
        PtRunnerSpec spec = {
                .name = what,
                .argv = argv,
                .prepare = prepare,
                .changed = changed,
                .userdata = translator,
        };
        int r;

        translator->wanted = (const Nat64 *) pt_object_ref(&nat64->object);
        translator->config = g_build_filename(run_dir, file, NULL);
        translator->folder = g_build_filename(state_dir, name, NULL);
        translator->alias = g_strconcat(TRANSLATOR_ALIAS, name, NULL);
        translator->since_usec = (uint64_t) g_get_real_time();
        translator->changed = told;
        translator->userdata = userdata;
        argv[3] = translator->config;
        r = pt_runner_new(event, &spec, &translator->runner);
        if (r < 0) {
                translator_free(translator);
                return r;
        }
        pt_runner_start(translator->runner);
        *ret = translator;
        return 0;
}

void translator_free(Translator *translator)
{
        if (!translator)
                return;
        pt_runner_free(translator->runner);
        pt_object_unref((PtObject *) (uintptr_t) &translator->wanted->object);
        g_free(translator->config);
        g_free(translator->folder);
        g_free(translator->alias);
        g_free(translator->text);
        g_free(translator);
}

void translator_configure(Translator *translator, const Nat64 *nat64)
{
        bool same = pt_digest_equal(&translator->wanted->object.digest, &nat64->object.digest);
        const Nat64 *before = translator->wanted;

        if (same && !translator->removed)
                return;
        translator->removed = translator->gone = false;
        translator->wanted = (const Nat64 *) pt_object_ref(&nat64->object);
        pt_object_unref((PtObject *) (uintptr_t) &before->object);
        pt_runner_restart(translator->runner);
}

void translator_remove(Translator *translator)
{
        if (translator->removed)
                return;
        translator->removed = true;
        if (pt_runner_state(translator->runner) != PT_RUNNER_STOPPED) {
                pt_runner_stop(translator->runner);
                return;
        }
        forget(translator);
        translator->changed(translator, translator->userdata);
}

bool translator_is_gone(const Translator *translator)
{
        return translator->gone;
}

void translator_stop(Translator *translator)
{
        pt_runner_stop(translator->runner);
}

bool translator_is_stopped(const Translator *translator)
{
        return pt_runner_state(translator->runner) == PT_RUNNER_STOPPED;
}

/* It works when the interface has somebody at its other end. Somebody may have taken the interface
 * down, and its routes with that. */
void translator_look(Translator *translator)
{
        PtRunnerState state = pt_runner_state(translator->runner);
        g_autofree char *why = NULL;
        PtLink link;

        if (state != PT_RUNNER_STARTING && state != PT_RUNNER_RUNNING)
                return;
        if (pt_link_get(-1, fw_nat64_interface(translator->wanted), &link) < 0) {
                /* The program has lost its other end for good. */
                pt_log(LOG_WARNING, "the interface %s of Nat64/%s is gone: it is made anew",
                       fw_nat64_interface(translator->wanted), translator_name(translator));
                pt_runner_restart(translator->runner);
                return;
        }
        if (link.flags & PT_LINK_CARRIER)
                pt_runner_ready(translator->runner);
        if (make_link(translator, true, &why) >= 0) {
                g_clear_pointer(&translator->text, g_free);
                return;
        }
        if (g_strcmp0(translator->text, why) == 0)
                return;
        pt_log(LOG_ERR, "Nat64/%s: %s", translator_name(translator), why);
        g_free(translator->text);
        translator->text = g_steal_pointer(&why);
        translator->changed(translator, translator->userdata);
}

void translator_fill(const Translator *translator, PtNat64Told *ret)
{
        *ret = (PtNat64Told){
                .version = PT_NAT64_VERSION,
                .what = translator->gone ? PT_NAT64_GONE : PT_NAT64_STATE,
                .state = (uint8_t) pt_runner_state(translator->runner),
                .pid = (uint32_t) pt_runner_pid(translator->runner),
                .restarts = pt_runner_restarts(translator->runner),
                .since_usec = translator->since_usec,
        };
        g_strlcpy(ret->name, translator_name(translator), sizeof(ret->name));
        g_strlcpy(ret->interface, fw_nat64_interface(translator->wanted), sizeof(ret->interface));
        g_strlcpy(ret->text, translator->text ?: pt_runner_error(translator->runner),
                  sizeof(ret->text));
}
