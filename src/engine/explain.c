/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of a packet through a port's filter, in words; see nwf/explain.h. */
#include <config.h>

#include "nwf/explain.h"

#include <arpa/inet.h>
#include <string.h>

#include "nwf/pipeline.h"
#include "nwf/text.h"

#include "lib/packets.h"

#include "../compile/flood.h"
#include "../compile/guard.h"
#include "../compile/match.h"
#include "../compile/tag.h"

void
nwf_explanation_clear(struct nwf_explanation *explanation)
{
    nwf_vec_foreach (step, &explanation->steps) {
        free(step->place);
        free(step->result);
    }
    nwf_vec_clear(&explanation->steps);
}

static char *
set_text(const struct nwf_row *row, int next)
{
    static const char *const strays[] = {
        [NWF_STRAY_NONE] = "",
        [NWF_STRAY_INVALID] = "to Linux it is INVALID, ",
        [NWF_STRAY_DOUBT] = "its state is in doubt, ",
        [NWF_STRAY_ERROR] = "it may be RELATED, ",
    };

    if (row->set.reg == NWF_REG_COMPARED) {
        return nwf_asprintf("%son to table %d",
                            !row->set.compares  ? ""
                            : !row->set.is_last ? "address is one of the rules', "
                                                : "address is none of the rules', ",
                            next);
    }
    return row->set.reg == NWF_REG_STRAY
               ? nwf_asprintf("%son to table %d", strays[row->set.value], next)
               : nwf_asprintf("address is in sets 0x%x, on to table %d", row->set.value, next);
}

static char *
result_text(const struct nwf_row *row, enum nwf_direction direction)
{
    uint8_t first = direction == NWF_OUT ? NWF_TABLE_FROM_VM : NWF_TABLE_TO_VM;
    int next = first + (int) row->target;

    switch (row->verdict) {
    case NWF_V_ACCEPT:
        return nwf_strdup("passes");
    case NWF_V_DROP:
        return nwf_strdup(row->why == NWF_WHY_DOUBT
                              ? "dropped: Open vSwitch does not see whether the rule matches"
                              : "dropped");
    case NWF_V_SET:
        return set_text(row, next);
    case NWF_V_TRACK:
        return nwf_asprintf("tracked, on to table %d", next);
    case NWF_V_MARK:
        return nwf_asprintf("connection is %s, on to table %d",
                            row->mark.value & NWF_CT_MARK_REFUSED ? "refused" : "answered", next);
    case NWF_V_COMMIT:
        return nwf_asprintf("begins a connection, on to table %d", next);
    case NWF_V_JOIN:
        return nwf_asprintf("waits for all fragments of its packet, on to table %d", next);
    case NWF_V_GOTO:
        break;
    }
    return nwf_asprintf("%son to table %d",
                        row->why == NWF_WHY_EXCEPTION ? "rule does not match, "
                        : row->why == NWF_WHY_HOST    ? "the host's own, "
                                                      : "",
                        next);
}

static struct nwf_explained_step
explain_step(const struct nwf_side *side, enum nwf_direction direction, uint16_t ofport,
             const struct nwf_step *step)
{
    const struct nwf_row *row = step->row;
    uint8_t first = direction == NWF_OUT ? NWF_TABLE_FROM_VM : NWF_TABLE_TO_VM;
    const struct nwf_rule *rule =
        row->rule < side->rules.n ? side->rules.data[row->rule].rule : NULL;

    return (struct nwf_explained_step){
        .table = (uint8_t) (first + step->stage),
        .cookie = nwf_cookie(direction == NWF_OUT ? NWF_COOKIE_FROM_VM : NWF_COOKIE_TO_VM, ofport,
                             row->rule),
        .chain = !rule                  ? ""
                 : nwf_rule_is_ip(rule) ? rule->protocol->name
                                        : rule->filter->chain,
        .place = rule ? nwf_asprintf("%s:%u", rule->filter->file, rule->line) : nwf_strdup(""),
        .action = rule ? nwf_action_to_string(rule->action) : "",
        .result = result_text(row, direction),
    };
}

/* Before its filter, a guest's frame meets what holds for all ports. */
static const char *
refused_at_the_door(const struct nwf_explain_port *port, const struct flow *packet)
{
    struct nwf_admissions list;
    bool admitted = false;

    if (eth_addr_is_multicast(packet->dl_src)) {
        return "dropped: no frame comes from a group address";
    }
    nwf_vlan_guest_admissions(&port->vlan, &list);
    nwf_vec_foreach (admission, &list) {
        admitted |= nwf_match_holds(&admission->match, packet);
    }
    nwf_vec_clear(&list);
    return admitted ? NULL : "dropped: the port does not belong to this VLAN";
}

/* Nor does a frame reach it by a VLAN that it has not, nor with a tag behind that of its VLAN
 * where it gets that taken off. */
