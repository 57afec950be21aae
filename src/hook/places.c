/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an interface's policy stands; see places.h. */
#include <config.h>

#include "places.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Whether both name the same values; of MAC, which stands elsewhere too, only where both do. */
static bool
same_params(const struct nwf_params *a, const struct nwf_params *b)
{
    size_t n = 0;

    nwf_vec_foreach (param, &a->list) {
        const struct nwf_param *other = nwf_params_find(b, param->name);
        if (!other ? strcmp(param->name, "MAC") : other->values.n != param->values.n) {
            return false;
        }
        for (size_t i = 0; other && i < other->values.n; i++) {
            if (strcasecmp(other->values.data[i], param->values.data[i])) {
                return false;
            }
        }
        n += other != NULL;
    }
    return n + (!nwf_params_find(a, "MAC") && nwf_params_find(b, "MAC")) == b->list.n;
}

static int
disagree(const char *first, const char *first_filter, const char *second, const char *second_filter,
         struct nwf_error *err)
{
    if (!strcmp(first_filter, second_filter)) {
        return nwf_error_set(err, -EEXIST, "%s and %s do not agree on the variables of filter %s",
                             first, second, first_filter);
    }
    return nwf_error_set(err, -EEXIST, "%s (filter %s) and %s (filter %s) do not agree", first,
                         first_filter, second, second_filter);
}

/* A second place that says something else is a mistake of somebody, who is to be told which both
 * are. */
static int
check_agreement(const struct nwf_hook_places *at, struct nwf_error *err)
{
    const struct nwf_binding *entry = at->entry ? &at->entry->binding : NULL;
    const struct nwf_binding *policy = at->policy ? &at->policy->binding : NULL;

    if (entry && at->profile && strcmp(entry->filter, at->profile)) {
        return disagree(at->entry_place, entry->filter, "profileid", at->profile, err);
    }
    if (entry && policy
        && (strcmp(entry->filter, policy->filter)
            || !same_params(&entry->params, &policy->params))) {
        return disagree(at->entry_place, entry->filter, at->policy->place, policy->filter, err);
    }
    if (at->profile && policy && strcmp(at->profile, policy->filter)) {
        return disagree("profileid", at->profile, at->policy->place, policy->filter, err);
    }
    return 0;
}

int
nwf_hook_find_places(const struct nwf_cli *cli, const char *interface, const struct nwf_tag *tags,
                     size_t n_tags, struct nwf_hook_places *places, struct nwf_error *err)
{
    const char *profile = nwf_tag_find(tags, n_tags, NWF_TAG_PROFILE);
    int r;

    if (profile && strlen(profile) < NWF_TAG_MAX && nwf_store_has(cli->store, profile)) {
        places->profile = profile;
    }
    r = nwf_policies_find(&cli->policies, interface, tags, n_tags, &places->policy, err);
    if (r) {
        return r;
    }
    return check_agreement(places, err);
}

bool
nwf_hook_has_place(const struct nwf_hook_places *places)
{
    return places->entry || places->profile || places->policy
           || (places->fallback && *places->fallback);
}
