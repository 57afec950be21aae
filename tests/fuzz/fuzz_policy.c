/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a JSON policy. */
#include "fuzz.h"

#include "nwf/cleanup.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = fuzz_text(data, size);

    if (fuzz_is_ok(nwf_bindings_from_json("input.json", text, size, &bindings, &err), &err)) {
        nwf_vec_foreach (binding, &bindings) {
            FUZZ_CHECK(binding->port && binding->filter && binding->has_identity);
            fuzz_check_binding(binding);
        }
    }
    return 0;
}
