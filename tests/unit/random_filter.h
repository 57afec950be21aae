/* SPDX-License-Identifier: Apache-2.0
 *
 * Random filters, as documents: whatever the language has and Open vSwitch can hold,
 * out of the few values that random frames have too. */
#ifndef TEST_RANDOM_FILTER_H
#define TEST_RANDOM_FILTER_H

#include "frame.h"
#include "openvswitch/dynamic-string.h"

#define RANDOM_FILTERS_MAX 6

/* The variables that the filters use, as params_of() takes them. */
extern const char random_filter_variables[];

/* A filter called "f0" that refers to the others. */
struct random_filter {
    struct text_filter filters[RANDOM_FILTERS_MAX + 1]; /* For store_of(). */
    struct ds documents[RANDOM_FILTERS_MAX];
    size_t n;
};

/* 'with_ip': with rules of the IP layers, and more of them than of the other. */
void random_filter_roll(struct dice *dice, bool with_ip, struct random_filter *ret);
void random_filter_free(struct random_filter *filter);
void random_filter_print(const struct random_filter *filter);

#endif
