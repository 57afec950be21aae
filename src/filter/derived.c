/* SPDX-License-Identifier: Apache-2.0
 *
 * A variable that is computed from another unless the binding gives it: IPV6_LL, the link-local
 * addresses that interfaces make of the addresses in MAC (RFC 4291, appendix A). */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "nwf/program.h"
#include "nwf/text.h"
#include "nwf/value.h"
#include "rule_instance.h"

#define LINK_LOCAL "IPV6_LL"

struct nwf_derived {
    const struct nwf_param *source;
    struct nwf_param param;
};

static void
derived_free(struct nwf_derived *derived)
{
    nwf_vec_foreach (value, &derived->param.values) {
        free(*value);
    }
    nwf_vec_clear(&derived->param.values);
    free(derived->param.name);
    free(derived);
}
DEFINE_CLEANUP(struct nwf_derived, derived, derived_free)

const char *
nwf_variable_source(const char *name)
{
    return strcmp(name, LINK_LOCAL) ? NULL : "MAC";
}

/* fe80::/64 and the modified EUI-64 interface identifier of a MAC address: ff:fe in its middle, and
 * the universal/local bit inverted. */
static char *
link_local(const uint8_t mac[6])
{
    const uint8_t address[16] = {
        0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5],
    };
    char text[INET6_ADDRSTRLEN];

    inet_ntop(AF_INET6, address, text, sizeof text);
    return nwf_strdup(text);
}

static int
derive(const struct nwf_param *source, struct nwf_derived **ret, struct nwf_error *err)
{
    struct nwf_derived *derived CLEANUP(derived_cleanup) = nwf_zalloc(sizeof *derived);

    derived->source = source;
    derived->param.name = nwf_strdup(LINK_LOCAL);
    nwf_vec_foreach (value, &source->values) {
        struct nwf_masked mac;
        int r = nwf_value_parse(NWF_T_MAC, NULL, *value, &mac, err);
        if (r) {
            nwf_error_wrap(err, "$%s: $%s", LINK_LOCAL, source->name);
            return r;
        }
        nwf_vec_push(&derived->param.values, link_local(mac.value.bytes));
    }
    *ret = TAKE_PTR(derived);
    return 0;
}

int
nwf_program_find_variable(struct nwf_program *program, const struct nwf_scope *scope,
                          const char *name, const struct nwf_param **ret, struct nwf_error *err)
{
    const char *source_name = nwf_variable_source(name);

    *ret = nwf_scope_find(scope, name);
    const struct nwf_param *source =
        source_name && !*ret ? nwf_scope_find(scope, source_name) : NULL;
    if (!source) {
        return 0;
    }
    nwf_vec_foreach (known, &program->derived) {
        if ((*known)->source == source) {
            *ret = &(*known)->param;
            return 0;
        }
    }
    struct nwf_derived *fresh;
    int r = derive(source, &fresh, err);
    if (!r) {
        nwf_vec_push(&program->derived, fresh);
        *ret = &fresh->param;
    }
    return r;
}

void
nwf_program_clear_derived(struct nwf_program *program)
{
    nwf_vec_foreach (derived, &program->derived) {
        derived_free(*derived);
    }
    nwf_vec_clear(&program->derived);
}
