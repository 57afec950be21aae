/* SPDX-License-Identifier: Apache-2.0
 *
 * Where tunnel metadata stands in a match; see tunnel.h. */
#include <config.h>

#include "tunnel.h"

#include <stdint.h>
#include <string.h>

#include "lib/bitmap.h"
#include "lib/util.h"

/* What an option's length is a multiple of. */
#define UNIT 4

bool
ofctl_has_tunnel_metadata(const struct match *match)
{
    return match->tun_md.valid && match->wc.masks.tunnel.metadata.present.map;
}

void
ofctl_tunnel_layout_add(struct ofctl_tunnel_layout *layout, const struct match *match)
{
    int i;

    ULLONG_FOR_EACH_1(i, match->wc.masks.tunnel.metadata.present.map)
    {
        int width = (int) ROUND_UP(match->tun_md.entry[i].loc.len, UNIT);
        layout->widths[i] = MAX(layout->widths[i], width);
    }
}

/* Copies a field to the end of wider room, after bytes of 'fill'. */
static void
move_field(struct tun_metadata *to, int to_offset, int to_width, const struct tun_metadata *from,
           const struct tun_metadata_loc *loc, int fill)
{
    int gap = to_width - loc->len;

    memset(&to->opts.u8[to_offset], fill, (size_t) gap);
    memcpy(&to->opts.u8[to_offset + gap], &from->opts.u8[loc->c.offset], (size_t) loc->len);
}

/* What has no mask is matched as a whole, however wide. */
static void
place_field(const struct match *from, struct match *to, int i, int offset, int width)
{
    const struct tun_metadata_match_entry *old = &from->tun_md.entry[i];
    struct tun_metadata_match_entry *new = &to->tun_md.entry[i];

    move_field(&to->flow.tunnel.metadata, offset, width, &from->flow.tunnel.metadata, &old->loc, 0);
    move_field(&to->wc.masks.tunnel.metadata, offset, width, &from->wc.masks.tunnel.metadata,
               &old->loc, old->masked ? 0 : 0xff);
    new->masked = old->masked;
    new->loc = (struct tun_metadata_loc){
        .len = width,
        .c = {.offset = offset, .len = width},
    };
}

void
ofctl_tunnel_layout_apply(const struct ofctl_tunnel_layout *layout, struct match *match)
{
    const struct match old = *match;
    int offset = 0;

    memset(&match->tun_md, 0, sizeof match->tun_md);
    memset(&match->flow.tunnel.metadata.opts, 0, sizeof match->flow.tunnel.metadata.opts);
    memset(&match->wc.masks.tunnel.metadata.opts, 0, sizeof match->wc.masks.tunnel.metadata.opts);
    match->tun_md.valid = true;
    for (int i = 0; i < TUN_METADATA_NUM_OPTS; i++) {
        int width = layout->widths[i];
        if (offset + width > TUN_METADATA_TOT_OPT_SIZE) {
            ovs_fatal(0,
                      "the flows match on more tunnel metadata than there is room for (%d bytes)",
                      TUN_METADATA_TOT_OPT_SIZE);
        }
        if (old.wc.masks.tunnel.metadata.present.map & (UINT64_C(1) << i)) {
            place_field(&old, match, i, offset, width);
        }
        offset += width;
    }
    match->tun_md.alloc_offset = offset;
}

void
ofctl_tunnel_read(const struct match *match, const struct mf_field *field, union mf_value *value)
{
    const struct tun_metadata_loc *loc = &match->tun_md.entry[field->id - MFF_TUN_METADATA0].loc;
    int gap = field->n_bytes - loc->len;

    memset(value->tun_metadata, 0, (size_t) gap);
    memcpy(value->tun_metadata + gap, &match->flow.tunnel.metadata.opts.u8[loc->c.offset],
           (size_t) loc->len);
}
