/* SPDX-License-Identifier: Apache-2.0
 *
 * See fuzz.h. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

void
fuzz_fail(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

bool
fuzz_is_ok(int r, struct nwf_error *err)
{
    FUZZ_CHECK(r <= 0);
    FUZZ_CHECK(err->code == r);
    FUZZ_CHECK((r < 0) == (err->text != NULL));
    if (err->text) {
        char *clean CLEANUP_FREE = nwf_text_clean(err->text, NWF_ERROR_MAX);
        FUZZ_CHECK(*err->text && !strcmp(clean, err->text));
        FUZZ_CHECK(!strchr(err->text, '\n'));
    }
    nwf_error_clear(err);
    return r == 0;
}

char *
fuzz_text(const uint8_t *data, size_t size)
{
    char *text = nwf_zalloc(size + 1);

    if (size) {
        memcpy(text, data, size);
    }
    return text;
}

static char *
join(const struct nwf_param *param)
{
    char *value = nwf_strdup(param->values.data[0]);

    for (size_t i = 1; i < param->values.n; i++) {
        char *old CLEANUP_FREE = value;
        value = nwf_asprintf("%s,%s", old, param->values.data[i]);
    }
    return value;
}

static bool
no_filter_exists(void *aux, const char *name)
{
    (void) aux;
    (void) name;
    return false;
}

static void
check_read_back(const struct nwf_binding *binding, const struct nwf_tag *tags, size_t n_tags)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_binding again;
    int r =
        nwf_binding_from_tags(binding->port, tags, n_tags,
                              &(struct nwf_known_filters){no_filter_exists, NULL}, &again, &err);

    FUZZ_CHECK(fuzz_is_ok(r, &err));
    char *ours CLEANUP_FREE = nwf_params_format(&binding->params);
    char *theirs CLEANUP_FREE = nwf_params_format(&again.params);
    FUZZ_CHECK(!strcmp(ours, theirs));
    FUZZ_CHECK(!strcmp(again.filter, binding->filter) && !strcmp(again.port, binding->port));
    nwf_binding_clear(&again);
}

void
fuzz_check_binding(const struct nwf_binding *binding)
{
    NWF_VEC(struct nwf_tag) tags = {.data = NULL};
    bool fits = strlen(binding->filter) <= NWF_TAG_MAX;

    nwf_vec_push(&tags, (struct nwf_tag){nwf_strdup(NWF_TAG_FILTER), nwf_strdup(binding->filter)});
    nwf_vec_foreach (param, &binding->params.list) {
        FUZZ_CHECK(param->values.n > 0);
        char *key = nwf_asprintf("%s%s", NWF_TAG_VARIABLE, param->name);
        nwf_vec_push(&tags, (struct nwf_tag){key, join(param)});
        fits &= strlen(tags.data[tags.n - 1].value) <= NWF_TAG_MAX;
    }
    if (fits) {
        check_read_back(binding, tags.data, tags.n);
    }
    nwf_vec_foreach (tag, &tags) {
        free((char *) tag->key);
        free((char *) tag->value);
    }
    nwf_vec_clear(&tags);
}
