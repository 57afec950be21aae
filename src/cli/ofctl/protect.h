/* SPDX-License-Identifier: Apache-2.0
 *
 * What keeps flows of network filters from being lost to a command that was meant for others. */
#ifndef NWF_CLI_OFCTL_PROTECT_H
#define NWF_CLI_OFCTL_PROTECT_H

#include "ofctl.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-meter.h"

/* Our flows on a switch. */
struct ofctl_protection;

/* Asks the switch for its flows of ours.  NULL: there are none, and no network filters, or the user
 * does not want them protected.  'scope', if there is one, is the one change that is going to be
 * checked. */
struct ofctl_protection *ofctl_protection_new(struct ofctl *ofctl, const char *target,
                                              const struct ofputil_flow_mod *scope);
void ofctl_protection_free(struct ofctl_protection *protection);

/* Notes what the change would do to flows of ours. */
void ofctl_protection_check(struct ofctl_protection *protection,
                            const struct ofputil_flow_mod *mod);

/* As much for flows that the switch adds when it executes the actions ("learn"). */
void ofctl_protection_check_actions(struct ofctl_protection *protection,
                                    const struct ofpact *ofpacts, size_t len);

/* Ends the program, with what would be lost, if there was anything to note. */
void ofctl_protection_judge(struct ofctl_protection *protection);

/* Checks all of them.  Instead of a deletion of everything, which is freed, come back deletions of
 * all that is not ours; the caller frees what they hold, and not the array. */
struct ofputil_flow_mod *ofctl_protect(struct ofctl *ofctl, const char *target,
                                       struct ofputil_flow_mod *mods, size_t *n,
                                       enum ofputil_protocol *usable);
void ofctl_protect_bundle(struct ofctl *ofctl, const char *target,
                          const struct ofputil_bundle_msg *messages, size_t n);

/* Checks actions that the switch is to execute at once. */
void ofctl_protect_actions(struct ofctl *ofctl, const char *target, const struct ofpact *ofpacts,
                           size_t len);

/* Checks the deletion or modification of a meter, or of all: flows go with meters. */
void ofctl_protect_meters(struct ofctl *ofctl, const char *target,
                          const struct ofputil_meter_mod *mod);

#endif
