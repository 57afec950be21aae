/* SPDX-License-Identifier: Apache-2.0
 *
 * explain: which rules a packet meets in a port's filter, and what comes of it. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "cli.h"
#include "explain.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "nwf/vswitchd.h"
#include "openvswitch/dynamic-string.h"
#include "packet.h"

#include "lib/flow.h"
#include "lib/packets.h"

static const char *bindings_file, *ct_states, *sender_name;
static bool live, from_guest;

static const struct nwf_option options[] = {
    {"live", NULL, nwf_option_flag, &live,
     "ask the switch too (ofproto/trace); exit 2 if it disagrees"},
    {"bindings", "FILE", nwf_option_text, &bindings_file,
     "take the binding from there (XML or JSON), not from OVSDB"},
    {"from", "IFACE", nwf_option_text, &sender_name,
     "a packet \"in\" that this port sends (a trusted one)"},
    {"ct", "STATE[,STATE]", nwf_option_text, &ct_states,
     "what conntrack says of the packet, e.g. est,rpl (new)"},
    {"from-guest", NULL, nwf_option_flag, &from_guest,
     "the packet for the port comes from another guest, not from a trusted port"},
    {.name = NULL},
};

/* The port that is asked about. */
struct subject {
    char *bridge; /* NULL: offline. */
    struct nwf_binding binding;
    struct nwf_explain_port port;
    uint16_t from; /* A port that a packet for it may come from, */
    struct nwf_vlan from_vlan;
    bool is_from_guest;
};

static void
subject_finish(struct subject *subject)
{
    nwf_binding_clear(&subject->binding);
    nwf_vlan_clear(&subject->port.vlan);
    nwf_vlan_clear(&subject->from_vlan);
    free(subject->bridge);
}

/* ---- Where the binding comes from. ---- */

static struct nwf_binding *
find_binding(const struct nwf_bindings *bindings, const char *iface)
{
    nwf_vec_foreach (binding, bindings) {
        if (!strcmp(binding->port, iface)) {
            return binding;
        }
    }
    return NULL;
}

static int
from_file(const char *iface, struct subject *ret, struct nwf_error *err)
{
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    int r = nwf_bindings_read(bindings_file, &bindings, err);

    if (r) {
        return r;
    }
    const struct nwf_binding *from = sender_name ? find_binding(&bindings, sender_name) : NULL;
    struct nwf_binding *binding = find_binding(&bindings, iface);
    if (!binding || (sender_name && !from)) {
        return nwf_error_set(err, -ENOENT, "%s: no binding of %.80s", bindings_file,
                             binding ? sender_name : iface);
    }
    ret->port = (struct nwf_explain_port){.ofport = 1, .from_isolated = from && from->isolated};
    ret->is_from_guest = from != NULL;
    ret->binding = *binding;
    memset(binding, 0, sizeof *binding);
    return 0;
}

/* A trusted port that packets may come from: another one than LOCAL if there is one, since
 * the host's own packets are not the IP layer's. */
static uint16_t
find_sender(const struct nwf_plan *plan)
{
    uint16_t found = NWF_OFPORT_LOCAL;

    nwf_vec_foreach (port, &plan->ports) {
        const struct nwf_port_config *config = &(*port)->config;
        if (config->role == NWF_TRUSTED && config->ofport && found == NWF_OFPORT_LOCAL) {
            found = config->ofport;
        }
    }
    return found;
}

/* Who sends it: the port that the option names, or any trusted one. */
static int
take_sender(const struct nwf_plan *plan, struct subject *ret, struct nwf_error *err)
{
    const struct nwf_plan_port *sender = sender_name ? nwf_plan_find_port(plan, sender_name) : NULL;

    if (!sender_name) {
        ret->from = find_sender(plan);
        return 0;
    }
    if (!sender || !sender->config.ofport || sender->config.role == NWF_QUARANTINED) {
        return nwf_error_set(err, -EINVAL, "--from=%.80s: %s on bridge %s", sender_name,
                             sender ? "nothing passes it" : "there is no such port", plan->name);
    }
    ret->from = sender->config.ofport;
    ret->from_vlan = nwf_vlan_copy(&sender->config.vlan);
    ret->is_from_guest = sender->config.role == NWF_GUEST;
    ret->port.from_isolated = sender->config.role == NWF_GUEST && sender->config.binding.isolated;
    return 0;
}

