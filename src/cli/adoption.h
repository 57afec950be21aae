/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink goes onto the bridge, and what the host had on it goes to the bridge's device; and
 * back.
 *
 * What was done is noted with the bridge (NWF_BRIDGE_MOVED) before it is done, so that whoever
 * gives the bridge back can undo it, however it ended. */
#ifndef NWF_CLI_ADOPTION_H
#define NWF_CLI_ADOPTION_H

#include "nwf/moved.h"
#include "nwf/ovsdb.h"

/* Settings of the kernel for the NIC, for as long as it is on the bridge. */
struct nwf_nic_setting {
    const char *name;           /* In the note. */
    const char *family, *value; /* Its place below /proc/sys/net, and what it becomes. */
};

#define NWF_N_NIC_SETTINGS 2
extern const struct nwf_nic_setting nwf_nic_settings[NWF_N_NIC_SETTINGS];

/* The setting as sysctl(8) knows it: a new string. */
char *nwf_nic_setting_path(const struct nwf_nic_setting *setting, const char *nic);

struct nwf_adoption {
    char *nic;
    bool joins;                       /* It is not on the bridge before. */
    bool lifts;                       /* The bridge's device is down before. */
    char *before[NWF_N_NIC_SETTINGS]; /* NULL: the kernel has no such setting. */
    struct nwf_moved moved;
};

/* Whether the note can name such a NIC: it separates words by spaces and items by semicolons. */
bool nwf_adoption_is_name(const char *nic);

void nwf_adoption_clear(struct nwf_adoption *adoption);

/* What it takes to put the NIC onto 'bridge'.  Nothing is changed. */
int nwf_adoption_plan(const struct nwf_ovs_bridge *bridge, const char *nic,
                      struct nwf_adoption *ret, struct nwf_error *err);

/* As a tag's value: a new string; and back. */
char *nwf_adoption_format(const struct nwf_adoption *adoption);
int nwf_adoption_parse(const char *text, struct nwf_adoption *ret, struct nwf_error *err);

/* Puts the NIC onto the bridge; then addresses and routes to the bridge's device, which waits until
 * that has the NIC's MAC address. */
int nwf_adoption_join(struct nwf_ovsdb *db, const char *bridge, const struct nwf_adoption *adoption,
                      struct nwf_error *err);
int nwf_adoption_move(const char *bridge, const struct nwf_adoption *adoption,
                      struct nwf_error *err);

/* Undo them, however much of it was done: what is back already stays.  Addresses and routes last,
 * when nobody sets the NIC up as a port any more.  The second goes on after an error, which is the
 * first. */
int nwf_adoption_leave(struct nwf_ovsdb *db, const char *bridge,
                       const struct nwf_adoption *adoption, struct nwf_error *err);
int nwf_adoption_move_back(const char *bridge, const struct nwf_adoption *adoption,
                           struct nwf_error *err);

#endif
