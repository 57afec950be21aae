/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings: which filter holds for which port, with which variables.  They come
 * from OVSDB tags, <filterbinding> documents and JSON policy files, and mean the
 * same from each. */
#ifndef NWF_BINDING_H
#define NWF_BINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "nwf/params.h"

/* Bindings of one run's files. */
#define NWF_BINDINGS_MAX 16384
/* Objects and arrays in a JSON policy, and members and elements of all of them. */
#define NWF_JSON_CONTAINERS_MAX 65536
#define NWF_JSON_VALUES_MAX 524288
/* Characters of one tag's value. */
#define NWF_TAG_MAX 65536

/* Frames of a guest that may have a limit: those for many; ARP and neighbour discovery; those that
 * begin a connection, if its filter looks at connections. */
enum nwf_limit { NWF_LIMIT_BROADCAST, NWF_LIMIT_ARP, NWF_LIMIT_NEW, NWF_N_LIMITS };

/* Highest limit, packets a second. */
#define NWF_LIMIT_MAX 60000

struct nwf_binding {
    char *port;                    /* Interface name. */
    char *filter;                  /* NULL: none. */
    bool has_identity;             /* A virtual machine is behind the port. */
    char *own_mac;                 /* Its own address, apart from MAC; NULL: the first of MAC. */
    struct nwf_params params;      /* MAC included, if known. */
    bool isolated;                 /* Exchanges no frames with other such guests of its bridge. */
    uint16_t limits[NWF_N_LIMITS]; /* Packets a second that the guest may send; 0: any number. */
};

struct nwf_bindings {
    struct nwf_binding *data;
    size_t n, allocated;
};

void nwf_binding_clear(struct nwf_binding *binding);
void nwf_bindings_clear(struct nwf_bindings *bindings);

/* The keys of an Interface's external_ids that make a binding. */
#define NWF_TAG_FILTER "nwfilter"
#define NWF_TAG_VARIABLE "nwfilter-"
#define NWF_TAG_ISOLATED "nwfilter-isolated"
#define NWF_TAG_LIMIT "nwfilter-limit-" /* And nwf_limit_name(). */
#define NWF_TAG_STATUS "nwfilter-status"
/* Written by us, as the status is: the port's conntrack zone; that we have excluded it from the
 * floods of NORMAL; and since when the switch enforces its filter. */
#define NWF_TAG_ZONE "nwfilter-ct-zone"
#define NWF_TAG_NO_FLOOD "nwfilter-no-flood"
#define NWF_TAG_INSTALLED "nwfilter-installed-ts"
/* Written by us: the UUID of the virtual machine that the policy is for, whoever has the row next;
 * and which tags a hook has added that tell whose the port is. */
#define NWF_TAG_VM "nwfilter-vm"
#define NWF_TAG_ADDED "nwfilter-added"
#define NWF_TAG_VM_ID "vm-id"
#define NWF_TAG_PROFILE "port-profile"
#define NWF_TAG_MAC "attached-mac"
/* Written by the hook that starts a virtual machine: its name, by which a policy file may know it.
 */
#define NWF_TAG_VM_NAME "vm-name"

struct nwf_tag {
    const char *key;
    const char *value;
};

/* The limit's name in tags and files. */
const char *nwf_limit_name(enum nwf_limit limit);

/* The tag of the limit; the caller frees it. */
char *nwf_limit_tag(enum nwf_limit limit);

/* Reads a number of packets a second. */
int nwf_limit_parse(const char *what, const char *text, uint16_t *ret, struct nwf_error *err);

/* The value of 'key', or NULL. */
const char *nwf_tag_find(const struct nwf_tag *tags, size_t n_tags, const char *key);

/* Whether the tag says what the port's policy is, as opposed to what became of it. */
bool nwf_tag_is_policy(const char *key);

/* Whether the tag is one that we write. */
bool nwf_tag_is_note(const char *key);

/* Whether the tag is a variable, or means to be one. */
bool nwf_tag_is_variable(const char *key);

/* The UUID of the virtual machine whose port it is, by who has plugged it; NULL: nobody says. */
const char *nwf_tags_machine(const struct nwf_tag *tags, size_t n_tags);

/* Whether the tags' policy was written for a virtual machine that is not the port's any more: a row
 * may outlive its machine, and libvirt gives it to the next one as it is. */
bool nwf_tags_are_stale(const struct nwf_tag *tags, size_t n_tags);

/* Tells whether a filter of this name is there. */
struct nwf_known_filters {
    bool (*has)(void *aux, const char *name);
    void *aux;
};

/* Reads a port's tags; variables also where no filter is named.  'known' tells whether a
 * port-profile is a filter's name.  On error *ret holds what is known: the filter's name and
 * has_identity. */
int nwf_binding_from_tags(const char *port, const struct nwf_tag *tags, size_t n_tags,
                          const struct nwf_known_filters *known, struct nwf_binding *ret,
                          struct nwf_error *err);

/* Reads a <filterbinding> document (libvirt's "virsh nwfilter-binding-create"). */
int nwf_binding_from_xml(const char *file, const char *data, size_t size, struct nwf_binding *ret,
                         struct nwf_error *err);

/* Adds the bindings of a JSON policy, all of them or on error none: an array of objects
 *   {"port": NAME, "mac": MAC, "filter": NAME,
 *    "parameters": {NAME: VALUE | [VALUE...] ...}, "isolated": true | false,
 *    "limits": {"broadcast" | "arp" | "new": NUMBER ...}}
 * where all but port and filter may be absent. */
int nwf_bindings_from_json(const char *file, const char *data, size_t size,
                           struct nwf_bindings *ret, struct nwf_error *err);

/* Reads either, by its first character; adds to *ret. */
int nwf_bindings_read(const char *file, struct nwf_bindings *ret, struct nwf_error *err);

#endif
