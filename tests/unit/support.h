/* SPDX-License-Identifier: Apache-2.0
 *
 * What the unit tests share: cmocka, checks that say what they saw, filters out of
 * texts instead of files, and random numbers that are the same at every run. */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nwf/error.h"
#include "nwf/store.h"

#define N_ROWS(TABLE) (sizeof(TABLE) / sizeof(TABLE)[0])

/* A check in a loop over a table: the message has to say which row it was. */
#define expect(CONDITION, ...)                                                                     \
    do {                                                                                           \
        if (!(CONDITION)) {                                                                        \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

/* 'r' is 0; otherwise the test fails with the error's line. */
#define expect_ok(R, ERR) expect((R) == 0, "%s", nwf_error_text(ERR))

/* 'r' is negative, and the error's line has 'text' in it.  Clears the error. */
#define expect_error(R, ERR, TEXT) expect_error_((R), (ERR), (TEXT), __FILE__, __LINE__)
void expect_error_(int r, struct nwf_error *err, const char *text, const char *file, int line);

/* A filter's document, by its name. */
struct text_filter {
    const char *name;
    const char *xml;
};

/* A store that reads out of 'texts', whose last name is NULL.  The documents are
 * called NAME.xml. */
struct nwf_store *store_of(const struct text_filter *texts);

/* Variables out of "A=1,2 B=3". */
void params_of(const char *text, struct nwf_params *ret);

/* A short sequence of random numbers for each seed (xorshift64*). */
struct dice {
    uint64_t state;
};

struct dice dice_seed(uint64_t seed);
/* A number from 0 to n - 1. */
uint32_t dice_roll(struct dice *dice, uint32_t n);

#endif
