/* SPDX-License-Identifier: Apache-2.0
 *
 * What a host that routes between guests sends back to the bridge; see router.h.
 *
 * A packet comes back as the host's own frame.  Whose it is its source address tells, which the
 * sender's filter has made sure of; so isolated guests stay apart by this way, too.  And guests
 * get no redirects: they say that the other guest is on the same link, where it may not be
 * reached, and the kernel has no setting for those of IPv6. */
#include <config.h>

#include "router.h"

#include <netinet/icmp6.h>
#include <string.h>

#include "actions.h"
#include "nwf/pipeline.h"

#include "lib/packets.h"

static void
match_source(struct match *match, const struct nwf_address *address)
{
    if (address->family == AF_INET) {
        ovs_be32 source;
        memcpy(&source, address->bytes, sizeof source);
        match_set_dl_type(match, htons(ETH_TYPE_IP));
        match_set_nw_src_masked(match, source, be32_prefix_mask(address->prefix_len));
    } else {
        struct in6_addr source, mask = ipv6_create_mask(address->prefix_len);
        memcpy(&source, address->bytes, sizeof source);
        match_set_dl_type(match, htons(ETH_TYPE_IPV6));
        match_set_ipv6_src_masked(match, &source, &mask);
    }
}

static void
add_flow(const struct nwf_port *port, uint16_t priority, const struct match *match,
         const struct ofpbuf *actions, struct nwf_flow_set *flows)
{
    nwf_flow_set_add(flows, NWF_TABLE_CLASSIFY, priority,
                     nwf_cookie(NWF_COOKIE_TRUSTED, port->ofport, NWF_COOKIE_NO_RULE), match,
                     actions);
}

static void
add_isolated(const struct nwf_port *port, const struct match *from, const struct ofpbuf *arrival,
             const struct nwf_address *address, uint16_t priority, struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match = *from;

    match_source(&match, address);
    ofpbuf_put(&actions, arrival->data, arrival->size);
    nwf_put_load(&actions, MFF_REG0 + NWF_REG_MEMBER, NWF_ISOLATED);
    nwf_put_goto(&actions, NWF_TABLE_FORWARD);
    add_flow(port, priority, &match, &actions, flows);
}

static void
add_redirects(const struct nwf_port *port, const struct match *from, uint16_t priority,
              struct nwf_flow_set *flows)
{
    struct match match = *from;

    match_set_dl_type(&match, htons(ETH_TYPE_IPV6));
    match_set_nw_proto(&match, IPPROTO_ICMPV6);
    match_set_icmp_type(&match, ND_REDIRECT);
    add_flow(port, priority, &match, NULL, flows);
}

void
nwf_add_routed_arrivals(const struct nwf_bridge *bridge, const struct nwf_port *port,
                        const struct match *match, const struct ofpbuf *arrival, uint16_t priority,
                        struct nwf_flow_set *flows)
{
    for (size_t i = 0; bridge->isolated && i < bridge->isolated->n; i++) {
        add_isolated(port, match, arrival, &bridge->isolated->data[i], priority + 1, flows);
    }
    if (!bridge->audit) {
        add_redirects(port, match, priority + 2, flows);
    }
}
