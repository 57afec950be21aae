/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices of a host, and its own addresses; see nwf/host.h. */
#include <config.h>

#include <string.h>

#include "nwf/text.h"
#include "state.h"

#include "lib/hash.h"

/* ---- Devices. ---- */

static uint32_t
hash_index(int index)
{
    return hash_int((uint32_t) index, 0);
}

void
nwf_host_add_device(struct nwf_host *host, const struct nwf_host_device *device)
{
    struct nwf_host_node *node = nwf_zalloc(sizeof *node);

    node->device = *device;
    hmap_insert(&host->by_index, &node->by_index, hash_index(device->index));
    hmap_insert(&host->by_name, &node->by_name, hash_string(device->name, 0));
}

void
nwf_host_remove_device(struct nwf_host *host, const struct nwf_host_device *device)
{
    struct nwf_host_node *node = CONTAINER_OF(device, struct nwf_host_node, device);

    hmap_remove(&host->by_index, &node->by_index);
    hmap_remove(&host->by_name, &node->by_name);
    free(node);
}

const struct nwf_host_device *
nwf_host_device_by_index(const struct nwf_host *host, int index)
{
    const struct nwf_host_node *node;

    HMAP_FOR_EACH_WITH_HASH (node, by_index, hash_index(index), &host->by_index) {
        if (node->device.index == index) {
            return &node->device;
        }
    }
    return NULL;
}

/* Of two with one name, as notifications of renaming may show them for a moment, the one that is
 * there by the highest number is the younger. */
const struct nwf_host_device *
nwf_host_device(const struct nwf_host *host, const char *name)
{
    const struct nwf_host_device *found = NULL;
    const struct nwf_host_node *node;

    if (!name) {
        return NULL;
    }
    HMAP_FOR_EACH_WITH_HASH (node, by_name, hash_string(name, 0), &host->by_name) {
        if (!strcmp(node->device.name, name) && (!found || node->device.index > found->index)) {
            found = &node->device;
        }
    }
    return found;
}

/* ---- Addresses. ---- */

bool
nwf_address_overlaps(const struct nwf_address *a, const struct nwf_address *b)
{
    unsigned int n = a->prefix_len < b->prefix_len ? a->prefix_len : b->prefix_len;

    if (a->family != b->family || memcmp(a->bytes, b->bytes, n / 8)) {
        return false;
    }
    uint8_t mask = (uint8_t) (0xff00 >> n % 8);
    return !(n % 8) || !((a->bytes[n / 8] ^ b->bytes[n / 8]) & mask);
}

bool
nwf_host_has_address(const struct nwf_host *host, const struct nwf_address *range,
                     const char **ret_device)
{
    nwf_vec_foreach (address, &host->addresses) {
        const struct nwf_host_device *device;
        if (address->global && !address->ours && nwf_address_overlaps(range, &address->address)) {
            device = nwf_host_device_by_index(host, address->index);
            *ret_device = device ? device->name : "a device";
            return true;
        }
    }
    return false;
}

const struct nwf_address *
nwf_host_main_address(const struct nwf_host *host, const char *name, int family)
{
    const struct nwf_host_device *device = nwf_host_device(host, name);

    nwf_vec_foreach (address, &host->addresses) {
        if (device && address->index == device->index && address->address.family == family
            && address->global && !address->temporary && !address->ours) {
            return &address->address;
        }
    }
    return NULL;
}

void
nwf_host_list_addresses(const struct nwf_host *host, const struct nwf_host_device *device,
                        struct nwf_addresses *ret)
{
    nwf_vec_foreach (address, &host->addresses) {
        if (address->index == device->index) {
            nwf_vec_push(ret, address->address);
        }
    }
}
