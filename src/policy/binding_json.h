/* SPDX-License-Identifier: Apache-2.0
 *
 * What JSON policies of all kinds have in common: the members of a binding. */
#ifndef NWF_POLICY_BINDING_JSON_H
#define NWF_POLICY_BINDING_JSON_H

#include <jansson.h>

#include "nwf/binding.h"

/* Reads "port", "filter", "mac" or "parameters"; another key is an error. */
int nwf_binding_json_member(struct nwf_binding *binding, const char *key, json_t *value,
                            struct nwf_error *err);

/* *ret, a new string, becomes the string 'value'. */
int nwf_json_take_string(const char *key, const json_t *value, char **ret, struct nwf_error *err);

/* Loads a file's array of at most 'max' objects, which the caller releases. */
int nwf_json_load_array(const char *file, const char *data, size_t size, size_t max, json_t **ret,
                        struct nwf_error *err);

#endif
