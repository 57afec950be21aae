/* SPDX-License-Identifier: Apache-2.0
 *
 * Bindings out of files of any kind. */
#include <errno.h>
#include <string.h>

#include "nwf/binding.h"
#include "nwf/cleanup.h"
#include "nwf/file.h"
#include "nwf/text.h"

/* Largest binding file, bytes. */
#define FILE_MAX (16 * 1024 * 1024)

static int
compare_ports(const void *a, const void *b)
{
    return strcmp((*(const struct nwf_binding *const *) a)->port,
                  (*(const struct nwf_binding *const *) b)->port);
}

static int
check_unique(const char *file, const struct nwf_bindings *bindings, struct nwf_error *err)
{
    const struct nwf_binding **sorted CLEANUP_FREE = nwf_zalloc(bindings->n * sizeof *sorted + 1);

    for (size_t i = 0; i < bindings->n; i++) {
        sorted[i] = &bindings->data[i];
    }
    qsort(sorted, bindings->n, sizeof *sorted, compare_ports);
    for (size_t i = 1; i < bindings->n; i++) {
        if (!compare_ports(&sorted[i - 1], &sorted[i])) {
            return nwf_error_set(err, -EEXIST, "%s: port %.80s is bound twice", file,
                                 sorted[i]->port);
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
    size_t size;
    int r = nwf_file_read(file, FILE_MAX, &data, &size, err);

    if (r) {
        return r;
    }
    if (data[strspn(data, " \t\r\n")] == '<') {
        if ((r = nwf_binding_from_xml(name, data, size, &binding, err))) {
            return r;
        }
        nwf_vec_push(ret, binding);
    } else if ((r = nwf_bindings_from_json(name, data, size, ret, err))) {
        return r;
    }
    if (ret->n > NWF_BINDINGS_MAX) {
        return nwf_error_set(err, -E2BIG, "%s: more than %d bindings in all files", name,
                             NWF_BINDINGS_MAX);
    }
    return check_unique(name, ret, err);
}
