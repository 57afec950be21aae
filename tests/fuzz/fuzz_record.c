/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: the record of a bridge. */
#include "fuzz.h"

#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/record.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    struct nwf_record again CLEANUP(nwf_record_clear) = {.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    char *text CLEANUP_FREE = fuzz_text(data, size);

    if (fuzz_is_ok(nwf_record_parse("br0.json", text, size, "br0", &record, &err), &err)) {
        char *written CLEANUP_FREE = nwf_record_format("br0", &record);

        FUZZ_CHECK(record.n <= NWF_RECORD_TAGS_MAX && written);
        FUZZ_CHECK(!nwf_record_parse("br0.json", written, strlen(written), "br0", &again, NULL));
        FUZZ_CHECK(nwf_record_equals(&record, &again));
    }
    return 0;
}
