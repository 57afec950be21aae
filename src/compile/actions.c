/* SPDX-License-Identifier: Apache-2.0
 *
 * Actions; see actions.h. */
#include <config.h>

#include "actions.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nwf/cleanup.h"
#include "nwf/pipeline.h"
#include "openvswitch/ofp-actions.h"

void
nwf_put_load(struct ofpbuf *actions, enum mf_field_id reg, uint32_t value)
{
    ovs_be32 v = htonl(value);

    ofpact_put_set_field(actions, mf_from_id(reg), &v, NULL);
}

void
nwf_put_load_masked(struct ofpbuf *actions, enum mf_field_id reg, uint32_t value, uint32_t mask)
{
    ovs_be32 v = htonl(value), m = htonl(mask);

    ofpact_put_set_field(actions, mf_from_id(reg), &v, &m);
}

void
nwf_put_output(struct ofpbuf *actions, uint16_t ofport)
{
    ofpact_put_OUTPUT(actions)->port = OFP_PORT_C(ofport);
}

void
nwf_put_from_nowhere(struct ofpbuf *actions)
{
    ovs_be16 none = htons(0xffff); /* OpenFlow 1.0's OFPP_NONE. */

    ofpact_put_set_field(actions, mf_from_id(MFF_IN_PORT), &none, NULL);
}

static struct mf_subfield
bits_of(enum mf_field_id field, unsigned int first, unsigned int n)
{
    return (struct mf_subfield){.field = mf_from_id(field), .ofs = first, .n_bits = n};
}

static struct mf_subfield
low_16_bits(enum mf_field_id field)
{
    return bits_of(field, 0, 16);
}

void
nwf_put_output_receiver(struct ofpbuf *actions)
{
    struct ofpact_output_reg *output = ofpact_put_OUTPUT_REG(actions);

    output->src = low_16_bits(MFF_REG0 + NWF_REG_GUEST);
    output->max_len = UINT16_MAX;
}

void
nwf_put_resubmit(struct ofpbuf *actions, uint8_t table)
{
    struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(actions);

    resubmit->in_port = OFPP_IN_PORT;
    resubmit->table_id = table;
}

void
nwf_put_goto(struct ofpbuf *actions, uint8_t table)
{
    ofpact_put_GOTO_TABLE(actions)->table_id = table;
}

static void
put_move(struct ofpbuf *actions, enum mf_field_id from, enum mf_field_id to)
{
    struct ofpact_reg_move *move = ofpact_put_REG_MOVE(actions);

    move->src = low_16_bits(from);
    move->dst = low_16_bits(to);
}

void
nwf_put_save_tag(struct ofpbuf *actions)
{
    put_move(actions, MFF_VLAN_TCI, MFF_REG0 + NWF_REG_VLAN);
}

void
nwf_put_save_priority(struct ofpbuf *actions)
{
    struct ofpact_reg_move *move = ofpact_put_REG_MOVE(actions);

    move->src = bits_of(MFF_VLAN_TCI, 13, 3);
    move->dst = bits_of(MFF_REG0 + NWF_REG_VLAN, 13, 3);
}

void
nwf_put_restore_tag(struct ofpbuf *actions)
{
    put_move(actions, MFF_REG0 + NWF_REG_VLAN, MFF_VLAN_TCI);
}

void
nwf_put_no_tag(struct ofpbuf *actions)
{
    ovs_be16 none = htons(0);

    /* Not "load": OpenFlow 1.5 has none, so a switch would return this for it. */
    ofpact_put_set_field(actions, mf_from_id(MFF_VLAN_TCI), &none, NULL);
}

void
nwf_put_text(struct ofpbuf *actions, const char *format, ...)
{
    enum ofputil_protocol usable;
    struct ofpact_parse_params params = {.ofpacts = actions, .usable_protocols = &usable};
    char *text CLEANUP_FREE = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        abort();
    }
    va_end(args);
    char *cause = ofpacts_parse_actions(text, &params);
    if (cause) {
        fprintf(stderr, "%s: %s\n", text, cause);
        abort(); /* Our own text. */
    }
}
