/* SPDX-License-Identifier: Apache-2.0
 *
 * dump-flows --explain: a flow's cookie, in words.
 *
 * A cookie names a kind, a port and a rule of the port's filter.  What the rule is, the filter
 * says: it is read and filled in as for a compilation, once for each port that has flows. */
#include <config.h>

#include "explain_flows.h"

#include <errno.h>
#include <string.h>

#include "nwf/filter_path.h"
#include "nwf/ovsdb.h"
#include "nwf/pipeline.h"
#include "nwf/plan.h"
#include "nwf/policy_files.h"
#include "nwf/program.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

#include "lib/dirs.h"
#include "lib/util.h"

#define DATABASE_TIMEOUT_MS 10000

/* The filter of a port, filled in. */
struct filled_in {
    uint16_t ofport;
    struct nwf_program *program; /* NULL: 'error' says why not. */
    struct nwf_error error;
};

struct ofctl_explainer {
    struct nwf_filter_path path;
    struct nwf_store *store;
    struct nwf_policies policies;
    struct nwf_plan plan;
    NWF_VEC(struct filled_in) programs;
};

/* ---- The bridge. ---- */

static int
read_plan(struct ofctl_explainer *explainer, const char *db_name, const char *name,
          struct nwf_error *err)
{
    const struct nwf_sources sources = {explainer->store, &explainer->policies};
    char *remote CLEANUP_FREE =
        db_name ? nwf_strdup(db_name) : nwf_asprintf("unix:%s/db.sock", ovs_rundir());
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    int r = nwf_ovsdb_open(remote, NULL, DATABASE_TIMEOUT_MS, &db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bare_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        if (!strcmp(bridge->name, name)) {
            nwf_plan_update(&explainer->plan, bridge, &sources, true);
            return 0;
        }
    }
    return nwf_error_set(err, -ENOENT, "the database has no such bridge");
}

struct ofctl_explainer *
ofctl_explainer_new(const struct ofctl *ofctl, const char *target)
{
    struct ofctl_explainer *explainer = nwf_zalloc(sizeof *explainer);
    char *name CLEANUP_FREE = ofctl_bridge_of(target);
    struct nwf_error err = NWF_ERROR_INIT;

    if (!name) {
        ovs_fatal(0, "%s: only flows of this host's bridges can be explained", target);
    }
    nwf_filter_path_init(&explainer->path, ofctl->filter_dir);
    explainer->store = nwf_store_new(nwf_filter_path_read, &explainer->path);
    nwf_policies_load(&explainer->policies);
    nwf_plan_init(&explainer->plan, name);
    if (read_plan(explainer, ofctl->db, name, &err)) {
        ovs_fatal(0, "%s: %s", target, nwf_error_text(&err));
    }
    return explainer;
}

void
ofctl_explainer_free(struct ofctl_explainer *explainer)
{
    nwf_vec_foreach (filled_in, &explainer->programs) {
        if (filled_in->program) {
            nwf_program_free(filled_in->program);
        }
        nwf_error_clear(&filled_in->error);
    }
    nwf_vec_clear(&explainer->programs);
    nwf_plan_finish(&explainer->plan);
    nwf_policies_finish(&explainer->policies);
    nwf_store_free(explainer->store);
    nwf_filter_path_finish(&explainer->path);
    free(explainer);
}

/* ---- Ports and their filters. ---- */

static const struct nwf_port_config *
find_port(const struct ofctl_explainer *explainer, uint16_t ofport)
{
    nwf_vec_foreach (port, &explainer->plan.ports) {
        if ((*port)->config.ofport == ofport) {
            return &(*port)->config;
        }
    }
    return NULL;
}

static void
put_port(const struct ofctl_explainer *explainer, uint16_t ofport, struct ds *s)
{
    const struct nwf_port_config *port = find_port(explainer, ofport);

    if (!port) {
        ds_put_format(s, "port %u, which is gone", (unsigned int) ofport);
        return;
    }
    ds_put_cstr(s, port->name);
    if (port->binding.filter) {
        ds_put_format(s, " (filter %s)", port->binding.filter);
    }
}

static struct filled_in
fill_in(struct ofctl_explainer *explainer, const struct nwf_port_config *port)
{
    struct filled_in ret = {.ofport = port->ofport};
    const struct nwf_filter *filter;

    if (!nwf_store_get(explainer->store, port->binding.filter, &filter, &ret.error)) {
        (void) nwf_program_new(explainer->store, filter, &port->binding.params, &ret.program,
                               &ret.error);
    }
    return ret;
}

static const struct filled_in *
program_of(struct ofctl_explainer *explainer, const struct nwf_port_config *port)
{
    nwf_vec_foreach (known, &explainer->programs) {
        if (known->ofport == port->ofport) {
            return known;
        }
    }
    nwf_vec_push(&explainer->programs, fill_in(explainer, port));
    return &explainer->programs.data[explainer->programs.n - 1];
}

static void
put_instance(const struct nwf_rule_instance *instance, struct ds *s)
{
    const struct nwf_rule *rule = instance->rule;
    char *text CLEANUP_FREE = nwf_rule_instance_format(instance);

    ds_put_format(s, "%s: %s%s%s (%s:%u)", rule->filter->name, nwf_action_to_string(rule->action),
                  *text ? " " : "", text, rule->filter->file, rule->line);
}

