/* SPDX-License-Identifier: Apache-2.0
 *
 * Bridges to compile; see built.h. */
#include <config.h>

#include "support.h"

#include "built.h"

#include <stdio.h>

#include "nwf/compile.h"
#include "nwf/flow.h"
#include "nwf/pipeline.h"
#include "openvswitch/match.h"
#include "sent.h"
#include "walk.h"

#include "lib/flow.h"
#include "lib/packets.h"

/* ---- Bridges to compile. ---- */

static char long_filter[LONG_COST * 256];

static const struct text_filter filters[] = {
    {"open", "<filter name='open'/>"},
    {"shut", "<filter name='shut'><rule action='drop' direction='inout'/></filter>"},
    /* Some frames of every kind pass. */
    {"some", "<filter name='some'><rule action='drop' direction='inout'>"
             "<mac srcmacaddr='02:00:00:00:00:99'/></rule>"
             "<rule action='drop' direction='in'><ip match='no' srcipaddr='10.0.0.1'/></rule>"
             "<rule action='accept' direction='in'><mac match='no' protocolid='ipv4'/></rule>"
             "</filter>"},
    {"no-arp", "<filter name='no-arp'><rule action='drop' direction='in'><arp/></rule></filter>"},
    {"own", "<filter name='own'><rule action='drop' direction='out'>"
            "<mac match='no' srcmacaddr='52:54:00:00:00:03'/></rule></filter>"},
    {"own-4", "<filter name='own-4'><rule action='drop' direction='out'>"
              "<mac match='no' srcmacaddr='52:54:00:00:00:04'/></rule></filter>"},
    {"long", long_filter},
    {NULL, NULL},
};

/* Rules that cannot be merged into fewer tables. */
static void
write_long_filter(void)
{
    size_t n = (size_t) sprintf(long_filter, "<filter name='long'>");

    for (unsigned int i = 0; i < LONG_COST; i++) {
        n += (size_t) sprintf(long_filter + n,
                              "<rule action='drop' direction='in'><arp match='no' "
                              "arpsrcipaddr='10.0.%u.0' arpsrcipmask='24' "
                              "arpdstipaddr='10.1.%u.0' arpdstipmask='24' "
                              "arpsrcmacaddr='02:00:00:00:00:%02x' "
                              "arpdstmacaddr='02:00:00:00:00:01'/></rule>",
                              i, i, i);
    }
    sprintf(long_filter + n, "</filter>");
}

void
built_compile_port(struct built *b, struct nwf_port port, const char *filter)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = store_of(filters);
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    struct nwf_params params = {.list.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_filter *root;
    struct nwf_guest_size size;

    if (port.role == NWF_GUEST) {
        nwf_vec_push(&port.macs, (struct nwf_mac){{0x52, 0x54, 0, 0, (uint8_t) (port.ofport >> 8),
                                                   (uint8_t) port.ofport}});
        expect_ok(nwf_store_get(store, filter, &root, &err), &err);
        expect_ok(nwf_program_new(store, root, &params, &program, &err), &err);
        expect_ok(nwf_compile_guest(&b->bridge, &port, program, &size, &b->flows, &err), &err);
    } else if (port.role == NWF_QUARANTINED) {
        nwf_compile_quarantined(&b->bridge, &port, &b->flows);
    }
    nwf_vec_push(&b->bridge.ports, port);
}

void
built_add_port(struct built *b, uint16_t ofport, enum nwf_port_role role, struct nwf_vlan vlan,
               const char *filter)
{
    built_compile_port(b, (struct nwf_port){.ofport = ofport, .role = role, .vlan = vlan}, filter);
}

void
built_start(struct built *b)
{
    if (!*long_filter) {
        write_long_filter();
    }
    memset(b, 0, sizeof *b);
    b->bridge.mac_aging = 300;
    nwf_flow_set_init(&b->flows);
}

void
built_compile(struct built *b)
{
    nwf_compile_bridge(&b->bridge, &b->flows);
    nwf_vec_foreach (port, &b->bridge.ports) {
        b->n_unreached += port->unreached & 1;
    }
}

void
built_free(struct built *b)
{
    nwf_bridge_finish(&b->bridge);
    nwf_flow_set_finish(&b->flows);
}

const struct nwf_vlan any_vlan = {.mode = NWF_VLAN_TRUNK};

struct nwf_vlan
access_vlan(uint16_t vid)
{
    return (struct nwf_vlan){.mode = NWF_VLAN_ACCESS, .tag = vid};
}

void
built_check_encoding(const struct built *b)
{
    const struct nwf_flow *flow;

    HMAP_FOR_EACH (flow, node, &b->flows.flows) {
        expect(comes_back(flow), "a flow that a switch gets as another one");
    }
}

/* ---- A flood, walked. ---- */

static void walk(const struct nwf_flow_set *flows, uint8_t table, struct flow *frame,
                 struct reached *ret);

static void
walk_actions(const struct nwf_flow_set *flows, const struct ofpact *actions, size_t len,
             struct flow *frame, struct reached *ret)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, actions, len) {
        if (a->type == OFPACT_OUTPUT) {
            ret->outputs[ofp_to_u16(ofpact_get_OUTPUT(a)->port)]++;
        } else if (a->type == OFPACT_SET_FIELD) {
            const struct ofpact_set_field *load = ofpact_get_SET_FIELD(a);
            if (mf_is_register(load->field->id)) {
                frame->regs[load->field->id - MFF_REG0] = ntohl(load->value->be32);
            }
        } else if (a->type == OFPACT_RESUBMIT
                   && ofpact_get_RESUBMIT(a)->table_id == NWF_TABLE_TO_VM) {
            ret->visits[frame->regs[0]]++;
        } else if (a->type == OFPACT_RESUBMIT) {
            walk(flows, ofpact_get_RESUBMIT(a)->table_id, frame, ret);
        } else if (a->type == OFPACT_CLONE) {
            const struct ofpact_nest *clone = ofpact_get_CLONE(a);
            struct flow copy = *frame;
            walk_actions(flows, clone->actions, ofpact_nest_get_action_len(clone), &copy, ret);
        }
    }
}

static void
walk(const struct nwf_flow_set *flows, uint8_t table, struct flow *frame, struct reached *ret)
{
    /* What takes tags off is fixed, and ends at the receivers. */
    table = table == NWF_TABLE_UNTAG ? NWF_TABLE_RECEIVERS : table;
    const struct nwf_flow *flow = walk_look_up(flows, table, frame);

    expect(flow, "table %u has no flow", table);
    walk_actions(flows, flow->form->ofpacts, flow->form->ofpacts_len, frame, ret);
}

struct reached
built_flood_of(const struct built *b, uint16_t vid, uint16_t eth_type, uint32_t owner,
               bool isolated)
{
    struct reached reached;
    struct match match;
    struct flow frame;

    memset(&reached, 0, sizeof reached);
    match_init_catchall(&match);
    match_set_dl_type(&match, htons(eth_type));
    match_set_reg(&match, 1, vid ? 0x1000u | vid : 0);
    match_set_default_packet_type(&match);
    match_set_reg(&match, NWF_REG_OWNER, owner);
    match_set_reg(&match, NWF_REG_MEMBER, isolated ? NWF_ISOLATED : 0);
    frame = match.flow;
    walk(&b->flows, NWF_TABLE_FLOOD, &frame, &reached);
    return reached;
}

struct reached
built_flood(const struct built *b, uint16_t vid, uint16_t eth_type)
{
    return built_flood_of(b, vid, eth_type, 0, false);
}
