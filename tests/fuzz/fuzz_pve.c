/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: Proxmox VE's configuration of a guest, and behind a line "---" its firewall's
 * file. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "nwf/value.h"
#include "pve_conf.h"

/* What is read is what a variable takes. */
static void
check_addresses(const struct nwf_pve_addresses *addresses, enum nwf_type type)
{
    FUZZ_CHECK(addresses->n <= NWF_PVE_ADDRESSES_MAX);
    nwf_vec_foreach (address, addresses) {
        struct nwf_masked masked;
        FUZZ_CHECK(!nwf_value_parse(type, NULL, *address, &masked, NULL));
    }
}

static void
check_guest(const struct nwf_pve_guest *guest)
{
    for (size_t i = 0; i < NWF_PVE_NETS_MAX; i++) {
        const struct nwf_pve_net *net = &guest->nets[i];
        struct nwf_mac mac;

        FUZZ_CHECK(!net->mac || (!nwf_mac_parse(net->mac, &mac, NULL) && !(mac.octets[0] & 1)));
        FUZZ_CHECK(!net->bridge || (net->line && net->mac && strlen(net->bridge) <= 15));
        FUZZ_CHECK(!net->filter || (net->filter_line && *net->filter));
        check_addresses(&net->ip, NWF_T_IP4);
        check_addresses(&net->ip6, NWF_T_IP6);
    }
}

static void
try_guest(const char *conf, size_t conf_size, const char *firewall, size_t firewall_size,
          bool is_container)
{
    struct nwf_pve_aliases aliases CLEANUP(nwf_pve_aliases_clear) = {.data = NULL};
    struct nwf_pve_guest guest CLEANUP(nwf_pve_guest_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    if (!fuzz_is_ok(nwf_pve_conf_parse("1.conf", conf, conf_size, is_container, &guest, &err),
                    &err)) {
        return;
    }
    check_guest(&guest);
    if (fuzz_is_ok(nwf_pve_aliases_parse("cluster.fw", firewall, firewall_size, &aliases, &err),
                   &err)) {
        (void) fuzz_is_ok(
            nwf_pve_firewall_parse("1.fw", firewall, firewall_size, &aliases, &guest, &err), &err);
        check_guest(&guest);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char mark[] = "---\n";
    char *text CLEANUP_FREE = fuzz_text(data, size);
    const char *found = memmem(text, size, mark, strlen(mark));
    size_t conf_size = found ? (size_t) (found - text) : size;
    size_t rest = found ? size - conf_size - strlen(mark) : 0;
    char *firewall CLEANUP_FREE = fuzz_text(data + (size - rest), rest);
    char *conf CLEANUP_FREE = fuzz_text(data, conf_size);

    try_guest(conf, conf_size, firewall, rest, false);
    try_guest(conf, conf_size, firewall, rest, true);
    return 0;
}
