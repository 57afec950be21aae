/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the policy of a domain's interface stands. */
#ifndef NWF_HOOK_PLACES_H
#define NWF_HOOK_PLACES_H

#include "../cli/cli.h"
#include "nwf/domain.h"

/* All places, in the order in which they count. */
struct nwf_hook_places {
    const struct nwf_domain_port *entry;
    const char *entry_place;         /* "FILE:LINE". */
    const char *profile;             /* A port-profile that is a filter's name. */
    const struct nwf_policy *policy; /* Of policy.d. */
    const char *fallback;            /* The bridge's default filter; NULL or empty: none. */
};

/* Finds 'profile' and 'policy' for an Interface with these tags; the caller knows the rest.  Places
 * that do not agree are an error that names both. */
int nwf_hook_find_places(const struct nwf_cli *cli, const char *interface,
                         const struct nwf_tag *tags, size_t n_tags, struct nwf_hook_places *places,
                         struct nwf_error *err);

/* Whether there is any. */
bool nwf_hook_has_place(const struct nwf_hook_places *places);

#endif
