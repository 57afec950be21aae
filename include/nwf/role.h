/* SPDX-License-Identifier: Apache-2.0
 *
 * What a managed bridge's tags say of its ports: who is trusted, who is a guest. */
#ifndef NWF_ROLE_H
#define NWF_ROLE_H

#include <stdbool.h>
#include <stddef.h>

#include "nwf/binding.h"

enum nwf_port_role {
    NWF_TRUSTED,
    NWF_GUEST,
    NWF_QUARANTINED, /* Nothing passes it; in audit mode everything does, counted. */
};

const char *nwf_port_role_to_string(enum nwf_port_role role);

enum nwf_managed { NWF_UNMANAGED, NWF_ENFORCED, NWF_AUDITED };

/* Who gets frames for an address that is known to be nowhere. */
enum nwf_unknown {
    NWF_UNKNOWN_AUTO,    /* As NWF_UNKNOWN_TRUSTED if no guest may have an address that is not
                          * known, else as NWF_UNKNOWN_FLOOD. */
    NWF_UNKNOWN_FLOOD,   /* All ports of the VLAN. */
    NWF_UNKNOWN_TRUSTED, /* Trusted ports. */
};

/* By the value of NWF_BRIDGE_UNKNOWN; NULL: it is not set. */
enum nwf_unknown nwf_unknown_from_text(const char *text);

/* The keys of a Bridge's external_ids that an operator sets, by "manage" or by hand. */
#define NWF_BRIDGE_TAG "nwfilter"
#define NWF_BRIDGE_TRUSTED "nwfilter-trusted"
#define NWF_BRIDGE_GUESTS "nwfilter-guests"
#define NWF_BRIDGE_DEFAULT "nwfilter-default"
#define NWF_BRIDGE_DEFAULT_FILTER "nwfilter-default-filter"
#define NWF_BRIDGE_UNKNOWN "nwfilter-unknown-unicast"
/* What "manage" has changed elsewhere, as it was before: "" stands for a key or column that
 * was not set. */
#define NWF_BRIDGE_SAVED "nwfilter-saved-"
#define NWF_BRIDGE_FAIL_MODE NWF_BRIDGE_SAVED "fail-mode"
#define NWF_BRIDGE_IN_BAND NWF_BRIDGE_SAVED "disable-in-band"
#define NWF_BRIDGE_HWADDR NWF_BRIDGE_SAVED "hwaddr"
/* Settings of the host's kernel: "PATH=VALUE" for each, in the order in which they were changed. */
#define NWF_BRIDGE_SETTINGS NWF_BRIDGE_SAVED "settings"
/* The uplink that we have put onto the bridge, and what went from it to the bridge's device. */
#define NWF_BRIDGE_MOVED NWF_BRIDGE_SAVED "moved"

/* Written by us: how the bridge and its guests fare, in short. */
#define NWF_BRIDGE_STATUS "nwfilter-status"

/* Names of guests' interfaces where NWF_BRIDGE_GUESTS is absent: those of libvirt, Proxmox VE
 * (qemu-server, pve-container, its firewall's bridges) and Xen. */
#define NWF_GUESTS_DEFAULT                                                                         \
    "vnet[0-9]*,tap[0-9]*i[0-9]*,veth[0-9]*i[0-9]*,fwln[0-9]*o[0-9]*,vif[0-9]*.[0-9]*"

/* A bridge's tags, taken apart.  Strings are the tags' own. */
struct nwf_bridge_config {
    enum nwf_managed managed;
    const char *trusted;        /* Names of Interfaces; NULL: none. */
    const char *guests;         /* Shell patterns (glob(7)) of such names. */
    bool quarantine;            /* What is nothing else, is quarantined, not trusted. */
    const char *default_filter; /* Of guests that have none of their own; NULL: there is none. */
    enum nwf_unknown unknown;
};

void nwf_bridge_config_read(const struct nwf_tag *tags, size_t n_tags,
                            struct nwf_bridge_config *ret);

/* Calls each(key, value, meaning, aux) for every tag of the bridge that has a value, or a name,
 * which means nothing to us; 'meaning' says what is made of it. */
void nwf_bridge_config_doubts(const struct nwf_tag *tags, size_t n_tags,
                              void (*each)(const char *key, const char *value, const char *meaning,
                                           void *aux),
                              void *aux);

/* Whether NWF_BRIDGE_TRUSTED names the Interface. */
bool nwf_is_named_trusted(const struct nwf_bridge_config *config, const char *interface);

/* Why the Interface called 'binding->port' is no trusted port, although no filter is bound to it
 * and nobody called it trusted: a text for its status.  NULL: it is trusted. */
const char *nwf_guest_reason(const struct nwf_bridge_config *config,
                             const struct nwf_binding *binding);

#endif
