/* SPDX-License-Identifier: Apache-2.0
 *
 * Where policies are read from: SYSCONFDIR/ovs-nwfilter/policy.d/NAME.json. */
#ifndef NWF_POLICY_FILES_H
#define NWF_POLICY_FILES_H

#include "nwf/policies.h"

/* Largest policy file, bytes; most of them. */
#define NWF_POLICY_FILE_MAX (4 * 1024 * 1024)
#define NWF_POLICY_FILES_MAX 256

/* Reads all of them into *policies, in the order of their names.  The error of the first that
 * is broken is policies->broken; the others hold. */
void nwf_policies_load(struct nwf_policies *policies);

#endif
