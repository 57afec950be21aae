/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of the host's kernel (sysctl(8)) that routed guests need. */
#ifndef NWF_ENGINE_HOST_SETTINGS_H
#define NWF_ENGINE_HOST_SETTINGS_H

#include "nwf/host.h"

/* Most devices of an uplink: the members of a bond. */
#define NWF_UPLINK_NICS_MAX 16

/* Whose settings.  The names are others'. */
struct nwf_host_places {
    const char *bridge;
    const char *nics[NWF_UPLINK_NICS_MAX]; /* Of the uplink. */
    size_t n_nics;
    const char *wire;  /* Which of all these devices has the host's addresses. */
    bool by_flows;     /* Flows route. */
    bool is_userspace; /* If so: the uplink is on the bridge, on the userspace datapath. */
};

/* A note is what NWF_BRIDGE_SETTINGS has.  Appends to the note 'before', which may be NULL, what is
 * about to be changed and not in it: a new string.  NULL: there is nothing to add. */
char *nwf_host_settings_note(struct nwf_host *host, const struct nwf_host_places *places,
                             const char *before);

/* Makes those settings what they are to be that 'note' has, or that are so already.  *ret_missing:
 * there are others, and nothing was done about them. */
int nwf_host_settings_apply(struct nwf_host *host, const struct nwf_host_places *places,
                            const char *note, bool *ret_missing, struct nwf_error *err);

/* Calls each() for those that are not what they are to be. */
void nwf_host_settings_each(struct nwf_host *host, const struct nwf_host_places *places,
                            void (*each)(const char *path, const char *now, const char *wanted,
                                         void *aux),
                            void *aux);

/* What the note has is as it was; settings of devices that are gone are none.  The error is the
 * first. */
int nwf_host_settings_restore(const char *note, struct nwf_error *err);

#endif
