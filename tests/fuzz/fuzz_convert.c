/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a <domain> document whose <filterref>s move to its metadata. */
#include "fuzz.h"

#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/convert.h"
#include "nwf/domain.h"

static char network[] = "ovs";
static char *networks[] = {network};

static int
convert(const char *data, size_t size, char **ret, size_t *ret_size, struct nwf_error *err)
{
    const struct nwf_domain_text text = {"input.xml", data, size};
    const struct nwf_convert_options options = {.networks = networks, .n_networks = 1};

    return nwf_domain_convert(&text, &options, ret, ret_size, err);
}

static size_t
count_nics(const char *data, size_t size)
{
    struct nwf_domain domain CLEANUP(nwf_domain_clear) = {.name = NULL};
    struct nwf_error err = NWF_ERROR_INIT;

    FUZZ_CHECK(fuzz_is_ok(nwf_domain_parse("input.xml", data, size, &domain, &err), &err));
    return domain.nics.n;
}

/* The result is a domain with as many interfaces, and needs no change. */
static void
check_result(const char *before, size_t size, const char *after, size_t after_size)
{
    char *again CLEANUP_FREE = NULL;
    struct nwf_error err = NWF_ERROR_INIT;
    size_t again_size;

    FUZZ_CHECK(!after[after_size]);
    FUZZ_CHECK(count_nics(before, size) == count_nics(after, after_size));
    FUZZ_CHECK(fuzz_is_ok(convert(after, after_size, &again, &again_size, &err), &err));
    FUZZ_CHECK(again_size == after_size && !memcmp(again, after, after_size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text CLEANUP_FREE = fuzz_text(data, size), *after CLEANUP_FREE = NULL;
    struct nwf_error err = NWF_ERROR_INIT;
    size_t after_size;

    if (fuzz_is_ok(convert(text, size, &after, &after_size, &err), &err)) {
        check_result(text, size, after, after_size);
    } else {
        FUZZ_CHECK(!after);
    }
    return 0;
}
