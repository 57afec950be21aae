/* SPDX-License-Identifier: Apache-2.0
 *
 * Stopwatches; see nwf/stopwatch.h. */
#include "nwf/stopwatch.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void
nwf_stopwatch_add(struct nwf_stopwatch *watch, long long int us)
{
    us = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : us;
    watch->last_us[watch->n++ % NWF_STOPWATCH_SAMPLES] = (uint32_t) us;
    watch->max_us = us > watch->max_us ? us : watch->max_us;
}

static int
compare(const void *a_, const void *b_)
{
    uint32_t a = *(const uint32_t *) a_, b = *(const uint32_t *) b_;

    return a < b ? -1 : a > b;
}

uint32_t
nwf_stopwatch_quantile(const struct nwf_stopwatch *watch, unsigned int percent)
{
    size_t n = watch->n < NWF_STOPWATCH_SAMPLES ? watch->n : NWF_STOPWATCH_SAMPLES;
    uint32_t sorted[NWF_STOPWATCH_SAMPLES];

    if (!n) {
        return 0;
    }
    memcpy(sorted, watch->last_us, n * sizeof sorted[0]);
    qsort(sorted, n, sizeof sorted[0], compare);
    size_t i = n * percent / 100;
    return sorted[i < n ? i : n - 1];
}
