/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of the policy file; see pve_entries.h. */
#include "pve_entries.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "../policy/binding_json.h"
#include "nwf/text.h"
#include "nwf/value.h"

DEFINE_CLEANUP(json_t, json, json_decref)

/* ---- Ports. ---- */

char *
nwf_pve_port(const struct nwf_pve_guest *guest, unsigned int vmid, size_t number)
{
    if (guest->nets[number].firewall) {
        return nwf_asprintf("fwln%uo%zu", vmid, number);
    }
    return nwf_asprintf("%s%ui%zu", guest->is_container ? "veth" : "tap", vmid, number);
}

/* Whether the port has the name of a guest's, as Proxmox VE writes it. */
static bool
is_port_of(const char *port, const char *prefix, char separator, unsigned int *ret)
{
    size_t n = strlen(prefix);
    char *end;

    if (strncmp(port, prefix, n)) {
        return false;
    }
    unsigned long vmid = strtoul(port + n, &end, 10);
    unsigned long number = *end ? strtoul(end + 1, NULL, 10) : 0;
    char *name CLEANUP_FREE = nwf_asprintf("%s%lu%c%lu", prefix, vmid, separator, number);
    *ret = (unsigned int) vmid;
    return !strcmp(name, port) && vmid <= NWF_PVE_VMID_MAX;
}

/* 0: no guest's. */
static unsigned int
vmid_of(const char *port)
{
    unsigned int vmid;

    return is_port_of(port, "tap", 'i', &vmid) || is_port_of(port, "veth", 'i', &vmid)
                   || is_port_of(port, "fwln", 'o', &vmid)
               ? vmid
               : 0;
}

/* ---- Reading. ---- */

/* What is not of our making is no guest's, and stays as it is. */
static void
read_entry(const json_t *value, struct nwf_pve_entries *ret)
{
    const char *port = json_string_value(json_object_get(value, "port"));

    port = port ? port : "";
    nwf_vec_push(
        ret, (struct nwf_pve_entry){vmid_of(port), nwf_strdup(port),
                                    json_dumps(value, JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII)});
}

int
nwf_pve_entries_parse(const char *file, const char *data, size_t size, struct nwf_pve_entries *ret,
                      struct nwf_error *err)
{
    json_t *root CLEANUP(json_cleanup) = NULL;
    const json_t *value;
    size_t i;
    int r = nwf_json_load_array(file, data, size, NWF_BINDINGS_MAX, &root, err);

    if (r) {
        return r;
    }
    json_array_foreach (root, i, value) {
        read_entry(value, ret);
    }
    return 0;
}

static void
entry_clear(struct nwf_pve_entry *entry)
{
    free(entry->port);
    free(entry->text);
}

void
nwf_pve_entries_clear(struct nwf_pve_entries *entries)
{
    nwf_vec_foreach (entry, entries) {
        entry_clear(entry);
    }
    nwf_vec_clear(entries);
}

void
nwf_pve_entries_remove(struct nwf_pve_entries *entries, unsigned int vmid)
{
    size_t n = 0;

    for (size_t i = 0; i < entries->n; i++) {
        if (entries->data[i].vmid == vmid) {
            entry_clear(&entries->data[i]);
        } else {
            entries->data[n++] = entries->data[i];
        }
    }
    entries->n = n;
}

/* ---- Adding. ---- */

/* The address that a host gives itself by RFC 4291, appendix A; Proxmox VE's own sets have it
 * too. */
static json_t *
link_local_of(const char *text)
{
    uint8_t address[16] = {0xfe, 0x80, [11] = 0xff, [12] = 0xfe};
    char buffer[INET6_ADDRSTRLEN];
    struct nwf_mac mac = {{0}};

    (void) nwf_mac_parse(text, &mac, NULL);
    memcpy(address + 8, mac.octets, 3);
    memcpy(address + 13, mac.octets + 3, 3);
    address[8] ^= 2;
    return json_string(inet_ntop(AF_INET6, address, buffer, sizeof buffer));
}

static void
add_values(json_t *parameters, const char *name, const struct nwf_pve_addresses *addresses,
           json_t *first)
{
    json_t *list = json_array();

    if (first) {
        json_array_append_new(list, first);
    }
    nwf_vec_foreach (address, addresses) {
        json_array_append_new(list, json_string(*address));
    }
    json_object_set_new(parameters, name, list);
}

void
nwf_pve_entries_add(struct nwf_pve_entries *entries, unsigned int vmid, const char *port,
                    const struct nwf_pve_net *net, const char *filter)
{
    json_t *object CLEANUP(json_cleanup) = json_object();
    json_t *parameters = json_object();

    json_object_set_new(object, "port", json_string(port));
    json_object_set_new(object, "mac", json_string(net->mac));
    json_object_set_new(object, "filter", json_string(filter));
    if (net->ip.n) {
        add_values(parameters, "IP", &net->ip, NULL);
    }
    if (net->ip6.n) {
        add_values(parameters, "IPV6", &net->ip6, link_local_of(net->mac));
    }
    json_object_set_new(object, "parameters", parameters);
    nwf_vec_push(entries, (struct nwf_pve_entry){
                              vmid, nwf_strdup(port),
                              json_dumps(object, JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII)});
}

/* ---- Writing. ---- */

static int
compare(const void *a, const void *b)
{
    const struct nwf_pve_entry *left = a, *right = b;

    if (left->vmid != right->vmid) {
        return left->vmid < right->vmid ? -1 : 1;
    }
    int by_port = strcmp(left->port, right->port);
    return by_port ? by_port : strcmp(left->text, right->text);
}

char *
nwf_pve_entries_format(struct nwf_pve_entries *entries)
{
    size_t size = 8;

    if (entries->n) {
        qsort(entries->data, entries->n, sizeof *entries->data, compare);
    }
    nwf_vec_foreach (entry, entries) {
        size += strlen(entry->text) + 3;
    }
    char *text = nwf_zalloc(size), *end = stpcpy(text, "[");
    nwf_vec_foreach (entry, entries) {
        end = stpcpy(end, entry > entries->data ? ",\n " : "");
        end = stpcpy(end, entry->text);
    }
    stpcpy(end, "]\n");
    return text;
}
