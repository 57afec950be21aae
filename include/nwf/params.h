/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables: each name has a list of values. */
#ifndef NWF_PARAMS_H
#define NWF_PARAMS_H

#include <stddef.h>

#include "nwf/error.h"
#include "nwf/vec.h"

/* Values of one variable; a filter over more addresses wants prefixes. */
#define NWF_VALUES_MAX 4096
/* Variables of one set, and values of all of them. */
#define NWF_VARIABLES_MAX 1024
#define NWF_ALL_VALUES_MAX 16384

struct nwf_param {
    char *name;
    NWF_VEC(char *) values;
};

/* Ordered by name, so that equal sets print alike.  A zeroed one is empty. */
struct nwf_params {
    NWF_VEC(struct nwf_param) list;
    size_t n_values; /* Of all variables. */
};

/* Adds a value to variable 'name'.  -EINVAL when name or value have characters
 * that neither libvirt nor an address prefix uses; -E2BIG past one of the limits. */
int nwf_params_add(struct nwf_params *params, const char *name, const char *value,
                   struct nwf_error *err);
/* Makes sure that there is a variable 'name', without values unless it has some. */
int nwf_params_declare(struct nwf_params *params, const char *name, struct nwf_error *err);
/* Adds each of the values in 'text', separated by commas or spaces.  If there are none, it is as
 * if nothing were said of the variable. */
int nwf_params_add_list(struct nwf_params *params, const char *name, const char *text,
                        struct nwf_error *err);

/* NULL when there is no such variable. */
const struct nwf_param *nwf_params_find(const struct nwf_params *params, const char *name);

/* Replaces *params by the union of both; 'outer' wins where both have a name.
 * (libvirt: a reference's parameters are defaults, the interface's override.) */
void nwf_params_override(struct nwf_params *params, const struct nwf_params *outer);

/* The variables in force at a place: references nest, and the outermost that gives a
 * variable a value wins. */
struct nwf_scope {
    const struct nwf_params *params;
    const struct nwf_scope *outer; /* NULL: the port's own are these. */
};

/* NULL when no scope has such a variable. */
const struct nwf_param *nwf_scope_find(const struct nwf_scope *scope, const char *name);

void nwf_params_clear(struct nwf_params *params);

/* "A=1,2 B=3", a new string. */
char *nwf_params_format(const struct nwf_params *params);

#endif
