/* SPDX-License-Identifier: Apache-2.0
 *
 * By way of which filters one refers to another. */
#include "nwf/store.h"
#include "nwf/text.h"

struct search {
    struct nwf_store *store;
    const char *to;
    NWF_VEC(const struct nwf_filter *) seen;
};

static bool
is_seen(const struct search *s, const struct nwf_filter *filter)
{
    nwf_vec_foreach (other, &s->seen) {
        if (*other == filter) {
            return true;
        }
    }
    return false;
}

/* The way from a filter that is called 'name', itself included, as a new string. */
static char *
find(struct search *s, const char *name)
{
    struct nwf_error ignored = NWF_ERROR_INIT;
    const struct nwf_filter *filter;
    char *way = NULL;

    if (!strcmp(name, s->to)) {
        return nwf_strdup(name);
    }
    int r = nwf_store_get(s->store, name, &filter, &ignored);
    nwf_error_clear(&ignored);
    if (r || is_seen(s, filter)) {
        return NULL;
    }
    nwf_vec_push(&s->seen, filter);
    for (size_t i = 0; !way && i < filter->entries.n; i++) {
        const struct nwf_ref *ref = filter->entries.data[i].ref;
        char *rest CLEANUP_FREE = ref ? find(s, ref->filter) : NULL;
        way = rest ? nwf_asprintf("%s, %s", name, rest) : NULL;
    }
    return way;
}

char *
nwf_store_find_reference(struct nwf_store *store, const char *from, const char *to)
{
    struct search s = {.store = store, .to = to};
    char *way = find(&s, from);

    nwf_vec_clear(&s.seen);
    return way;
}
