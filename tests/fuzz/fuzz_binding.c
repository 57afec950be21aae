/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a <filterbinding> document. */
#include "fuzz.h"

#include "nwf/cleanup.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nwf_binding binding CLEANUP(nwf_binding_clear) = {.port = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = fuzz_text(data, size);

    if (fuzz_is_ok(nwf_binding_from_xml("input.xml", text, size, &binding, &err), &err)) {
        FUZZ_CHECK(binding.port && binding.filter && binding.has_identity);
        fuzz_check_binding(&binding);
    } else {
        FUZZ_CHECK(!binding.port && !binding.filter && !binding.params.list.n);
    }
    return 0;
}
