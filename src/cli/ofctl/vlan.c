/* SPDX-License-Identifier: Apache-2.0
 *
 * check-vlan: what each form of a match makes of a match on the VLAN. */
#include <config.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "nwf/cleanup.h"
#include "ofctl.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-match.h"
#include "openvswitch/ofpbuf.h"

#include "lib/byte-order.h"
#include "lib/nx-match.h"
#include "lib/packets.h"
#include "lib/util.h"

static void
print_tci(const struct match *match)
{
    printf("%04x/%04x\n", (unsigned int) ntohs(match->flow.vlans[0].tci),
           (unsigned int) ntohs(match->wc.masks.vlans[0].tci));
}

static void
check_text(const struct match *match)
{
    char *text CLEANUP_FREE = match_to_string(match, NULL, OFP_DEFAULT_PRIORITY);
    enum ofputil_protocol usable;
    struct ofputil_flow_mod mod;
    struct match parsed;

    printf("%s -> ", text);
    fflush(stdout);
    ofctl_check(parse_ofp_str(&mod, -1, text, NULL, NULL, &usable));
    minimatch_expand(&mod.match, &parsed);
    print_tci(&parsed);
    minimatch_destroy(&mod.match);
}

static void
refuse(const char *form, enum ofperr error)
{
    ovs_fatal(0, "%s: %s", form, ofperr_to_string(error));
}

static void
check_nxm(const struct match *match)
{
    struct match parsed;
    struct ofpbuf bytes;

    ofpbuf_init(&bytes, 0);
    int length = nx_put_match(&bytes, match, htonll(0), htonll(0));
    char *text CLEANUP_FREE = nx_match_to_string(bytes.data, (unsigned int) length);
    printf("NXM: %s -> ", text);
    fflush(stdout);
    enum ofperr error =
        nx_pull_match(&bytes, (unsigned int) length, &parsed, NULL, NULL, false, NULL, NULL);
    if (error) {
        refuse("NXM", error);
    }
    print_tci(&parsed);
    ofpbuf_uninit(&bytes);
}

static void
check_oxm(const struct match *match)
{
    struct match parsed;
    struct ofpbuf bytes;

    ofpbuf_init(&bytes, 0);
    int length = oxm_put_match(&bytes, match, OFP12_VERSION);
    char *text CLEANUP_FREE = oxm_match_to_string(&bytes, (unsigned int) length);
    printf("OXM: %s -> ", text);
    fflush(stdout);
    enum ofperr error = oxm_pull_match(&bytes, false, NULL, NULL, &parsed);
    if (error) {
        refuse("OXM", error);
    }

    ovs_be16 tci = parsed.flow.vlans[0].tci, mask = parsed.wc.masks.vlans[0].tci;
    unsigned int vid_bits = VLAN_CFI | VLAN_VID_MASK;
    printf("%04x/%04x,", ntohs(tci) & vid_bits, ntohs(mask) & vid_bits);
    if (vlan_tci_to_pcp(mask)) {
        printf("%02d\n", vlan_tci_to_pcp(tci));
    } else {
        puts("--");
    }
    ofpbuf_uninit(&bytes);
}

static void
check_ofp10(const struct match *match)
{
    struct ofp10_match bytes;
    struct match parsed;

    ofputil_match_to_ofp10_match(match, &bytes);
    ofputil_match_from_ofp10_match(&bytes, &parsed);
    printf("OF1.0: %04x/%d,%02x/%d -> ", (unsigned int) ntohs(bytes.dl_vlan),
           (bytes.wildcards & htonl(OFPFW10_DL_VLAN)) != 0, (unsigned int) bytes.dl_vlan_pcp,
           (bytes.wildcards & htonl(OFPFW10_DL_VLAN_PCP)) != 0);
    print_tci(&parsed);
}

static void
check_ofp11(const struct match *match)
{
    struct ofp11_match bytes;
    struct match parsed;

    ofputil_match_to_ofp11_match(match, &bytes);
    enum ofperr error = ofputil_match_from_ofp11_match(&bytes, &parsed);
    if (error) {
        refuse("OF1.1", error);
    }
    printf("OF1.1: %04x/%d,%02x/%d -> ", (unsigned int) ntohs(bytes.dl_vlan),
           (bytes.wildcards & htonl(OFPFW11_DL_VLAN)) != 0, (unsigned int) bytes.dl_vlan_pcp,
           (bytes.wildcards & htonl(OFPFW11_DL_VLAN_PCP)) != 0);
    print_tci(&parsed);
}

void
ofctl_check_vlan(struct ovs_cmdl_context *ctx)
{
    struct match match;

    match_init_catchall(&match);
    match.flow.vlans[0].tci = htons((uint16_t) strtoul(ctx->argv[1], NULL, 16));
    match.wc.masks.vlans[0].tci = htons((uint16_t) strtoul(ctx->argv[2], NULL, 16));
    check_text(&match);
    check_nxm(&match);
    check_oxm(&match);
    check_ofp10(&match);
    check_ofp11(&match);
}
