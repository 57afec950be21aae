/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows of network filters are safe from commands that were meant for others; see protect.h.
 *
 * What a change would do is found out here, by the rules of the switch, and not there: many
 * changes may come at once, and the switch is asked once.  Only a bridge of this host that has a
 * record of being managed is asked, and what is no bridge of this host: with all others the
 * conversation is ovs-ofctl's. */
#include <config.h>

#include "protect.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "flows_in.h"
#include "nwf/flow.h"
#include "nwf/pipeline.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"

#include "lib/byte-order.h"
#include "lib/util.h"

#include "../../compile/match.h"

/* Ports that a refusal names. */
#define NAMES_MAX 4

/* Losses that are counted. */
#define LOSSES_MAX 1000000

/* What changes may do to flows of ours; the first of these that one does is told. */
enum loss { LOSS_DELETED, LOSS_CHANGED, LOSS_REPLACED, LOSS_BELOW };
#define N_LOSSES 4

struct losses {
    const struct nwf_flow **data;
    size_t n, allocated;
};

struct ofctl_protection {
    struct ofctl *ofctl;
    const char *target;
    /* A table's flows, those of low priority first. */
    struct {
        struct nwf_flow **data;
        size_t n, allocated;
    } tables[256];
    struct losses losses[N_LOSSES]; /* A flow may be there more than once. */
};

/* ---- Our flows on the switch. ---- */

char *
ofctl_bridge_of(const char *target)
{
    bool is_path = !strncmp(target, "unix:", 5) || !strchr(target, ':');
    const char *slash = strrchr(target, '/');
    const char *at = strchr(target, '@');
    const char *name = slash                          ? slash + 1
                       : at                           ? at + 1
                       : !strncmp(target, "unix:", 5) ? target + 5
                                                      : target;
    const char *suffix = strrchr(name, '.');
    bool is_socket = suffix && !strcmp(suffix, ".mgmt");

    if (!is_path || (!is_socket && (slash || !strncmp(target, "unix:", 5)))) {
        return NULL;
    }
    return is_socket ? nwf_strndup(name, (size_t) (suffix - name)) : nwf_strdup(name);
}

static bool
may_be_managed(const char *target)
{
    char *bridge CLEANUP_FREE = ofctl_bridge_of(target);

    return !bridge || nwf_record_exists(bridge);
}

static void
take_flow(const struct ofputil_flow_stats *flow, void *protection_)
{
    struct ofctl_protection *protection = protection_;

    if ((ntohll(flow->cookie) & NWF_COOKIE_ALL_MASK) == NWF_COOKIE_MAGIC) {
        nwf_vec_push(&protection->tables[flow->table_id],
                     nwf_flow_new(flow->table_id, flow->priority, ntohll(flow->cookie),
                                  &flow->match, flow->ofpacts, flow->ofpacts_len));
    }
}

static int
compare_priorities(const void *a_, const void *b_)
{
    const struct nwf_flow *const *a = a_, *const *b = b_;

    return (*a)->priority - (*b)->priority;
}

static bool
is_deletion(const struct ofputil_flow_mod *mod)
{
    return mod->command == OFPFC_DELETE || mod->command == OFPFC_DELETE_STRICT;
}

static bool
is_strict(const struct ofputil_flow_mod *mod)
{
    return mod->command == OFPFC_DELETE_STRICT || mod->command == OFPFC_MODIFY_STRICT;
}

/* The table that a flow is added to. */
static uint8_t
table_of(const struct ofputil_flow_mod *mod)
{
    return mod->table_id == 0xff ? 0 : mod->table_id;
}

/* All of ours, or as many as can have to do with the one change. */
static void
set_request(const struct ofputil_flow_mod *scope, struct ofputil_flow_stats_request *request)
{
    *request = (struct ofputil_flow_stats_request){
        .cookie = htonll(NWF_COOKIE_MAGIC),
        .cookie_mask = htonll(NWF_COOKIE_ALL_MASK),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = !scope                        ? 0xff
                    : scope->command == OFPFC_ADD ? table_of(scope)
                                                  : scope->table_id,
    };
    if (scope && is_deletion(scope)) {
        minimatch_expand(&scope->match, &request->match);
    } else {
        match_init_catchall(&request->match);
    }
}

static bool
is_empty(const struct ofctl_protection *protection)
{
    for (size_t table = 0; table < ARRAY_SIZE(protection->tables); table++) {
        if (protection->tables[table].n) {
            return false;
        }
    }
    return true;
}

/* Whether the switch says that it has such flows.  One that does not understand the question is no
 * Open vSwitch, and has none. */
