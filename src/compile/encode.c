/* SPDX-License-Identifier: Apache-2.0
 *
 * Matches as OpenFlow carries them.
 *
 * Not all that Open vSwitch can match has a place in OpenFlow's messages: of a tag's
 * priority bits all or none, of a field nothing where another says that it is not there.
 * libopenvswitch leaves out what has none, without a word, and the switch gets a wider match.
 * So a match is written and read again.
 *
 * That costs more than to compile it.  What the language itself asks for comes back by the way
 * it is made, which tests look at; only <flow> asks for whatever it likes. */
#include <config.h>

#include "encode.h"

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofpbuf.h"

#include "lib/nx-match.h"

static char *
format_loss(const struct match *sent, const struct match *got)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&s, "OpenFlow has no room for it: a switch would get \"");
    match_format(got, NULL, &s, OFP_DEFAULT_PRIORITY);
    ds_put_cstr(&s, "\" in the place of \"");
    match_format(sent, NULL, &s, OFP_DEFAULT_PRIORITY);
    ds_put_cstr(&s, "\"");
    return ds_steal_cstr(&s);
}

/* Fields of a frame bring "packet_type is Ethernet" with them, there and back. */
static bool
is_same(const struct match *sent, const struct match *got)
{
    struct match whole = *sent;

    if (got->wc.masks.packet_type) {
        match_set_default_packet_type(&whole);
    }
    return match_equal(&whole, got);
}

static char *
loss_in(const struct match *match, enum ofp_version version)
{
    uint64_t stub[64];
    struct ofpbuf msg CLEANUP(ofpbuf_uninit) = OFPBUF_STUB_INITIALIZER(stub);
    struct match got;

    oxm_put_match(&msg, match, version);
    enum ofperr refusal = oxm_pull_match(&msg, false, NULL, NULL, &got);
    if (refusal) {
        return nwf_asprintf("OpenFlow has no room for it: a switch would say %s",
                            ofperr_to_string(refusal));
    }
    return is_same(match, &got) ? NULL : format_loss(match, &got);
}

char *
nwf_match_loss(const struct match *match)
{
    static const enum ofp_version versions[] = {OFP13_VERSION, OFP14_VERSION, OFP15_VERSION};
    char *loss = NULL;

    for (size_t i = 0; !loss && i < sizeof versions / sizeof versions[0]; i++) {
        loss = loss_in(match, versions[i]);
    }
    return loss;
}
