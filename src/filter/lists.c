/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists that the conditions of a program share.  A rule's instances, and rules by the
 * thousand, ask for the same variable: its values are there once. */
#include <errno.h>

#include "nwf/text.h"
#include "rule_instance.h"

const struct nwf_list *
nwf_program_find_list(const struct nwf_program *program, const void *origin, enum nwf_type type,
                      const struct nwf_value *mask)
{
    nwf_vec_foreach (list, &program->lists) {
        if ((*list)->origin == origin && (*list)->type == type
            && nwf_value_equal(&(*list)->mask, mask)) {
            return *list;
        }
    }
    return NULL;
}

int
nwf_program_add_list(struct nwf_program *program, struct nwf_list *list,
                     const struct nwf_list **ret)
{
    if (program->lists.n >= NWF_PROGRAM_LISTS_MAX
        || list->values.n > NWF_PROGRAM_LIST_VALUES_MAX - program->n_list_values) {
        return -E2BIG;
    }
    struct nwf_list *own = nwf_memdup(list, sizeof *list);
    nwf_vec_push(&program->lists, own);
    program->n_list_values += list->values.n;
    memset(&list->values, 0, sizeof list->values);
    *ret = own;
    return 0;
}

void
nwf_program_clear_lists(struct nwf_program *program)
{
    nwf_vec_foreach (list, &program->lists) {
        nwf_vec_clear(&(*list)->values);
        free(*list);
    }
    nwf_vec_clear(&program->lists);
}