static const char *
refused_on_the_way(const struct nwf_explain_port *port, const struct flow *packet)
{
    bool tagged = packet->vlans[0].tci & htons(VLAN_CFI);
    uint16_t vid = tagged ? vlan_tci_to_vid(packet->vlans[0].tci) : 0;
    bool is_native = !tagged && port->vlan.mode == NWF_VLAN_NATIVE_UNTAGGED;

    if (port->vlan.mode == NWF_VLAN_ACCESS || (tagged && nwf_vlan_is_untagged(&port->vlan, vid))) {
        return tagged ? "dropped: the port gets frames without a tag" : NULL;
    }
    return is_native || nwf_vlan_has(&port->vlan, vid)
               ? NULL
               : "dropped: the port does not belong to this VLAN";
}

static void
explain_refusal(const char *why, struct nwf_explanation *ret)
{
    nwf_vec_push(&ret->steps, (struct nwf_explained_step){.table = NWF_TABLE_CLASSIFY,
                                                          .chain = "",
                                                          .place = nwf_strdup(""),
                                                          .action = "",
                                                          .result = nwf_strdup(why)});
}

/* Nor does it get past the first table, if it is from one isolated guest for another. */
static void
explain_isolation(uint16_t ofport, struct nwf_explanation *ret)
{
    nwf_vec_push(&ret->steps,
                 (struct nwf_explained_step){
                     .table = NWF_TABLE_TO_VM,
                     .cookie = nwf_cookie(NWF_COOKIE_TO_VM, ofport, NWF_RULE_ISOLATED),
                     .chain = "",
                     .place = nwf_strdup(""),
                     .action = "",
                     .result = nwf_strdup("dropped: sender and receiver are isolated guests"),
                 });
}

/* A filter of which one direction does not compile is enforced in neither. */
static int
build(const struct nwf_program *program, const struct nwf_explain_port *port,
      struct nwf_stages ret[NWF_N_DIRECTIONS], struct nwf_flood_verdicts *ret_to_vm,
      struct nwf_error *err)
{
    struct nwf_bridge bridge = {
        .inner_tags = port->inner_tags,
        .blurred_tags = port->blurred_tags,
    };
    int r;

    for (int d = 0; d < NWF_N_DIRECTIONS; d++) {
        if ((r = nwf_stages_build(program, (enum nwf_direction) d, &ret[d], err))
            || (r = nwf_guest_check_side(&bridge, &program->side[d], &ret[d], err))) {
            return r;
        }
    }
    nwf_stages_guard(&ret[NWF_OUT]);
    nwf_stages_split_types(&ret[NWF_IN]);
    nwf_flood_judge(&ret[NWF_IN], ret_to_vm);
    return nwf_guest_check_floods(&bridge, ret_to_vm, err);
}

/* Why the packet does not get as far as the filter; NULL if it does. */
static const char *
refusal_of(const struct nwf_explain_port *port, enum nwf_direction direction,
           const struct nwf_flood_verdicts *to_vm, const struct flow *packet)
{
    if (direction == NWF_OUT) {
        return refused_at_the_door(port, packet);
    }
    return nwf_flood_accepts_all(to_vm) ? NULL : refused_on_the_way(port, packet);
}

int
nwf_explain(struct nwf_store *store, const struct nwf_explain_question *question,
            struct nwf_explanation *ret, struct nwf_error *err)
{
    const struct nwf_binding *binding = question->binding;
    const struct nwf_explain_port *port = question->port;
    enum nwf_direction direction = question->direction;
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    const struct nwf_filter *filter;
    struct nwf_stages stages[NWF_N_DIRECTIONS];
    struct nwf_flood_verdicts to_vm;
    struct nwf_evaluation evaluation;

    memset(ret, 0, sizeof *ret);
    memset(stages, 0, sizeof stages);
    int r = nwf_store_get(store, binding->filter, &filter, err);
    if (!r && !(r = nwf_program_new(store, filter, &binding->params, &program, err))) {
        r = build(program, port, stages, &to_vm, err);
    }
    const char *refusal = r ? NULL : refusal_of(port, direction, &to_vm, question->packet);
    if (r) {
        nwf_error_wrap(err, "filter %.80s", binding->filter);
    } else if (refusal) {
        explain_refusal(refusal, ret);
    } else if (direction == NWF_IN && binding->isolated && port->from_isolated) {
        explain_isolation(port->ofport, ret);
    } else {
        nwf_evaluate(&stages[direction], question->packet, question->ct, &evaluation);
        nwf_vec_foreach (step, &evaluation.steps) {
            nwf_vec_push(&ret->steps,
                         explain_step(&program->side[direction], direction, port->ofport, step));
        }
        ret->accepted = evaluation.steps.data[evaluation.steps.n - 1].row->verdict == NWF_V_ACCEPT;
        nwf_evaluation_clear(&evaluation);
    }
    nwf_stages_clear(&stages[NWF_OUT]);
    nwf_stages_clear(&stages[NWF_IN]);
    return r;
}
