/* SPDX-License-Identifier: Apache-2.0
 *
 * A domain's ports; see domain_ports.h. */
#include <config.h>

#include "domain_ports.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "nwf/text.h"
#include "owner.h"
#include "places.h"

/* ---- Finding. ---- */

/* Looks for the port among the bridge's. */
static bool
find_on(const struct nwf_ovs_bridge *bridge, struct nwf_hook_port *port)
{
    struct nwf_ovs_refs refs;

    nwf_ovs_list_ports(bridge, &refs);
    nwf_vec_foreach (ref, &refs) {
        if (!strcmp(nwf_ovs_ref_name(ref), port->nic->dev)) {
            port->bridge = bridge;
            nwf_ovs_read_port(bridge, ref, &port->row);
            break;
        }
    }
    nwf_vec_clear(&refs);
    return port->bridge != NULL;
}

void
nwf_hook_find_ports(const struct nwf_domain *domain, const struct nwf_ovs_bridges *bridges,
                    struct nwf_hook_ports *ret)
{
    nwf_vec_foreach (nic, &domain->nics) {
        struct nwf_hook_port port = {.nic = nic, .entry = nwf_domain_find_port(domain, nic)};

        for (size_t i = 0; nic->dev && i < bridges->n && !find_on(&bridges->data[i], &port); i++) {
        }
        if (port.bridge || port.entry) {
            nwf_vec_push(ret, port);
        }
    }
}

/* ---- Those that the document does not name. ---- */

static struct nwf_domain_nic *
find_unnamed(const struct nwf_domain *domain, const struct nwf_ovs_port *row)
{
    const char *owner = nwf_tag_find(row->tags.data, row->tags.n, NWF_TAG_VM_ID);
    const char *text = nwf_tag_find(row->tags.data, row->tags.n, NWF_TAG_MAC);

    if (!owner || !domain->uuid || strcasecmp(owner, domain->uuid) || !text) {
        return NULL;
    }
    nwf_vec_foreach (nic, &domain->nics) {
        if (!nic->dev && nwf_hook_has_mac(nic, text)) {
            return nic;
        }
    }
    return NULL;
}

static void
name_one(struct nwf_domain *domain, const struct nwf_ovs_bridge *bridge,
         const struct nwf_ovs_ref *ref)
{
    struct nwf_ovs_port row = {.tags.data = NULL};

    nwf_ovs_read_port(bridge, ref, &row);
    struct nwf_domain_nic *nic = find_unnamed(domain, &row);
    if (nic) {
        nic->dev = nwf_strdup(nwf_ovs_ref_name(ref));
    }
    nwf_ovs_port_clear(&row);
}

void
nwf_hook_name_interfaces(struct nwf_domain *domain, const struct nwf_ovs_bridges *bridges)
{
    nwf_vec_foreach (bridge, bridges) {
        struct nwf_ovs_refs refs;

        nwf_ovs_list_ports(bridge, &refs);
        nwf_vec_foreach (ref, &refs) {
            name_one(domain, bridge, ref);
        }
        nwf_vec_clear(&refs);
    }
}

void
nwf_hook_ports_clear(struct nwf_hook_ports *ports)
{
    nwf_vec_foreach (port, ports) {
        nwf_ovs_port_clear(&port->row);
    }
    nwf_vec_clear(ports);
}

bool
nwf_hook_is_managed(const struct nwf_hook_port *port)
{
    return port->bridge && port->bridge->config.managed != NWF_UNMANAGED;
}

static int
refuse_unmanaged(const char *file, const struct nwf_hook_port *port, struct nwf_error *err)
{
    const char *dev = port->nic->dev;

    if (!dev) {
        return nwf_error_set(err, -EINVAL,
                             "%s:%u: this <port> names a filter, and its interface (line %u) has "
                             "no <target dev>: it is no port of Open vSwitch",
                             file, port->entry->line, port->nic->line);
    }
    if (!port->bridge) {
        return nwf_error_set(
            err, -EINVAL,
            "%.80s: %s:%u names a filter for it, and no bridge of Open vSwitch has "
            "it as a port",
            dev, file, port->entry->line);
    }
    return nwf_error_set(err, -EINVAL,
                         "%s: %s:%u names a filter for it, and bridge %s is not managed; run "
                         "\"ovs-nwfilter manage %s\"",
                         dev, file, port->entry->line, port->bridge->name, port->bridge->name);
}

/* ---- Where its policy stands. ---- */

static const char *
find_tag(const struct nwf_hook_port *port, const char *key)
{
    return nwf_tag_find(port->row.tags.data, port->row.tags.n, key);
}

/* libvirt writes the document's profileid, and leaves that of a machine before if there is none;
 * ports that it does not make may have one of their own. */
static const char *
find_profile(const struct nwf_hook_port *port)
{
    return port->nic->is_ovs ? port->nic->profile : find_tag(port, NWF_TAG_PROFILE);
}