static int
take_port(const struct nwf_ovs_bridge *bridge, const struct nwf_plan *plan,
          struct nwf_port_config *config, struct subject *ret, struct nwf_error *err)
{
    if (config->role != NWF_GUEST) {
        return nwf_error_set(err, -EINVAL, "%s is %s%s%s", config->name,
                             bridge->config.managed == NWF_UNMANAGED && !config->binding.filter
                                 ? "not bound to a filter"
                                 : nwf_port_role_to_string(config->role),
                             config->error.text ? ": " : "",
                             config->error.text ? nwf_error_text(&config->error) : "");
    }
    ret->bridge = nwf_strdup(bridge->name);
    ret->binding = config->binding;
    memset(&config->binding, 0, sizeof config->binding);
    ret->port = (struct nwf_explain_port){
        .ofport = config->ofport,
        .vlan = nwf_vlan_copy(&config->vlan),
        .inner_tags = plan->bridge.inner_tags,
        .blurred_tags = plan->bridge.blurred_tags,
    };
    return take_sender(plan, ret, err);
}

static int
from_database(struct nwf_cli *cli, const char *iface, struct subject *ret, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bare_bridges(db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        struct nwf_plan plan CLEANUP(nwf_plan_finish);

        nwf_plan_init(&plan, bridge->name);
        nwf_plan_update(&plan, bridge, &cli->sources, true);
        struct nwf_plan_port *port = nwf_plan_find_port(&plan, iface);
        if (port) {
            return take_port(bridge, &plan, &port->config, ret, err);
        }
    }
    return nwf_error_set(err, -ENOENT, "%.80s: no such interface", iface);
}

/* ---- What the switch says. ---- */

/* Whether the guest gets the packet with the tag of the VLAN that it is in. */
static bool
keeps_tag(const struct nwf_vlan *vlan, const struct flow *packet)
{
    uint16_t vid = vlan_tci_to_vid(packet->vlans[0].tci);

    return packet->vlans[0].tci && nwf_vlan_has(vlan, vid) && !nwf_vlan_is_untagged(vlan, vid);
}

/* The packet as it comes in by a trusted trunk, if the guest gets it without its VLAN's tag. */
static struct flow
tagged(const struct subject *subject, const struct flow *packet)
{
    const struct nwf_vlan *vlan = &subject->port.vlan;
    struct flow flow = *packet;

    if (!vlan->tag || !nwf_vlan_is_untagged(vlan, vlan->tag) || keeps_tag(vlan, packet)) {
        return flow;
    }
    if (!subject->port.inner_tags && packet->vlans[0].tci) { /* It will not show. */
        flow.dl_type = packet->vlans[0].tpid;
        flow.vlans[0].qtag = 0;
    }
    flow_push_vlan_uninit(&flow, NULL);
    flow.vlans[0].tpid = htons(ETH_TYPE_VLAN);
    flow.vlans[0].tci = htons(VLAN_CFI | vlan->tag);
    return flow;
}

/* And as the port sends it that it is from. */
static struct flow
as_sent(const struct subject *subject, const struct flow *packet)
{
    const struct nwf_vlan *vlan = &subject->from_vlan;
    struct flow flow = tagged(subject, packet);

    if (vlan->mode != NWF_VLAN_TRUNK && flow.vlans[0].tci
        && vlan_tci_to_vid(flow.vlans[0].tci) == vlan->tag) {
        flow_pop_vlan(&flow, NULL);
    }
    return flow;
}

static char *
ct_words(const struct nwf_evaluation_ct *ct)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    format_flags(&s, ct_state_to_string, ct->state, ',');
    return ds_steal_cstr(&s);
}

/* Asks the switch, and keeps what it says of this port's filter. */
static int
ask_switch(const struct nwf_cli *cli, const struct subject *subject, enum nwf_direction direction,
           const struct nwf_packet *packet, struct nwf_trace *ret, struct nwf_error *err)
{
    bool is_host = packet->flow.in_port.ofp_port == OFPP_LOCAL;
    uint16_t in_port = direction == NWF_OUT ? subject->port.ofport
                       : is_host            ? NWF_OFPORT_LOCAL
                                            : subject->from;
    struct flow seen = direction == NWF_OUT ? packet->flow : as_sent(subject, &packet->flow);
    char *text CLEANUP_FREE = nwf_flow_text(&seen, in_port);
    char *ct CLEANUP_FREE = ct_words(&packet->ct);
    int r = nwf_trace_packet(subject->bridge, text, ct, cli->timeout_ms, ret, err);
    size_t kept = 0;

    nwf_vec_foreach (flow, &ret->flows) {
        enum nwf_cookie_kind kind = nwf_cookie_kind(flow->cookie);
        if ((flow->cookie & NWF_COOKIE_ALL_MASK) == NWF_COOKIE_MAGIC
            && kind == (direction == NWF_OUT ? NWF_COOKIE_FROM_VM : NWF_COOKIE_TO_VM)
            && nwf_cookie_port(flow->cookie) == subject->port.ofport) {
            ret->flows.data[kept++] = *flow;
        }
    }
    ret->flows.n = kept;
    return r;
}

