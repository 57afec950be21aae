/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a <domain> document. */
#include "fuzz.h"

#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/domain.h"
#include "nwf/text.h"

/* Each entry is the only one for some interface. */
static void
check_ports(struct nwf_domain *domain)
{
    size_t n_bound = 0;

    FUZZ_CHECK(domain->nics.n <= NWF_DOMAIN_NICS_MAX && domain->ports.n <= NWF_DOMAIN_NICS_MAX);
    nwf_vec_foreach (nic, &domain->nics) {
        const struct nwf_domain_port *port = nwf_domain_find_port(domain, nic);
        n_bound += port != NULL;
        FUZZ_CHECK(!port || port->has_mac || !strcmp(port->alias, nic->alias));
    }
    FUZZ_CHECK(n_bound >= domain->ports.n);
    nwf_vec_foreach (port, &domain->ports) {
        FUZZ_CHECK(port->has_mac == !port->alias);
        FUZZ_CHECK(port->binding.filter && port->binding.has_identity);
        port->binding.port = nwf_strdup("vnet0");
        fuzz_check_binding(&port->binding);
    }
}

/* What hooks do with a domain that runs, whose document may have been broken since. */
static void
check_rest(const char *text, size_t size)
{
    struct nwf_domain domain CLEANUP(nwf_domain_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    (void) fuzz_is_ok(nwf_domain_read("input.xml", text, size, &domain, &err), &err);
    nwf_vec_foreach (nic, &domain.nics) {
        const struct nwf_domain_port *port = nwf_domain_find_port(&domain, nic);
        FUZZ_CHECK(!port || port->has_mac || !strcmp(port->alias, nic->alias));
    }
    nwf_vec_foreach (port, &domain.ports) {
        FUZZ_CHECK(port->has_mac == !port->alias && port->binding.filter);
    }
    (void) fuzz_is_ok(nwf_domain_check("input.xml", &domain, &err), &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nwf_domain domain CLEANUP(nwf_domain_clear);
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = fuzz_text(data, size);

    if (fuzz_is_ok(nwf_domain_parse("input.xml", text, size, &domain, &err), &err)) {
        check_ports(&domain);
    } else {
        FUZZ_CHECK(!domain.nics.n && !domain.ports.n && !domain.name && !domain.uuid);
    }
    check_rest(text, size);
    return 0;
}
