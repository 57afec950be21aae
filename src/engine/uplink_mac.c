/* SPDX-License-Identifier: Apache-2.0
 *
 * The NIC that gives a bridge its address; see uplink_mac.h. */
#include <config.h>

#include "nwf/uplink_mac.h"

#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

#include "nwf/cleanup.h"
#include "nwf/role.h"
#include "nwf/text.h"

const char *
nwf_uplink_name(const struct nwf_routed_config *config)
{
    if (config->is_routed) {
        return config->uplink;
    }
    return config->guards.n ? config->guards.data[0] : NULL;
}

bool
nwf_kernel_mac(const char *device, struct nwf_mac *ret)
{
    struct ifaddrs *list, *item;
    bool found = false;

    if (getifaddrs(&list)) {
        return false;
    }
    for (item = list; item && !found; item = item->ifa_next) {
        const struct sockaddr_ll *address = (const void *) item->ifa_addr;
        if (address && address->sll_family == AF_PACKET && address->sll_halen == sizeof *ret
            && !strcmp(item->ifa_name, device)) {
            memcpy(ret, address->sll_addr, sizeof *ret);
            found = true;
        }
    }
    freeifaddrs(list);
    return found;
}

char *
nwf_mac_format(const struct nwf_mac *mac)
{
    const uint8_t *o = mac->octets;

    return nwf_asprintf("%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
}

char *
nwf_recorded_hwaddr(const struct nwf_record *record)
{
    struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
    struct nwf_mac mac;

    int r = nwf_routed_config_read(record->data, record->n, &config, NULL);
    const char *name = r ? NULL : nwf_uplink_name(&config);
    return name && nwf_tag_find(record->data, record->n, NWF_BRIDGE_HWADDR)
                   && nwf_kernel_mac(name, &mac)
               ? nwf_mac_format(&mac)
               : NULL;
}
