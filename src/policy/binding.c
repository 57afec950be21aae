/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings in general, and out of files; see nwf/binding.h. */
#include "nwf/binding.h"

#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/file.h"

/* Largest binding file, bytes. */
#define FILE_MAX (16 * 1024 * 1024)

void
nwf_binding_clear(struct nwf_binding *binding)
{
    nwf_params_clear(&binding->params);
    free(binding->own_mac);
    free(binding->filter);
    free(binding->port);
    memset(binding, 0, sizeof *binding);
}

void
nwf_bindings_clear(struct nwf_bindings *bindings)
{
    nwf_vec_foreach (binding, bindings) {
        nwf_binding_clear(binding);
    }
    nwf_vec_clear(bindings);
}

static int
check_unique(const char *file, const struct nwf_bindings *bindings, size_t first,
             struct nwf_error *err)
{
    for (size_t i = first; i < bindings->n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!strcmp(bindings->data[i].port, bindings->data[j].port)) {
                return nwf_error_set(err, -EEXIST, "%s: port %s is bound twice", file,
                                     bindings->data[i].port);
            }
        }
    }
    return 0;
}

int
nwf_bindings_read(const char *file, struct nwf_bindings *ret, struct nwf_error *err)
{
    const char *name = strcmp(file, "-") ? file : "standard input";
    char *data CLEANUP_FREE = NULL;
    struct nwf_binding binding;
    size_t first = ret->n, size;
    int r = nwf_file_read(file, FILE_MAX, &data, &size, err);

    if (r) {
        return r;
    }
    if (data[strspn(data, " \t\r\n")] == '<') {
        r = nwf_binding_from_xml(name, data, size, &binding, err);
        if (!r) {
            nwf_vec_push(ret, binding);
        }
    } else {
        r = nwf_bindings_from_json(name, data, size, ret, err);
    }
    return r ? r : check_unique(name, ret, first, err);
}
