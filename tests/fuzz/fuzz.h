/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fuzz targets share.  A target is one LLVMFuzzerTestOneInput(); beside what
 * the sanitizers see, it checks what has to hold for any input, and aborts when it
 * does not.  libFuzzer calls it, or run_corpus.c. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "nwf/binding.h"
#include "nwf/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program, with the place, unless the condition holds. */
#define FUZZ_CHECK(CONDITION)                                                                      \
    do {                                                                                           \
        if (!(CONDITION)) {                                                                        \
            fuzz_fail(__FILE__, __LINE__, #CONDITION);                                             \
        }                                                                                          \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

/* The result of a function that takes an error: 0 and none, or a negative errno and
 * one clean line of bounded length.  Clears the error; whether the result is 0. */
bool fuzz_is_ok(int r, struct nwf_error *err);

/* The bytes and a NUL behind them, a copy of just that size: reading past it shows. */
char *fuzz_text(const uint8_t *data, size_t size);

/* What "bind" would write as tags for this binding reads as the same binding. */
void fuzz_check_binding(const struct nwf_binding *binding);

#endif