static bool
has_flows(struct vconn *vconn, const struct ofputil_flow_stats_request *request,
          enum ofputil_protocol protocol)
{
    struct ofputil_flow_stats_request aggregate = *request;
    struct ofputil_aggregate_stats stats = {.flow_count = 0};
    enum ofptype type;

    aggregate.aggregate = true;
    struct ofpbuf *reply =
        ofctl_transact(vconn, ofputil_encode_flow_stats_request(&aggregate, protocol));
    bool is_known = !ofptype_decode(&type, reply->data) && type == OFPTYPE_AGGREGATE_STATS_REPLY
                    && !ofputil_decode_aggregate_stats_reply(&stats, reply->data);
    ofpbuf_delete(reply);
    return is_known && stats.flow_count;
}

static void
read_flows(struct ofctl_protection *protection, const struct ofputil_flow_mod *scope)
{
    struct ofputil_flow_stats_request request;
    struct vconn *vconn = ofctl_connect(protection->target);
    enum ofputil_protocol protocol = ofputil_protocol_from_ofp_version(ofctl_version(vconn));

    /* Of OpenFlow 1.0 the extension, which knows of cookies, and needs no negotiation. */
    if (protocol & OFPUTIL_P_OF10_ANY) {
        protocol = OFPUTIL_P_OF10_NXM_TID;
    }
    set_request(scope, &request);
    if (has_flows(vconn, &request, protocol)) {
        ofctl_read_flows(vconn, &request, protocol, take_flow, protection);
    }
    vconn_close(vconn);
    for (size_t table = 0; table < ARRAY_SIZE(protection->tables); table++) {
        if (protection->tables[table].n) {
            qsort(protection->tables[table].data, protection->tables[table].n,
                  sizeof(struct nwf_flow *), compare_priorities);
        }
    }
}

struct ofctl_protection *
ofctl_protection_new(struct ofctl *ofctl, const char *target, const struct ofputil_flow_mod *scope)
{
    if (ofctl->force || !may_be_managed(target)) {
        return NULL;
    }

    struct ofctl_protection *protection = nwf_zalloc(sizeof *protection);
    protection->ofctl = ofctl;
    protection->target = target;
    read_flows(protection, scope);
    if (is_empty(protection)) {
        ofctl_protection_free(protection);
        return NULL;
    }
    return protection;
}

void
ofctl_protection_free(struct ofctl_protection *protection)
{
    for (size_t table = 0; protection && table < ARRAY_SIZE(protection->tables); table++) {
        nwf_vec_foreach (flow, &protection->tables[table]) {
            nwf_flow_free(*flow);
        }
        nwf_vec_clear(&protection->tables[table]);
    }
    for (int loss = 0; protection && loss < N_LOSSES; loss++) {
        nwf_vec_clear(&protection->losses[loss]);
    }
    free(protection);
}

/* ---- Matches. ---- */

/* On a bridge all packets are Ethernet's; only some matches say so. */
static void
expand(const struct minimatch *match, struct match *ret)
{
    minimatch_expand(match, ret);
    ret->flow.packet_type = 0;
    ret->wc.masks.packet_type = 0;
}

/* Whether there can be a packet that both match. */
static bool
overlap(const struct match *a, const struct match *b)
{
    struct match both = *a;

    return nwf_match_and(&both, b);
}

/* ---- Changes. ---- */

static void
note(struct losses *losses, const struct nwf_flow *flow)
{
    if (losses->n < LOSSES_MAX) {
        nwf_vec_push(losses, flow);
    }
}

/* Whether the switch takes the flow for one that a change of existing flows is about. */
static bool
is_meant(const struct nwf_flow *flow, const struct ofputil_flow_mod *mod,
         const struct match *wanted)
{
    struct minimatch own = nwf_flow_match(flow);
    struct match match;

    expand(&own, &match);
    if ((htonll(flow->cookie) ^ mod->cookie) & mod->cookie_mask || !nwf_match_covers(wanted, &match)
        || (is_strict(mod)
            && (flow->priority != mod->priority || !nwf_match_covers(&match, wanted)))) {
        return false;
    }
    return !is_deletion(mod)
           || ((mod->out_port == OFPP_ANY
                || ofpacts_output_to_port(flow->form->ofpacts, flow->form->ofpacts_len,
                                          mod->out_port))
               && (mod->out_group == OFPG_ANY
                   || ofpacts_output_to_group(flow->form->ofpacts, flow->form->ofpacts_len,
                                              mod->out_group)));
}

/* Flows of ours that a deletion deletes, or a modification changes. */
static void
find_meant(const struct ofctl_protection *protection, const struct ofputil_flow_mod *mod,
           struct losses *ret)
{
    struct match wanted;

