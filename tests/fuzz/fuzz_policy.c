/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a JSON policy, and the same as a file of policies. */
#include "fuzz.h"

#include "nwf/cleanup.h"
#include "nwf/policies.h"
#include "nwf/text.h"

static void
try_policies(const char *text, size_t size)
{
    static const struct nwf_tag tags[] = {
        {"vm-id", "3b5f8a0e-7d0f-4c54-8a8b-6d1d2f3c4b5a"},
        {NWF_TAG_VM_NAME, "web"},
        {NWF_TAG_MAC, "52:54:00:aa:bb:01"},
    };
    struct nwf_policies policies CLEANUP(nwf_policies_finish);
    struct nwf_binding binding CLEANUP(nwf_binding_clear) = {.port = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_policy *found;

    nwf_policies_init(&policies);
    if (fuzz_is_ok(nwf_policies_add_json(&policies, "input.json", text, size, &err), &err)) {
        nwf_policies_index(&policies);
        int r = nwf_policies_find(&policies, "vnet0", tags, 3, &found, &err);
        if (fuzz_is_ok(r, &err) && found) {
            binding.port = nwf_strdup("vnet0");
            r = nwf_policy_apply(found, tags, 3, &binding, &err);
            FUZZ_CHECK(binding.filter);
            if (fuzz_is_ok(r, &err)) {
                fuzz_check_binding(&binding);
            }
        }
    } else {
        FUZZ_CHECK(!policies.list.n);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nwf_bindings bindings CLEANUP(nwf_bindings_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = fuzz_text(data, size);

    try_policies(text, size);
    if (fuzz_is_ok(nwf_bindings_from_json("input.json", text, size, &bindings, &err), &err)) {
        nwf_vec_foreach (binding, &bindings) {
            FUZZ_CHECK(binding->port && binding->filter && binding->has_identity);
            fuzz_check_binding(binding);
        }
    }
    return 0;
}
