/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings, wherever they come from; see nwf/binding.h. */
#include "nwf/binding.h"

#include <string.h>

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
