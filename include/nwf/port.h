/* SPDX-License-Identifier: Apache-2.0
 *
 * A port of a bridge: what its sources say that it is, and what we note of it. */
#ifndef NWF_PORT_H
#define NWF_PORT_H

#include "nwf/binding.h"
#include "nwf/mac.h"
#include "nwf/role.h"
#include "nwf/routed.h"
#include "nwf/vlan.h"

/* Spanning tree protocols take their frames from a port before its flows see them, and send
 * theirs past them.  Each has a key in the Port's other_config that excludes it, and one in its
 * external_ids where we note what was there before. */
#define NWF_N_TREES 2

/* What a port is to be, by its rows in the database and by policy files. */
struct nwf_port_config {
    char *name;
    uint16_t ofport;         /* 0: it has none, or needs no flows. */
    enum nwf_port_role role; /* As far as one can say without a look at other ports. */
    struct nwf_error error;  /* Why it is quarantined. */
    struct nwf_vlan vlan;
    NWF_VEC(uint16_t) bond; /* Trusted: the members of its bond, its own number included. */
    struct nwf_binding binding;
    bool has_own_mac; /* Trusted: it is an interface of the host's, with the address 'own_mac'. */
    struct nwf_mac own_mac;
    bool is_mirror_output; /* Trusted, and without flows. */
    bool is_patch;         /* Leads to another bridge of the switch. */
    bool is_uplink;        /* Trusted: flows route to the provider's network by it. */
    bool needs_normal;     /* Trusted: only the NORMAL action forwards to it. */
    /* On a bridge with guards, of ports that are trusted: */
    char *port_name; /* that of its Port, if it has a leader; */
    uint16_t leader; /* see nwf/compile.h; */
    struct nwf_nics nics;
    bool is_hashed;
    enum nwf_guarding guarding;
    struct nwf_error
        unguarded; /* why nothing leaves it, or what leaves it that flows do not see. */
};

void nwf_port_config_clear(struct nwf_port_config *config);
bool nwf_port_config_equals(const struct nwf_port_config *a, const struct nwf_port_config *b);

/* What the database says of what became of the port; NULL for what is absent. */
struct nwf_port_notes {
    char *status, *installed, *zone, *no_flood;
    char *trees[NWF_N_TREES], *tree_notes[NWF_N_TREES];
};

void nwf_port_notes_clear(struct nwf_port_notes *notes);

#endif
