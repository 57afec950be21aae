/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames by which the host says where an address is, or asks for one: where the kernel does not,
 * or does so from an address that the one who is asked does not answer to. */
#ifndef NWF_ANNOUNCE_H
#define NWF_ANNOUNCE_H

#include "nwf/host.h"

#define NWF_ANNOUNCE_MAX 86

/* "The address is at 'mac'", for everybody: a gratuitous ARP request, which all kinds of stacks
 * take a new place from, or an unsolicited neighbour advertisement that overrides what was known.
 * Returns the frame's length. */
size_t nwf_announce_frame(const struct nwf_mac *mac, const struct nwf_address *address,
                          uint8_t frame[NWF_ANNOUNCE_MAX]);

/* "Where is the target?", asked from 'source', which is at 'mac'. */
size_t nwf_solicit_frame(const struct nwf_mac *mac, const struct nwf_address *source,
                         const struct nwf_address *target, uint8_t frame[NWF_ANNOUNCE_MAX]);

/* Sends it out of the device. */
int nwf_frame_send(const struct nwf_host_device *device, const uint8_t *frame, size_t size,
                   struct nwf_error *err);

#endif