    expand(&mod->match, &wanted);
    for (size_t table = 0; table < ARRAY_SIZE(protection->tables); table++) {
        if (mod->table_id != 0xff && mod->table_id != table) {
            continue;
        }
        nwf_vec_foreach (flow, &protection->tables[table]) {
            if (is_meant(*flow, mod, &wanted)) {
                note(ret, *flow);
            }
        }
    }
}

/* Flows of ours that a new flow replaces. */
static void
find_replaced(const struct ofctl_protection *protection, const struct ofputil_flow_mod *mod,
              struct losses *ret)
{
    struct match wanted;

    expand(&mod->match, &wanted);
    nwf_vec_foreach (flow, &protection->tables[table_of(mod)]) {
        struct minimatch own = nwf_flow_match(*flow);
        struct match match;

        if ((*flow)->priority == mod->priority) {
            expand(&own, &match);
            if (nwf_match_covers(&wanted, &match) && nwf_match_covers(&match, &wanted)) {
                note(ret, *flow);
            }
        }
    }
}

/* Flows of ours that a new flow takes packets from, or may, where none of its like belongs. */
static void
find_below(const struct ofctl_protection *protection, const struct ofputil_flow_mod *mod,
           struct losses *ret)
{
    struct match wanted;

    expand(&mod->match, &wanted);
    if (nwf_is_table_of_operator(table_of(mod))) {
        return;
    }
    nwf_vec_foreach (flow, &protection->tables[table_of(mod)]) {
        struct minimatch own = nwf_flow_match(*flow);
        struct match match;

        if ((*flow)->priority > mod->priority) {
            return;
        }
        expand(&own, &match);
        if (overlap(&wanted, &match)) {
            note(ret, *flow);
        }
    }
}

void
ofctl_protection_check(struct ofctl_protection *protection, const struct ofputil_flow_mod *mod)
{
    bool may_add = mod->command == OFPFC_ADD
                   || (!is_deletion(mod) && mod->new_cookie != OVS_BE64_MAX && !mod->cookie_mask);

    if (!protection) {
        return;
    }
    if (mod->command != OFPFC_ADD) {
        find_meant(protection, mod,
                   &protection->losses[is_deletion(mod) ? LOSS_DELETED : LOSS_CHANGED]);
    }
    if (may_add) {
        find_replaced(protection, mod, &protection->losses[LOSS_REPLACED]);
        find_below(protection, mod, &protection->losses[LOSS_BELOW]);
    }
}

/* ---- Refusals. ---- */

static int
compare_pointers(const void *a_, const void *b_)
{
    const struct nwf_flow *const *a = a_, *const *b = b_;

    return (*a > *b) - (*a < *b);
}

static void
drop_repeated(struct losses *losses)
{
    size_t n = 0;

    qsort(losses->data, losses->n, sizeof losses->data[0], compare_pointers);
    for (size_t i = 0; i < losses->n; i++) {
        if (!i || losses->data[i] != losses->data[i - 1]) {
            losses->data[n++] = losses->data[i];
        }
    }
    losses->n = n;
}

/* " (of vnet0, vnet1 and 3 more)" */
static void
put_ports(const struct ofctl_protection *protection, const struct losses *losses, struct ds *s)
{
    const struct ofputil_port_map *names =
        ofctl_ports_to_accept(protection->ofctl, protection->target);
    bool seen[UINT16_MAX + 1] = {false};
    size_t n = 0;

    nwf_vec_foreach (flow, losses) {
        uint16_t port = nwf_cookie_port((*flow)->cookie);
        if (!port || seen[port]) {
            continue;
        }
        seen[port] = true;
        if (n++ < NAMES_MAX) {
            ds_put_cstr(s, n > 1 ? ", " : " (of ");
            ofputil_format_port(OFP_PORT_C(port), names, s);
        }
    }
    if (n > NAMES_MAX) {
        ds_put_format(s, " and %zu more", n - NAMES_MAX);
    }
    ds_put_cstr(s, n ? ")" : "");
}

static _Noreturn void
refuse(const struct ofctl_protection *protection, enum loss loss, struct losses *losses)
{
    static const char *const words[] = {
        [LOSS_DELETED] = "delete",
        [LOSS_CHANGED] = "change",
        [LOSS_REPLACED] = "replace",
        [LOSS_BELOW] = "stand above",
    };
    struct ds s = DS_EMPTY_INITIALIZER;

    drop_repeated(losses);
    qsort(losses->data, losses->n, sizeof losses->data[0], nwf_flow_compare);
    ds_put_format(&s, "%zu flow%s of network filters", losses->n, losses->n > 1 ? "s" : "");
    put_ports(protection, losses, &s);
    ds_put_cstr(&s, ", such as \"");
    nwf_flow_format(losses->data[0], &s);
    ovs_fatal(0, "%s: that would %s %s\"%s; nothing was changed, and --force does it",
              protection->target, words[loss], ds_cstr(&s),
              loss == LOSS_BELOW ? " (tables 3, 210 and 211 are for flows of your own)" : "");
}

