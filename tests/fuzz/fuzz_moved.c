/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the note of what was moved from a NIC to a bridge, nwfilter-saved-moved. */
#include <config.h>

#include "fuzz.h"

#include <string.h>

#include "adoption.h"

static void
check(const struct nwf_adoption *adoption)
{
    FUZZ_CHECK(adoption->nic && nwf_adoption_is_name(adoption->nic));
    FUZZ_CHECK(adoption->moved.addresses.n <= NWF_MOVED_MAX);
    FUZZ_CHECK(adoption->moved.routes.n <= NWF_MOVED_MAX);
    nwf_vec_foreach (address, &adoption->moved.addresses) {
        FUZZ_CHECK(address->prefix_len <= (address->family == AF_INET ? 32 : 128));
    }
    nwf_vec_foreach (route, &adoption->moved.routes) {
        FUZZ_CHECK(route->to.prefix_len <= (route->to.family == AF_INET ? 32 : 128));
        FUZZ_CHECK(route->table != RT_TABLE_LOCAL && route->protocol <= UINT8_MAX);
    }
}

/* What is read is written so that it reads the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nwf_adoption adoption CLEANUP(nwf_adoption_clear) = {.nic = NULL};
    struct nwf_adoption again CLEANUP(nwf_adoption_clear) = {.nic = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = fuzz_text(data, size);

    if (fuzz_is_ok(nwf_adoption_parse(text, &adoption, &err), &err)) {
        char *written CLEANUP_FREE = nwf_adoption_format(&adoption);

        check(&adoption);
        FUZZ_CHECK(!nwf_adoption_parse(written, &again, NULL));
        char *written_again CLEANUP_FREE = nwf_adoption_format(&again);
        FUZZ_CHECK(!strcmp(written, written_again));
    }
    return 0;
}