static bool
has_same_steps(const struct nwf_explanation *explanation, const struct nwf_trace *trace)
{
    if (trace->flows.n != explanation->steps.n) {
        return false;
    }
    for (size_t i = 0; i < trace->flows.n; i++) {
        if (trace->flows.data[i].table != explanation->steps.data[i].table
            || trace->flows.data[i].cookie != explanation->steps.data[i].cookie) {
            return false;
        }
    }
    return true;
}

/* Floods give a port by its number what its filter accepts whatever the frame (flood.c). */
static bool
is_spared(const struct nwf_explanation *explanation, enum nwf_direction direction, uint16_t ofport,
          const struct nwf_trace *trace)
{
    bool is_put_out = false;

    nwf_vec_foreach (port, &trace->outputs) {
        is_put_out |= *port == ofport;
    }
    return direction == NWF_IN && is_put_out && !trace->flows.n && explanation->accepted;
}

static void
compare(const struct subject *subject, struct nwf_cli_explanation *shown)
{
    const struct nwf_explanation *explanation = shown->explanation;
    /* Steps at the port's door have no flow of the filter. */
    bool refused = explanation->steps.data[0].table == NWF_TABLE_CLASSIFY;

    shown->is_spared = is_spared(explanation, shown->direction, subject->port.ofport, shown->trace);
    shown->agrees =
        shown->is_spared
        || (refused ? !shown->trace->flows.n : has_same_steps(explanation, shown->trace));
}

/* ---- The verb. ---- */

static int
parse_direction(const char *word, enum nwf_direction *ret, struct nwf_error *err)
{
    *ret = strcmp(word, "in") ? NWF_OUT : NWF_IN;
    return !strcmp(word, "in") || !strcmp(word, "out")
               ? 0
               : nwf_error_set(err, -EINVAL, "\"%.80s\" is neither in nor out", word);
}

static int
answer(struct nwf_cli *cli, const struct subject *subject, enum nwf_direction direction,
       const struct nwf_packet *packet, struct nwf_error *err)
{
    struct nwf_explanation explanation CLEANUP(nwf_explanation_clear) = {.accepted = false};
    struct nwf_trace trace CLEANUP(nwf_trace_clear) = {.flows.data = NULL};
    struct nwf_cli_explanation shown = {
        .port = cli->argv[0],
        .direction = direction,
        .explanation = &explanation,
    };
    const struct nwf_explain_question question = {
        .binding = &subject->binding,
        .port = &subject->port,
        .direction = direction,
        .packet = &packet->flow,
        .ct = &packet->ct,
    };
    int r = nwf_explain(cli->store, &question, &explanation, err);

    if (r) {
        nwf_error_wrap(err, "%s", cli->argv[0]);
    } else if (live) {
        r = ask_switch(cli, subject, direction, packet, &trace, err);
        shown.trace = &trace;
        compare(subject, &shown);
    }
    if (!r) {
        nwf_cli_print_explanation(&shown, cli->json);
    }
    if (r) {
        return r;
    }
    return live && !shown.agrees ? NWF_EXIT_DIFFERENT : NWF_EXIT_OK;
}

static int
explain(struct nwf_cli *cli, struct nwf_error *err)
{
    struct subject subject CLEANUP(subject_finish) = {.bridge = NULL};
    struct nwf_packet packet CLEANUP(nwf_packet_clear) = {.data = NULL};
    enum nwf_direction direction;
    int r;

    if ((r = parse_direction(cli->argv[1], &direction, err))
        || (r = nwf_packet_parse(cli->argv[2], ct_states, &packet, err))) {
        return r;
    }
    if (sender_name && direction != NWF_IN) {
        return nwf_error_set(err, -EINVAL, "--from is for packets \"in\"");
    }
    if (live && bindings_file) {
        return nwf_error_set(err, -EINVAL, "--live asks the switch, --bindings does without it");
    }
    if (live && from_guest) {
        return nwf_error_set(err, -EINVAL,
                             "--live asks about packets from a port: --from, not --from-guest");
    }
    r = bindings_file ? from_file(cli->argv[0], &subject, err)
                      : from_database(cli, cli->argv[0], &subject, err);
    if (r) {
        return r;
    }
    if (packet.flow.in_port.ofp_port != OFPP_LOCAL) {
        packet.flow.in_port.ofp_port = 0;
    }
    packet.flow.regs[NWF_REG_INBOUND] =
        direction == NWF_IN && !from_guest && !subject.is_from_guest;
    return answer(cli, &subject, direction, &packet, err);
}

const struct nwf_verb nwf_explain_verbs[] = {
    {"explain", "IFACE in|out PACKET", "which rules a packet meets, and what comes of it", 3, 3,
     options, .needs_policies = true, .run = explain},
    {.name = NULL},
};