static void
put_rule(struct ofctl_explainer *explainer, uint64_t cookie, struct ds *s)
{
    bool is_out = nwf_cookie_kind(cookie) == NWF_COOKIE_FROM_VM;
    const struct nwf_port_config *port = find_port(explainer, nwf_cookie_port(cookie));
    uint32_t rule = nwf_cookie_rule(cookie);

    put_port(explainer, nwf_cookie_port(cookie), s);
    ds_put_format(s, ", direction %s, ", is_out ? "out" : "in");
    if (rule == NWF_RULE_END) {
        ds_put_cstr(s, "no rule: what lies between them, and the filter's end");
        return;
    }
    if (rule == NWF_RULE_ISOLATED) {
        ds_put_cstr(s, "isolation from other guests");
        return;
    }
    const struct filled_in *filled_in =
        port && port->binding.filter ? program_of(explainer, port) : NULL;
    const struct nwf_side *side = filled_in && filled_in->program
                                      ? &filled_in->program->side[is_out ? NWF_OUT : NWF_IN]
                                      : NULL;
    if (side && rule < side->rules.n) {
        put_instance(&side->rules.data[rule], s);
    } else if (filled_in && !side) {
        ds_put_format(s, "rule %u of a filter that is broken now: %s", rule,
                      nwf_error_text(&filled_in->error));
    } else {
        ds_put_format(s, "rule %u, which is none any more, or one of the last of many", rule);
    }
}

/* ---- Flows. ---- */

static const char *
classified_text(uint8_t table)
{
    switch (table) {
    case NWF_TABLE_CLASSIFY:
        return "its way in";
    case NWF_TABLE_LIMITS:
    case NWF_TABLE_LIMITS + 1:
        return "what it may send a second";
    case NWF_TABLE_SENDER:
        return "where it is, learned of what its filter lets pass";
    default:
        return "the way to it";
    }
}

/* What is the port's own and no rule of its filter. */
static const char *
port_text(uint8_t table, uint64_t cookie)
{
    switch (nwf_cookie_kind(cookie)) {
    case NWF_COOKIE_CLASSIFY:
        return classified_text(table);
    case NWF_COOKIE_DELIVER:
        return "its own address";
    case NWF_COOKIE_TRUSTED:
        return "a trusted port";
    case NWF_COOKIE_QUARANTINE:
        return "quarantined";
    case NWF_COOKIE_PINNED:
        return "its own address was seen there";
    case NWF_COOKIE_LEARNED:
        return "an address that was seen there";
    case NWF_COOKIE_ROUTE:
        return nwf_cookie_port(cookie) ? "where it is routed" : "routing by flows";
    case NWF_COOKIE_GUARD:
        return "the uplink guard";
    case NWF_COOKIE_OFFENDER:
        return "what the uplink guard has kept back of it";
    case NWF_COOKIE_FIXED:
    case NWF_COOKIE_FROM_VM:
    case NWF_COOKIE_TO_VM:
    case NWF_COOKIE_FLOOD:
    case NWF_COOKIE_PENDING:
        break;
    }
    return NULL;
}

static void
put_own(const struct ofctl_explainer *explainer, uint8_t table, uint64_t cookie, struct ds *s)
{
    const char *text = port_text(table, cookie);

    if (nwf_cookie_kind(cookie) == NWF_COOKIE_FLOOD) {
        ds_put_cstr(s, "frames for all of a VLAN");
    } else if (nwf_cookie_kind(cookie) == NWF_COOKIE_PENDING) {
        ds_put_cstr(s, "mark: cached flows may be those of the policy before");
    } else if (!text) {
        ds_put_cstr(s, "the pipeline (pipeline.flows)");
    } else if (!nwf_cookie_port(cookie)) {
        ds_put_cstr(s, text);
    } else {
        const struct nwf_port_config *port = find_port(explainer, nwf_cookie_port(cookie));
        put_port(explainer, nwf_cookie_port(cookie), s);
        ds_put_format(s, ", %s", text);
        if (port && port->error.text && nwf_cookie_kind(cookie) == NWF_COOKIE_QUARANTINE) {
            ds_put_format(s, ": %s", nwf_error_text(&port->error));
        }
    }
}

/* Where an operator's own flow stands, or that of somebody who knows nothing of us. */
static const char *
foreign_text(uint8_t table)
{
    switch (table) {
    case NWF_TABLE_BEFORE:
        return "an operator's: before guests' filters";
    case NWF_TABLE_BEHIND:
        return "an operator's: behind guests' filters";
    case NWF_TABLE_UPLINK:
        return "an operator's: towards the uplink";
    default:
        return "of no network filter";
    }
}

void
ofctl_explain_flow(struct ofctl_explainer *explainer, uint8_t table, uint64_t cookie, struct ds *s)
{
    enum nwf_cookie_kind kind = nwf_cookie_kind(cookie);

    ds_put_cstr(s, "    # ");
    if ((cookie & NWF_COOKIE_ALL_MASK) != NWF_COOKIE_MAGIC) {
        ds_put_cstr(s, foreign_text(table));
    } else if (kind == NWF_COOKIE_FROM_VM || kind == NWF_COOKIE_TO_VM) {
        put_rule(explainer, cookie, s);
    } else {
        put_own(explainer, table, cookie, s);
    }
    ds_put_char(s, '\n');
}