void
ofctl_protection_judge(struct ofctl_protection *protection)
{
    for (int loss = 0; protection && loss < N_LOSSES; loss++) {
        if (protection->losses[loss].n) {
            refuse(protection, (enum loss) loss, &protection->losses[loss]);
        }
    }
}

/* ---- All flows at once. ---- */

#define MAGIC_BITS 24

static bool
deletes_everything(const struct ofputil_flow_mod *mod)
{
    struct match match;

    minimatch_expand(&mod->match, &match);
    return mod->command == OFPFC_DELETE && mod->table_id == 0xff && !mod->cookie_mask
           && mod->out_port == OFPP_ANY && mod->out_group == OFPG_ANY
           && flow_wildcards_is_catchall(&match.wc);
}

/* Deletions of all flows that are not ours: a cookie is another's if one of its first bits is
 * another than ours. */
static void
delete_others(const struct ofputil_flow_mod *mod, struct ofputil_flow_mod others[MAGIC_BITS])
{
    for (int i = 0; i < MAGIC_BITS; i++) {
        uint64_t bit = UINT64_C(1) << (63 - i);

        others[i] = *mod;
        others[i].ofpacts = NULL;
        others[i].ofpacts_len = 0;
        minimatch_init_catchall(&others[i].match);
        others[i].cookie = htonll(~NWF_COOKIE_MAGIC & bit);
        others[i].cookie_mask = htonll(bit);
    }
}

static size_t
count(const struct ofctl_protection *protection)
{
    size_t n = 0;

    for (size_t table = 0; table < ARRAY_SIZE(protection->tables); table++) {
        n += protection->tables[table].n;
    }
    return n;
}

struct ofputil_flow_mod *
ofctl_protect(struct ofctl *ofctl, const char *target, struct ofputil_flow_mod *mods, size_t *n,
              enum ofputil_protocol *usable)
{
    static struct ofputil_flow_mod others[MAGIC_BITS];
    struct ofctl_protection *protection =
        *n ? ofctl_protection_new(ofctl, target, *n == 1 ? mods : NULL) : NULL;

    if (protection && *n == 1 && deletes_everything(mods)) {
        fprintf(stderr,
                "%s: %s: %zu flows of network filters stay (--force deletes them, too, and "
                "\"ovs-nwfilter unmanage\" ends it)\n",
                program_name, target, count(protection));
        delete_others(mods, others);
        *n = MAGIC_BITS;
        *usable &= OFPUTIL_P_NXM_OF11_UP;
        mods = others;
    } else if (protection) {
        for (size_t i = 0; i < *n; i++) {
            ofctl_protection_check(protection, &mods[i]);
        }
        ofctl_protection_judge(protection);
    }
    ofctl_protection_free(protection);
    return mods;
}

void
ofctl_protect_bundle(struct ofctl *ofctl, const char *target,
                     const struct ofputil_bundle_msg *messages, size_t n)
{
    struct ofctl_protection *protection = n ? ofctl_protection_new(ofctl, target, NULL) : NULL;

    for (size_t i = 0; protection && i < n; i++) {
        if (messages[i].type == OFPTYPE_FLOW_MOD) {
            ofctl_protection_check(protection, &messages[i].fm);
        }
    }
    ofctl_protection_judge(protection);
    ofctl_protection_free(protection);
}

/* ---- Meters. ---- */

static bool
has_meter(const struct nwf_flow *flow, uint32_t id)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, flow->form->ofpacts, flow->form->ofpacts_len) {
        if (a->type == OFPACT_METER && (id == OFPM13_ALL || ofpact_get_METER(a)->meter_id == id)) {
            return true;
        }
    }
    return false;
}

void
ofctl_protect_meters(struct ofctl *ofctl, const char *target, const struct ofputil_meter_mod *mod)
{
    struct ofctl_protection *protection =
        mod->command == OFPMC13_ADD ? NULL : ofctl_protection_new(ofctl, target, NULL);
    enum loss loss = mod->command == OFPMC13_DELETE ? LOSS_DELETED : LOSS_CHANGED;

    for (size_t table = 0; protection && table < ARRAY_SIZE(protection->tables); table++) {
        nwf_vec_foreach (flow, &protection->tables[table]) {
            if (has_meter(*flow, mod->meter.meter_id)) {
                note(&protection->losses[loss], *flow);
            }
        }
    }
    ofctl_protection_judge(protection);
    ofctl_protection_free(protection);
}
