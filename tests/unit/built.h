/* SPDX-License-Identifier: Apache-2.0
 *
 * A bridge that is made of ports and compiled, and what becomes of frames that are flooded in it.
 */
#ifndef TEST_BUILT_H
#define TEST_BUILT_H

#include "nwf/compile.h"
#include "nwf/flow.h"

/* Tables that ARP meets in the filter "long", of 3,900; it meets one of "some". */
#define LONG_COST 60

struct built {
    struct nwf_bridge bridge;
    struct nwf_flow_set flows;
    size_t n_unreached; /* Guests that flooded ARP does not reach. */
};

void built_start(struct built *b);

/* Adds a port, and compiles it if it is a guest, under one of the filters that built.c has, or
 * quarantined.  'vlan' is taken. */
void built_add_port(struct built *b, uint16_t ofport, enum nwf_port_role role, struct nwf_vlan vlan,
                    const char *filter);
/* The same of a port that has more to it. */
void built_compile_port(struct built *b, struct nwf_port port, const char *filter);

/* Compiles what the ports share. */
void built_compile(struct built *b);
void built_free(struct built *b);

/* Each flow comes to the switch as what it is. */
void built_check_encoding(const struct built *b);

extern const struct nwf_vlan any_vlan;
struct nwf_vlan access_vlan(uint16_t vid);

/* How often a flooded frame was put out to a port, and visited a port's filter; by number. */
struct reached {
    unsigned int outputs[0x10000], visits[0x10000];
};

/* Floods a frame of a VLAN, from a trusted port; or from the port that 'owner', as it stands in
 * NWF_REG_OWNER, belongs to. */
struct reached built_flood(const struct built *b, uint16_t vid, uint16_t eth_type);
struct reached built_flood_of(const struct built *b, uint16_t vid, uint16_t eth_type,
                              uint32_t owner, bool isolated);

#endif
