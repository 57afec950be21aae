/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs in few words, so that a test's table can say what it expects. */
#ifndef TEST_SAY_H
#define TEST_SAY_H

#include "nwf/program.h"
#include "support.h"

struct text {
    char data[16384];
    size_t n;
};

void say(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A rule as its filter's name and line. */
void say_rule(struct text *text, const struct nwf_side *side, size_t id);

/* "a2 mac( b2 b3 ) a3": the root list, with the chains' rules in brackets. */
void say_order(struct text *text, const struct nwf_side *side);

/* "a2 b3": the list of an IP layer. */
void say_ip_order(struct text *text, const struct nwf_side *side, enum nwf_family family);

/* "src=01020304 dst=05060708 {new,est original}; src=...": the rules' conditions, in
 * hexadecimal, and what they ask of the connection. */
void say_conds(struct text *text, const struct nwf_side *side);

/* What is said begins with a blank. */
void expect_text(const struct text *text, const char *expected, const char *what);

/* A program out of 'filters'; the first one is the one that is bound. */
int program_of(const struct text_filter *filters, const char *variables,
               struct nwf_store **ret_store, struct nwf_program **ret_program,
               struct nwf_error *err);

#endif
