/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables and their values; see nwf/params.h. */
#include "nwf/params.h"

#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/filter.h"
#include "nwf/text.h"

/* Where 'name' is or would be. */
static size_t
lower_bound(const struct nwf_params *params, const char *name)
{
    size_t lo = 0, hi = params->list.n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(params->list.data[mid].name, name) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

const struct nwf_param *
nwf_params_find(const struct nwf_params *params, const char *name)
{
    size_t i = lower_bound(params, name);

    return i < params->list.n && !strcmp(params->list.data[i].name, name) ? &params->list.data[i]
                                                                          : NULL;
}

static struct nwf_param *
find_or_insert(struct nwf_params *params, const char *name)
{
    size_t i = lower_bound(params, name);

    if (i < params->list.n && !strcmp(params->list.data[i].name, name)) {
        return &params->list.data[i];
    }
    nwf_vec_push(&params->list, (struct nwf_param){.name = NULL});
    memmove(&params->list.data[i + 1], &params->list.data[i],
            (params->list.n - 1 - i) * sizeof params->list.data[0]);
    params->list.data[i] = (struct nwf_param){.name = nwf_strdup(name)};
    return &params->list.data[i];
}

/* Whether there may be a variable 'name'. */
static int
check_name(const struct nwf_params *params, const char *name, struct nwf_error *err)
{
    if (!nwf_text_is_name(name, "_", NWF_NAME_MAX)) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is not a variable's name", name);
    }
    if (params->list.n >= NWF_VARIABLES_MAX && !nwf_params_find(params, name)) {
        return nwf_error_set(err, -E2BIG, "variable %s: more than %d variables", name,
                             NWF_VARIABLES_MAX);
    }
    return 0;
}

int
nwf_params_declare(struct nwf_params *params, const char *name, struct nwf_error *err)
{
    int r = check_name(params, name, err);

    if (!r) {
        find_or_insert(params, name);
    }
    return r;
}

int
nwf_params_add(struct nwf_params *params, const char *name, const char *value,
               struct nwf_error *err)
{
    int r = check_name(params, name, err);

    if (r) {
        return r;
    }
    if (!nwf_text_is_name(value, "_.:/-", NWF_NAME_MAX)) {
        return nwf_error_set(err, -EINVAL, "variable %s: \"%.80s\" is not a value", name, value);
    }
    if (params->n_values >= NWF_ALL_VALUES_MAX) {
        return nwf_error_set(err, -E2BIG, "variable %s: more than %d values of all variables", name,
                             NWF_ALL_VALUES_MAX);
    }
    struct nwf_param *param = find_or_insert(params, name);
    if (param->values.n >= NWF_VALUES_MAX) {
        return nwf_error_set(err, -E2BIG, "variable %s has more than %d values", name,
                             NWF_VALUES_MAX);
    }
    nwf_vec_push(&param->values, nwf_strdup(value));
    params->n_values++;
    return 0;
}

struct add_list {
    struct nwf_params *params;
    const char *name;
    struct nwf_error *err;
};

static int
add_word(const char *word, void *aux)
{
    struct add_list *list = aux;

    return nwf_params_add(list->params, list->name, word, list->err);
}

int
nwf_params_add_list(struct nwf_params *params, const char *name, const char *text,
                    struct nwf_error *err)
{
    struct add_list list = {params, name, err};
    int r = check_name(params, name, err);

    if (r) {
        return r;
    }
    return nwf_text_split(text, ", \t", add_word, &list);
}

static void
copy_values(struct nwf_param *to, const struct nwf_param *from)
{
    nwf_vec_foreach (value, &to->values) {
        free(*value);
    }
    nwf_vec_clear(&to->values);
    nwf_vec_foreach (value, &from->values) {
        nwf_vec_push(&to->values, nwf_strdup(*value));
    }
}

void
nwf_params_override(struct nwf_params *params, const struct nwf_params *outer)
{
    nwf_vec_foreach (param, &outer->list) {
        struct nwf_param *own = find_or_insert(params, param->name);
        params->n_values += param->values.n - own->values.n;
        copy_values(own, param);
    }
}

const struct nwf_param *
nwf_scope_find(const struct nwf_scope *scope, const char *name)
{
    const struct nwf_param *found = NULL;

    for (; scope; scope = scope->outer) {
        const struct nwf_param *param = nwf_params_find(scope->params, name);
        found = param ? param : found;
    }
    return found;
}

void
nwf_params_clear(struct nwf_params *params)
{
    nwf_vec_foreach (param, &params->list) {
        nwf_vec_foreach (value, &param->values) {
            free(*value);
        }
        nwf_vec_clear(&param->values);
        free(param->name);
    }
    nwf_vec_clear(&params->list);
    params->n_values = 0;
}

static size_t
formatted_size(const struct nwf_params *params)
{
    size_t size = 1;

    nwf_vec_foreach (param, &params->list) {
        size += strlen(param->name) + 2;
        nwf_vec_foreach (value, &param->values) {
            size += strlen(*value) + 1;
        }
    }
    return size;
}

char *
nwf_params_format(const struct nwf_params *params)
{
    char *s = nwf_zalloc(formatted_size(params)), *end = s;

    nwf_vec_foreach (param, &params->list) {
        for (size_t i = 0; i < param->values.n; i++) {
            if (!i) {
                end = stpcpy(stpcpy(stpcpy(end, end > s ? " " : ""), param->name), "=");
            }
            end = stpcpy(stpcpy(end, i ? "," : ""), param->values.data[i]);
        }
    }
    return s;
}
