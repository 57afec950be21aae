/* SPDX-License-Identifier: Apache-2.0
 *
 * Growing arrays of any type.  A zeroed one is empty and valid. */
#ifndef NWF_VEC_H
#define NWF_VEC_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NWF_VEC(type)                                                                              \
    struct {                                                                                       \
        type *data;                                                                                \
        size_t n, allocated;                                                                       \
    }

/* Doubles the room; aborts when memory is out. */
void *nwf_vec_grow(void *data, size_t elem_size, size_t *allocated);

#define nwf_vec_push(vec, ...)                                                                     \
    do {                                                                                           \
        if ((vec)->n == (vec)->allocated) {                                                        \
            (vec)->data = nwf_vec_grow((vec)->data, sizeof *(vec)->data, &(vec)->allocated);       \
        }                                                                                          \
        (vec)->data[(vec)->n++] = (__VA_ARGS__);                                                   \
    } while (0)

/* Frees the array; elements that own something are the caller's to free first. */
#define nwf_vec_clear(vec)                                                                         \
    do {                                                                                           \
        free((vec)->data);                                                                         \
        memset((vec), 0, sizeof *(vec));                                                           \
    } while (0)

#define nwf_vec_foreach(item, vec)                                                                 \
    for (__typeof__(*(vec)->data) *item = (vec)->data;                                             \
         (vec)->data && item < (vec)->data + (vec)->n; item++)

#endif
