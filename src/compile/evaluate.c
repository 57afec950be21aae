/* SPDX-License-Identifier: Apache-2.0
 *
 * What stages do with one packet; see nwf/evaluate.h. */
#include <config.h>

#include "nwf/evaluate.h"

#include "match.h"

#include "lib/packets.h"

static const struct nwf_row *
first_row(const struct nwf_stage *stage, const struct flow *packet)
{
    nwf_vec_foreach (row, &stage->rows) {
        if (nwf_match_holds(&row->match, packet)) {
            return row;
        }
    }
    abort(); /* Every stage ends in a row for all. */
}

/* What ct() leaves in the packet's metadata (ovs-fields(7), "Connection Tracking"). */
static void
track(struct flow *packet, const struct nwf_evaluation_ct *ct)
{
    bool reply = ct->state & CS_REPLY_DIR;

    packet->ct_state = (uint8_t) ct->state;
    packet->ct_mark = ct->answered ? NWF_CT_MARK_ANSWERED : 0;
    if (ct->has_ports) {
        packet->ct_nw_proto = ct->proto;
        packet->ct_tp_src = htons(ct->src_port);
        packet->ct_tp_dst = htons(ct->dst_port);
    } else if (!(ct->state & CS_INVALID)) {
        packet->ct_nw_proto = packet->nw_proto;
        packet->ct_tp_src = reply ? packet->tp_dst : packet->tp_src;
        packet->ct_tp_dst = reply ? packet->tp_src : packet->tp_dst;
    }
}

void
nwf_evaluate(const struct nwf_stages *stages, const struct flow *packet,
             const struct nwf_evaluation_ct *ct, struct nwf_evaluation *ret)
{
    struct flow at = *packet;
    size_t stage = 0;

    memset(ret, 0, sizeof *ret);
    for (;;) {
        const struct nwf_row *row = first_row(&stages->list.data[stage], &at);

        nwf_vec_push(&ret->steps, (struct nwf_step){stage, row});
        switch (row->verdict) {
        case NWF_V_ACCEPT:
        case NWF_V_DROP:
            return;
        case NWF_V_SET:
            at.regs[row->set.reg] &= ~row->set.mask;
            at.regs[row->set.reg] |= row->set.value;
            break;
        case NWF_V_TRACK:
            track(&at, ct);
            break;
        case NWF_V_MARK:
            at.ct_mark = (at.ct_mark & ~row->mark.mask) | row->mark.value;
            break;
        case NWF_V_JOIN:
        case NWF_V_COMMIT:
        case NWF_V_GOTO:
            break;
        }
        stage = row->target;
    }
}

void
nwf_evaluation_clear(struct nwf_evaluation *evaluation)
{
    nwf_vec_clear(&evaluation->steps);
}
