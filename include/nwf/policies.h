/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies in files: bindings of ports that have none in their own tags.
 *
 * A file is a JSON array of objects, which are called entries:
 *
 *   {"port": NAME | "mac": MAC | "vm": UUID | NAME, "filter": NAME,
 *    "parameters": {NAME: VALUE | [VALUE...]}, "isolated": true | false,
 *    "limits": {NAME: NUMBER}}
 *
 * An entry is for the Interface of that name, or for those with that address or of
 * that machine by their tags (attached-mac; vm-id, vm-uuid, xs-vm-uuid or vm-name); "vm" and "mac"
 * together are for one interface of a machine.  Beside "port", "mac" is the variable MAC. */
#ifndef NWF_POLICIES_H
#define NWF_POLICIES_H

#include "nwf/binding.h"
#include "nwf/mac.h"

struct nwf_policy {
    char *port, *vm;            /* NULL: whatever it is. */
    bool has_mac;               /* Only for ports with the address 'mac'. */
    struct nwf_mac mac;         /* binding.own_mac, if that is not NULL. */
    char *place;                /* File and entry, for errors. */
    struct nwf_binding binding; /* Filter, parameters, own_mac, isolated and limits. */
};

struct nwf_policies {
    NWF_VEC(struct nwf_policy) list;
    NWF_VEC(struct nwf_policy *) by_port, by_mac, by_vm; /* Ordered by that; one of them each. */
    struct nwf_error broken; /* Of a file that could not be read; its entries are not known. */
};

void nwf_policies_init(struct nwf_policies *policies);
void nwf_policies_finish(struct nwf_policies *policies);

/* Adds the entries of a file; on error none of them. */
int nwf_policies_add_json(struct nwf_policies *policies, const char *file, const char *data,
                          size_t size, struct nwf_error *err);

/* Orders them, when all have been added. */
void nwf_policies_index(struct nwf_policies *policies);

/* Finds the entry for the Interface with these tags.  *ret is NULL if there is none; entries that
 * are for it and do not agree are an error that names both. */
int nwf_policies_find(const struct nwf_policies *policies, const char *interface,
                      const struct nwf_tag *tags, size_t n_tags, const struct nwf_policy **ret,
                      struct nwf_error *err);

/* Makes the entry's filter that of 'binding', which has been read from tags and has none.  Its
 * variables, and its limits, and whether it is isolated, are the entry's, but for what the tags
 * give. */
int nwf_policy_apply(const struct nwf_policy *policy, const struct nwf_tag *tags, size_t n_tags,
                     struct nwf_binding *binding, struct nwf_error *err);

#endif
