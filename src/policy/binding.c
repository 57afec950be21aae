/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings, wherever they come from; see nwf/binding.h. */
#include "nwf/binding.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "nwf/value.h"

const char *
nwf_limit_name(enum nwf_limit limit)
{
    static const char *const names[NWF_N_LIMITS] = {
        [NWF_LIMIT_BROADCAST] = "broadcast",
        [NWF_LIMIT_ARP] = "arp",
        [NWF_LIMIT_NEW] = "new",
    };
    return names[limit];
}

char *
nwf_limit_tag(enum nwf_limit limit)
{
    return nwf_asprintf(NWF_TAG_LIMIT "%s", nwf_limit_name(limit));
}

int
nwf_limit_parse(const char *what, const char *text, uint16_t *ret, struct nwf_error *err)
{
    int64_t n;

    if (!nwf_parse_int(text, 1, NWF_LIMIT_MAX, &n)) {
        return nwf_error_set(err, -EINVAL, "%s: \"%.80s\" is not a number from 1 to %d", what, text,
                             NWF_LIMIT_MAX);
    }
    *ret = (uint16_t) n;
    return 0;
}

void
nwf_binding_clear(struct nwf_binding *binding)
{
    nwf_params_clear(&binding->params);
    free(binding->own_mac);
    free(binding->filter);
    free(binding->port);
    memset(binding, 0, sizeof *binding);
}

void
nwf_bindings_clear(struct nwf_bindings *bindings)
{
    nwf_vec_foreach (binding, bindings) {
        nwf_binding_clear(binding);
    }
    nwf_vec_clear(bindings);
}
