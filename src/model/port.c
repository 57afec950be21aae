/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports; see nwf/port.h. */
#include "nwf/port.h"

#include <string.h>

#include "nwf/cleanup.h"

void
nwf_port_config_clear(struct nwf_port_config *config)
{
    nwf_binding_clear(&config->binding);
    nwf_error_clear(&config->error);
    nwf_error_clear(&config->unguarded);
    nwf_vec_clear(&config->nics);
    free(config->port_name);
    nwf_vec_clear(&config->bond);
    nwf_vlan_clear(&config->vlan);
    free(config->name);
    memset(config, 0, sizeof *config);
}

void
nwf_port_notes_clear(struct nwf_port_notes *notes)
{
    free(notes->status);
    free(notes->installed);
    free(notes->zone);
    free(notes->no_flood);
    for (size_t i = 0; i < NWF_N_TREES; i++) {
        free(notes->trees[i]);
        free(notes->tree_notes[i]);
    }
    memset(notes, 0, sizeof *notes);
}

static bool
same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool
same_param(const struct nwf_param *a, const struct nwf_param *b)
{
    if (strcmp(a->name, b->name) || a->values.n != b->values.n) {
        return false;
    }
    for (size_t i = 0; i < a->values.n; i++) {
        if (strcmp(a->values.data[i], b->values.data[i])) {
            return false;
        }
    }
    return true;
}

static bool
same_params(const struct nwf_params *a, const struct nwf_params *b)
{
    if (a->list.n != b->list.n) {
        return false;
    }
    for (size_t i = 0; i < a->list.n; i++) {
        if (!same_param(&a->list.data[i], &b->list.data[i])) {
            return false;
        }
    }
    return true;
}

static bool
same_binding(const struct nwf_binding *a, const struct nwf_binding *b)
{
    return same_text(a->filter, b->filter) && a->has_identity == b->has_identity
           && a->isolated == b->isolated && !memcmp(a->limits, b->limits, sizeof a->limits)
           && same_text(a->own_mac, b->own_mac) && same_params(&a->params, &b->params);
}

static bool
same_bond(const struct nwf_port_config *a, const struct nwf_port_config *b)
{
    return a->bond.n == b->bond.n
           && (!a->bond.n
               || !memcmp(a->bond.data, b->bond.data, a->bond.n * sizeof a->bond.data[0]));
}

bool
nwf_port_config_equals(const struct nwf_port_config *a, const struct nwf_port_config *b)
{
    return same_text(a->name, b->name) && a->ofport == b->ofport && a->role == b->role
           && same_text(a->error.text, b->error.text) && nwf_vlan_equals(&a->vlan, &b->vlan)
           && same_bond(a, b) && same_binding(&a->binding, &b->binding)
           && a->has_own_mac == b->has_own_mac
           && !memcmp(&a->own_mac, &b->own_mac, sizeof a->own_mac)
           && a->is_mirror_output == b->is_mirror_output && a->is_patch == b->is_patch
           && a->is_uplink == b->is_uplink && a->needs_normal == b->needs_normal
           && a->leader == b->leader && a->is_hashed == b->is_hashed && a->guarding == b->guarding
           && same_text(a->port_name, b->port_name) && nwf_nics_equal(&a->nics, &b->nics)
           && same_text(a->unguarded.text, b->unguarded.text);
}
