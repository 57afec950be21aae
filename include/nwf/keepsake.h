/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands on a bridge's device, addresses and routes, whoever put it there, so that it can be
 * put back when the device has got another Ethernet address: the userspace datapath takes the
 * device down for that, and with it go its routes and IPv6 addresses.
 *
 * It is kept in a file of Open vSwitch's run directory as well, which does not outlive the host:
 * who was away meanwhile knows it, too. */
#ifndef NWF_KEEPSAKE_H
#define NWF_KEEPSAKE_H

#include "nwf/cleanup.h"
#include "nwf/error.h"
#include "nwf/mac.h"

struct nwf_keepsake;

/* Opens it for a device, which need not be there yet.  If it has changed since it was last noted,
 * by anybody, that note holds; otherwise nothing is noted yet. */
int nwf_keepsake_open(const char *device, struct nwf_keepsake **ret, struct nwf_error *err);
void nwf_keepsake_close(struct nwf_keepsake *keepsake);
DEFINE_CLEANUP(struct nwf_keepsake, nwf_keepsake, nwf_keepsake_close)

/* Removes the file: what comes under this name has addresses of its own. */
void nwf_keepsake_forget(const char *device);

/* Notes what is there now, if the device is there and up, unless that was noted before. */
int nwf_keepsake_take(struct nwf_keepsake *keepsake, struct nwf_error *err);

/* Puts back what is missing of that: what the kernel refuses is left out, and the first such error
 * returned. */
int nwf_keepsake_put_back(struct nwf_keepsake *keepsake, struct nwf_error *err);

/* Goes on looking: what has been there for a while is noted, as long as the device's address is
 * 'mac'; when it was another, or it was another device, and is that again, what is noted is put
 * back. *ret_put_back says whether it was. */
int nwf_keepsake_run(struct nwf_keepsake *keepsake, const struct nwf_mac *mac, bool *ret_put_back,
                     struct nwf_error *err);
void nwf_keepsake_wait(const struct nwf_keepsake *keepsake);

#endif