static char *
format_mac(const struct nwf_mac *mac)
{
    const uint8_t *o = mac->octets;

    return nwf_asprintf("%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
}

/* The name as a tag, or NULL if it is too long for one. */
static const char *
usable_name(const struct nwf_domain *domain)
{
    return domain->name && strlen(domain->name) <= NWF_TAG_MAX ? domain->name : NULL;
}

/* A port's tags as they will be after the start. */
struct tags {
    NWF_VEC(struct nwf_tag) list;
    char *mac; /* The interface's address. */
};

static void
tags_clear(struct tags *tags)
{
    nwf_vec_clear(&tags->list);
    free(tags->mac);
}

static void
add_tag(struct tags *tags, const char *key, const char *value)
{
    if (value) {
        nwf_vec_push(&tags->list, (struct nwf_tag){key, value});
    }
}

static void
foresee_tags(const struct nwf_domain *domain, const struct nwf_hook_port *port, struct tags *ret)
{
    bool has_mac = find_tag(port, NWF_TAG_MAC);

    nwf_vec_foreach (tag, &port->row.tags) {
        if (strcmp(tag->key, NWF_TAG_VM_NAME) && strcmp(tag->key, NWF_TAG_PROFILE)
            && strcmp(tag->key, NWF_TAG_VM_ID)) {
            nwf_vec_push(&ret->list, *tag);
        }
    }
    ret->mac = !has_mac && port->nic->has_mac ? format_mac(&port->nic->mac) : NULL;
    add_tag(ret, NWF_TAG_MAC, ret->mac);
    add_tag(ret, NWF_TAG_VM_ID, domain->uuid);
    add_tag(ret, NWF_TAG_VM_NAME, usable_name(domain));
    add_tag(ret, NWF_TAG_PROFILE, find_profile(port));
}

int
nwf_hook_look_up(const struct nwf_cli *cli, const struct nwf_domain *domain,
                 const struct nwf_hook_port *port, struct nwf_hook_places *places,
                 struct nwf_error *err)
{
    struct tags tags CLEANUP(tags_clear) = {.mac = NULL};

    places->entry = port->entry;
    places->fallback = port->bridge->config.default_filter;
    foresee_tags(domain, port, &tags);
    return nwf_hook_find_places(cli, port->nic->dev, tags.list.data, tags.list.n, places, err);
}

/* What the engine would quarantine is an error here: the machine is not to run without a network
 * and nobody knows why. */
static int
refuse_unbound(const struct nwf_cli *cli, const struct nwf_hook_port *port, struct nwf_error *err)
{
    const char *profile = find_profile(port);

    if (cli->policies.broken.text) {
        return nwf_error_set(err, -EINVAL, "no filter is known for it: %s",
                             nwf_error_text(&cli->policies.broken));
    }
    return nwf_error_set(
        err, -ENOENT,
        "no filter: neither the domain's <metadata> nor policy.d names one, %s%.80s%s, "
        "and bridge %s has no nwfilter-default-filter; see ovs-nwfilter-hook(8)",
        profile ? "profileid \"" : "it has no profileid", profile ? profile : "",
        profile ? "\" is no filter's name" : "", port->bridge->name);
}

/* Sets the tag, or removes it, where it is not so already. */
static void
make_tag(struct nwf_cli_changes *changes, const struct nwf_hook_port *port, const char *key,
         const char *value)
{
    const char *now = find_tag(port, key);

    if (value ? !now || strcmp(now, value) : now != NULL) {
        nwf_cli_change_tag(changes, &port->row, key, value);
    }
}

/* What tells whose the port is, and which address it has, where nobody else has said so; and which
 * of that is ours. */
static void
add_identity(const struct nwf_domain *domain, const struct nwf_hook_port *port,
             struct nwf_cli_changes *changes)
{
    const char *before = find_tag(port, NWF_TAG_ADDED);
    bool had_id = before && strstr(before, NWF_TAG_VM_ID);
    bool had_mac = before && strstr(before, NWF_TAG_MAC);
    bool needs_id = nwf_hook_find_owner(domain, port, NULL) == NWF_HOOK_BARE;
    bool needs_mac = port->nic->has_mac && !find_tag(port, NWF_TAG_MAC);

    if (needs_id) {
        nwf_cli_change_tag(changes, &port->row, NWF_TAG_VM_ID, domain->uuid);
    }
    if (needs_mac) {
        char *mac CLEANUP_FREE = format_mac(&port->nic->mac);
        nwf_cli_change_tag(changes, &port->row, NWF_TAG_MAC, mac);
    }
    if (needs_id || needs_mac) {
        bool id = had_id || needs_id, mac = had_mac || needs_mac;
        char *added CLEANUP_FREE = nwf_asprintf("%s%s%s", id ? NWF_TAG_VM_ID : "",
                                                id && mac ? "," : "", mac ? NWF_TAG_MAC : "");
        make_tag(changes, port, NWF_TAG_ADDED, added);
    }
}

void
nwf_hook_remove_identity(const struct nwf_hook_port *port, struct nwf_cli_changes *changes)
{
    const char *added = find_tag(port, NWF_TAG_ADDED);

    if (added && strstr(added, NWF_TAG_VM_ID)) {
        make_tag(changes, port, NWF_TAG_VM_ID, NULL);
    }
    if (added && strstr(added, NWF_TAG_MAC)) {
        make_tag(changes, port, NWF_TAG_MAC, NULL);
    }
    make_tag(changes, port, NWF_TAG_ADDED, NULL);
}

void
nwf_hook_name_machine(const struct nwf_domain *domain, const struct nwf_hook_port *port,
                      struct nwf_cli_changes *changes)
{
    const char *name = usable_name(domain);

    if (name || find_tag(port, NWF_TAG_VM_NAME)) {
        nwf_cli_change_tag(changes, &port->row, NWF_TAG_VM_NAME, name);
    }
    nwf_cli_change_tag(changes, &port->row, NWF_TAG_VM, domain->uuid);
}

static int
add_tags(const struct nwf_domain *domain, const struct nwf_hook_port *port,
         struct nwf_cli_changes *changes, struct nwf_error *err)
{
    int r = 0;

    /* An Interface's row may be left from a machine before. */
    nwf_cli_remove_binding(changes, &port->row);
    if (port->entry && (r = nwf_cli_add_binding(changes, &port->row, &port->entry->binding, err))) {
        return r;
    }
    make_tag(changes, port, NWF_TAG_PROFILE, find_profile(port));
    add_identity(domain, port, changes);
    nwf_hook_name_machine(domain, port, changes);
    return 0;
}

/* The address that is in force is to be that of the document, by which its owner goes. */
static int
check_mac(const struct nwf_hook_port *port, struct nwf_error *err)
{
    const char *mac = find_tag(port, NWF_TAG_MAC);

    if (!mac || !port->nic->has_mac || nwf_hook_has_mac(port->nic, mac)) {
        return 0;
    }
    char *own CLEANUP_FREE = format_mac(&port->nic->mac);
    return nwf_error_set(err, -EEXIST,
                         "its attached-mac, %.80s, is not the interface's address, %s", mac, own);
}

static int
check_managed(const struct nwf_cli *cli, const char *file, const struct nwf_domain *domain,
              const struct nwf_hook_port *port, struct nwf_error *err)
{
    char *entry_place CLEANUP_FREE =
        port->entry ? nwf_asprintf("%s:%u", file, port->entry->line) : NULL;
    struct nwf_hook_places at = {.entry_place = entry_place};
    int r;

    if (nwf_hook_find_owner(domain, port, err) == NWF_HOOK_OTHERS) {
        return -EEXIST;
    }
    if ((r = check_mac(port, err)) || (r = nwf_hook_look_up(cli, domain, port, &at, err))) {
        return r;
    }
    return nwf_hook_has_place(&at) ? 0 : refuse_unbound(cli, port, err);
}

/* Whether an interface that is to be elsewhere only has the name of the port. */
static bool
is_elsewhere(const struct nwf_domain *domain, const struct nwf_hook_port *port)
{
    return !port->entry && !nwf_hook_may_have_port(port->nic)
           && nwf_hook_find_owner(domain, port, NULL) != NWF_HOOK_OWN;
}

int
nwf_hook_add_policy(const struct nwf_cli *cli, const char *file, const struct nwf_domain *domain,
                    const struct nwf_hook_port *port, struct nwf_cli_changes *changes,
                    struct nwf_error *err)
{
    int r;

    if (is_elsewhere(domain, port)) {
        return 0;
    }
    if (nwf_hook_is_hosts(port)) {
        return port->entry || !nwf_is_named_trusted(&port->bridge->config, port->nic->dev)
                   ? nwf_error_set(err, -EINVAL, "%s: " NWF_NOT_FILTERED, port->nic->dev)
                   : 0;
    }
    if ((r = check_managed(cli, file, domain, port, err))) {
        nwf_error_wrap(err, "%s", port->nic->dev);
        return r;
    }
    return add_tags(domain, port, changes, err);
}

/* ---- On a bridge that nobody manages. ---- */

int
nwf_hook_check_unmanaged(const struct nwf_cli *cli, const char *file,
                         const struct nwf_domain *domain, const struct nwf_hook_port *port,
                         struct nwf_error *err)
{
    struct nwf_hook_places at = {.entry_place = NULL};

    if (port->entry) {
        return refuse_unmanaged(file, port, err);
    }
    if (!port->bridge || nwf_hook_is_hosts(port)
        || nwf_hook_find_owner(domain, port, NULL) == NWF_HOOK_OTHERS) {
        return 0;
    }
    int r = nwf_hook_look_up(cli, domain, port, &at, err);
    if (r) {
        nwf_error_wrap(err, "%s", port->nic->dev);
        return r;
    }
    const char *place = at.profile ? "profileid" : at.policy ? at.policy->place : NULL;
    return place ? nwf_error_set(err, -EINVAL,
                                 "%s: %s names a filter for it, and bridge %s is not managed; run "
                                 "\"ovs-nwfilter manage %s\"",
                                 port->nic->dev, place, port->bridge->name, port->bridge->name)
                 : 0;
}
