/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleanup attributes: a local variable that owns something says so where it is
 * declared, and TAKE_PTR() hands it over. */
#ifndef NWF_CLEANUP_H
#define NWF_CLEANUP_H

#include <stdlib.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* The pointer's value; the variable is NULL afterwards. */
#define TAKE_PTR(ptr)                                                                              \
    ({                                                                                             \
        __typeof__(ptr) taken_ = (ptr);                                                            \
        (ptr) = NULL;                                                                              \
        taken_;                                                                                    \
    })

/* Defines NAME_cleanup(), which calls fn(*p) for a variable of type TYPE *. */
#define DEFINE_CLEANUP(type, name, fn)                                                             \
    static inline void name##_cleanup(type **p)                                                    \
    {                                                                                              \
        if (*p) {                                                                                  \
            fn(*p);                                                                                \
        }                                                                                          \
    }

static inline void
free_cleanup(void *p)
{
    free(*(void **) p);
}

#define CLEANUP_FREE CLEANUP(free_cleanup)

#endif
