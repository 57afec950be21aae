/* SPDX-License-Identifier: Apache-2.0
 *
 * How long things take: the number of them, and quantiles of the last ones. */
#ifndef NWF_STOPWATCH_H
#define NWF_STOPWATCH_H

#include <stdint.h>

#define NWF_STOPWATCH_SAMPLES 1024

struct nwf_stopwatch {
    uint64_t n;
    long long int max_us;
    uint32_t last_us[NWF_STOPWATCH_SAMPLES]; /* A ring. */
};

void nwf_stopwatch_add(struct nwf_stopwatch *watch, long long int us);

/* Of the last samples the one that 'percent' of them do not exceed, microseconds. */
uint32_t nwf_stopwatch_quantile(const struct nwf_stopwatch *watch, unsigned int percent);

#endif
