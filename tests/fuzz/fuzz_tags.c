/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the tags of a port, or of a bridge with an uplink, a line each, "key=value".  A
 * filter of a port-profile's name exists if that is shorter than eight characters. */
#include "fuzz.h"

#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/routed.h"
#include "nwf/vec.h"

static bool
is_short(void *aux, const char *name)
{
    (void) aux;
    return strlen(name) < 8;
}

/* Whether the binding has what the tags alone decide, whatever is wrong with them. */
static void
check(const struct nwf_binding *binding, const struct nwf_tag *tags, size_t n_tags)
{
    static const char *const identities[] = {
        NWF_TAG_MAC, NWF_TAG_PROFILE, "iface-id", "vm-id", "vm-uuid", "xs-vm-uuid", "xs-vif-uuid",
    };
    const char *filter = NULL, *profile = NULL;
    bool has_identity = false;

    for (size_t i = n_tags; i-- > 0;) {
        for (size_t j = 0; j < sizeof identities / sizeof identities[0]; j++) {
            has_identity |= !strcmp(tags[i].key, identities[j]);
        }
        filter = !strcmp(tags[i].key, NWF_TAG_FILTER) ? tags[i].value : filter;
        profile = !strcmp(tags[i].key, NWF_TAG_PROFILE) ? tags[i].value : profile;
    }
    FUZZ_CHECK(binding->has_identity == has_identity);
    FUZZ_CHECK(!strcmp(binding->port, "vnet0"));
    if (!filter && profile && is_short(NULL, profile)) {
        filter = profile;
    }
    FUZZ_CHECK(!filter == !binding->filter);
    FUZZ_CHECK(!filter || !strncmp(filter, binding->filter, NWF_TAG_MAX));
}

/* Every NIC that a bridge's tags name is guarded or shut, whatever is wrong with them. */
static void
check_routed(const struct nwf_tag *tags, size_t n_tags)
{
    struct nwf_routed_config config CLEANUP(nwf_routed_config_clear);
    struct nwf_error err = NWF_ERROR_INIT;
    const char *reason = NULL;
    bool ok = fuzz_is_ok(nwf_routed_config_read(tags, n_tags, &config, &err), &err);

    FUZZ_CHECK(ok == !config.error.text);
    FUZZ_CHECK(ok || (!config.guard_macs.n && !config.gateways.n));
    FUZZ_CHECK(config.guard_macs.n <= NWF_GUARD_ENTRIES_MAX
               && config.gateways.n <= NWF_GATEWAYS_MAX);
    nwf_vec_foreach (name, &config.guards) {
        FUZZ_CHECK(nwf_routed_guarding(&config, *name, *name, &reason)
                   == (ok ? NWF_GUARDED : NWF_SHUT_OUT));
    }
    if (config.uplink) {
        FUZZ_CHECK(nwf_routed_guarding(&config, config.uplink, "", &reason) != NWF_UNGUARDED);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nwf_binding binding CLEANUP(nwf_binding_clear) = {.port = NULL};
    NWF_VEC(struct nwf_tag) tags = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = fuzz_text(data, size);
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *equals = strchr(line, '=');
        if (equals) {
            *equals = '\0';
        }
        nwf_vec_push(&tags, (struct nwf_tag){line, equals ? equals + 1 : ""});
    }
    int r = nwf_binding_from_tags("vnet0", tags.data, tags.n,
                                  &(struct nwf_known_filters){is_short, NULL}, &binding, &err);
    check(&binding, tags.data, tags.n);
    if (fuzz_is_ok(r, &err) && binding.filter) {
        fuzz_check_binding(&binding);
    }
    check_routed(tags.data, tags.n);
    nwf_vec_clear(&tags);
    return 0;
}
