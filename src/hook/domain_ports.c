/* SPDX-License-Identifier: Apache-2.0
 *
 * A domain's ports; see domain_ports.h. */
#include <config.h>

#include "domain_ports.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "nwf/text.h"
#include "nwf/value.h"
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

static bool
has_mac(const struct nwf_domain_nic *nic, const char *text)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_mac mac;
    int r = nwf_mac_parse(text, &mac, &err);

    nwf_error_clear(&err);
    return !r && nic->has_mac && !memcmp(&nic->mac, &mac, sizeof mac);
}

static struct nwf_domain_nic *
find_unnamed(const struct nwf_domain *domain, const struct nwf_ovs_port *row)
{
    const char *owner = nwf_tag_find(row->tags.data, row->tags.n, "vm-id");
    const char *text = nwf_tag_find(row->tags.data, row->tags.n, NWF_TAG_MAC);

    if (!owner || !domain->uuid || strcasecmp(owner, domain->uuid) || !text) {
        return NULL;
    }
    nwf_vec_foreach (nic, &domain->nics) {
        if (!nic->dev && has_mac(nic, text)) {
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
    nwf_vec_clear(&row.tags);
    nwf_vec_clear(&row.bond);
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
        nwf_vec_clear(&port->row.tags);
        nwf_vec_clear(&port->row.bond);
    }
    nwf_vec_clear(ports);
}

bool
nwf_hook_is_managed(const struct nwf_hook_port *port)
{
    return port->bridge && port->bridge->config.managed != NWF_UNMANAGED;
}

bool
nwf_hook_is_others(const struct nwf_domain *domain, const struct nwf_hook_port *port)
{
    const char *owner = nwf_tag_find(port->row.tags.data, port->row.tags.n, "vm-id");

    return owner && domain->uuid && strcasecmp(owner, domain->uuid);
}

int
nwf_hook_refuse_unmanaged(const char *file, const struct nwf_hook_port *port, struct nwf_error *err)
{
    const char *dev = port->nic->dev;

    if (!dev) {
        return nwf_error_set(err, -EINVAL,
                             "%s:%u: this <port> names a filter, and its interface (line %u) has "
                             "no <target dev>: it is no port of Open vSwitch",
                             file, port->entry->line, port->nic->line);
    }
    if (!port->bridge) {
        return nwf_error_set(err, -EINVAL,
                             "%s: %s:%u names a filter for it, and no bridge of Open vSwitch has "
                             "it as a port",
                             dev, file, port->entry->line);
    }
    return nwf_error_set(err, -EINVAL,
                         "%s: %s:%u names a filter for it, and bridge %s is not managed; run "
                         "\"ovs-nwfilter manage %s\"",
                         dev, file, port->entry->line, port->bridge->name, port->bridge->name);
}

/* ---- Where its policy stands. ---- */

/* Tags as they will be when the machine's name is among them. */
struct tags {
    NWF_VEC(struct nwf_tag) list;
};

static void
add_name(const struct nwf_hook_port *port, const char *vm, struct tags *ret)
{
    nwf_vec_foreach (tag, &port->row.tags) {
        if (strcmp(tag->key, NWF_TAG_VM_NAME)) {
            nwf_vec_push(&ret->list, *tag);
        }
    }
    if (vm) {
        nwf_vec_push(&ret->list, (struct nwf_tag){NWF_TAG_VM_NAME, vm});
    }
}

static int
find_places(const struct nwf_cli *cli, const struct nwf_domain *domain,
            const struct nwf_hook_port *port, struct nwf_hook_places *places, struct nwf_error *err)
{
    struct tags tags = {.list.data = NULL};

    places->entry = port->entry;
    places->fallback = port->bridge->config.default_filter;
    add_name(port, domain->name, &tags);
    int r = nwf_hook_find_places(cli, port->nic->dev, tags.list.data, tags.list.n, places, err);
    nwf_vec_clear(&tags.list);
    return r;
}

/* What the engine would quarantine is an error here: the machine is not to run without a network
 * and nobody knows why. */
static int
refuse_unbound(const struct nwf_cli *cli, const struct nwf_hook_port *port, struct nwf_error *err)
{
    const char *profile = nwf_tag_find(port->row.tags.data, port->row.tags.n, NWF_TAG_PROFILE);

    if (nwf_is_named_trusted(&port->bridge->config, port->nic->dev)) {
        return 0;
    }
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

static int
add_tags(const struct nwf_domain *domain, const struct nwf_hook_port *port,
         struct nwf_cli_changes *changes, struct nwf_error *err)
{
    int r = 0;

    /* An Interface's row may be left from a machine before. */
    nwf_cli_remove_binding(changes, &port->row);
    if (port->entry) {
        r = nwf_cli_add_binding(changes, &port->row, &port->entry->binding, err);
    }
    if (!r && domain->name && strlen(domain->name) <= NWF_TAG_MAX) {
        nwf_cli_change_tag(changes, &port->row, NWF_TAG_VM_NAME, domain->name);
    }
    return r;
}

int
nwf_hook_add_policy(const struct nwf_cli *cli, const char *file, const struct nwf_domain *domain,
                    const struct nwf_hook_port *port, struct nwf_cli_changes *changes,
                    struct nwf_error *err)
{
    char *entry_place CLEANUP_FREE =
        port->entry ? nwf_asprintf("%s:%u", file, port->entry->line) : NULL;
    struct nwf_hook_places at = {.entry_place = entry_place};
    int r;

    if (nwf_hook_is_others(domain, port)) {
        r = nwf_error_set(err, -EEXIST, "its vm-id is that of another virtual machine");
    } else if (!(r = find_places(cli, domain, port, &at, err)) && !nwf_hook_has_place(&at)) {
        r = refuse_unbound(cli, port, err);
    }
    if (r) {
        nwf_error_wrap(err, "%s", port->nic->dev);
        return r;
    }
    return add_tags(domain, port, changes, err);
}
