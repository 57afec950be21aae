/* SPDX-License-Identifier: Apache-2.0
 *
 * What "sync" of a bridge and of a port have in common. */
#ifndef NWF_APPLY_H
#define NWF_APPLY_H

#include "nwf/engine.h"
#include "nwf/pipeline.h"
#include "nwf/switch.h"

/* Of the flow that is there from a bundle on until cached flows of the tables before it
 * are gone.  Somebody who finds it has to make them go. */
#define NWF_PENDING nwf_cookie(NWF_COOKIE_PENDING, 0, NWF_COOKIE_NO_RULE)

/* Finds what changes 'installed' into the plan's flows, counts it in *result and reports
 * it.  The flows of *ret are those of the two sets. */
void nwf_compare(const struct nwf_flow_set *installed, struct nwf_plan *plan,
                 nwf_sync_report_fn *report, struct nwf_changes *ret,
                 struct nwf_sync_result *result);

/* Brings 'changes' into force, and says so in OVSDB.  'frags' has been asked with
 * nwf_switch_ask_frags(), and its answer not been taken yet.
 *
 * NWF_REFUSED: the switch refuses flows that are guests' own, and has changed nothing.  These
 * guests are quarantined in the plan, which is to be computed and applied once more. */
int nwf_apply(struct nwf_switch *sw, struct nwf_ovsdb *db, struct nwf_plan *plan,
              struct nwf_question frags, struct nwf_changes *changes,
              const struct nwf_sync_options *options, struct nwf_error *err);

/* Says in OVSDB how each port of the plan fares; see status.c.  'doubt' is why no guest is
 * known to be protected; NULL: they are. */
int nwf_write_status(struct nwf_ovsdb *db, struct nwf_plan *plan, const char *doubt,
                     bool may_repeat, struct nwf_error *err);

/* Notes in OVSDB what the flows will rely on: zones, settings.  A run that is killed leaves
 * nothing on the switch that no tag tells of. */
int nwf_announce(struct nwf_ovsdb *db, struct nwf_plan *plan, struct nwf_error *err);

/* Whether NORMAL must not flood to the port; whether it may again, and we have forbidden it. */
bool nwf_is_no_flood(const struct nwf_plan *plan, const struct nwf_plan_port *port);
bool nwf_may_flood_again(const struct nwf_plan *plan, const struct nwf_plan_port *port);

/* Quarantines the guests in the plan that are why the switch refuses changes; see refused.c.
 * False if it refuses nothing, or anything that is no guest's: the plan is to be given up. */
bool nwf_quarantine_refused(struct nwf_plan *plan, const struct nwf_changes *changes,
                            const struct nwf_refusals *refusals);

#endif
