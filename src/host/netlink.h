/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to the kernel by rtnetlink, and its notifications.
 *
 * The kernel answers a request before sending it returns, so that requests may be waited for. */
#ifndef NWF_HOST_NETLINK_H
#define NWF_HOST_NETLINK_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "nwf/cleanup.h"
#include "nwf/error.h"

/* Room for any request of ours. */
#define NWF_NETLINK_REQUEST 1024

struct nwf_netlink {
    struct mnl_socket *socket;
    char *buffer; /* For a datagram. */
    unsigned int seq;
};

/* Called with each message of the answer.  What it returns but 0 ends the request's work, not the
 * reading of the answer. */
typedef int nwf_netlink_fn(const struct nlmsghdr *message, void *aux);

/* Opens a socket for requests if 'groups', of RTMGRP_*, is 0, else one for notifications that
 * never blocks. */
int nwf_netlink_open(unsigned int groups, struct nwf_netlink *ret, struct nwf_error *err);
void nwf_netlink_close(struct nwf_netlink *nl);
int nwf_netlink_fd(const struct nwf_netlink *nl);

/* Begins a request in 'buffer', of NWF_NETLINK_REQUEST bytes.  'flags' but NLM_F_REQUEST and
 * NLM_F_ACK. */
struct nlmsghdr *nwf_netlink_begin(char *buffer, uint16_t type, uint16_t flags);

/* Sends the request and takes its answer.  Negative errno: the kernel's, and what it says of the
 * cause in *err. */
int nwf_netlink_ask(struct nwf_netlink *nl, struct nlmsghdr *request, nwf_netlink_fn *each,
                    void *aux, struct nwf_error *err);

/* Sends a request for a dump, again until one is consistent, as the kernel says: each() may be
 * called with one message several times. */
int nwf_netlink_dump(struct nwf_netlink *nl, struct nlmsghdr *request, nwf_netlink_fn *each,
                     void *aux, struct nwf_error *err);

/* Takes notifications in.  0: there are none any more; -ENOBUFS: some are lost. */
int nwf_netlink_listen(struct nwf_netlink *nl, nwf_netlink_fn *each, void *aux);

/* The message's attributes of types up to 'max' behind a header of 'offset' bytes; NULL for those
 * that are absent.  False: the message is malformed. */
bool nwf_netlink_parse(const struct nlmsghdr *message, size_t offset,
                       const struct nlattr **attributes, uint16_t max);

/* The attribute's value if it has that size, else NULL. */
const void *nwf_netlink_data(const struct nlattr *attribute, size_t size);

/* Bytes of an address: of AF_INET, or of AF_INET6. */
size_t nwf_ip_size(int family);

#endif
