/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters by name, read on first use; see nwf/store.h. */
#include "nwf/store.h"

#include <errno.h>
#include <string.h>

#include "nwf/program.h"
#include "nwf/text.h"

struct stored {
    char *name;
    struct nwf_filter *filter; /* NULL: 'error' says why. */
    char *data;                /* The filter's text. */
    size_t size;
    struct nwf_error error;
    bool is_outdated; /* 'filter' is from before: 'error' says why it is no other. */
};

struct nwf_store {
    nwf_store_read_fn *read;
    void *aux;
    NWF_VEC(struct stored) filters; /* By name. */
    size_t size;                    /* Of what has been read. */
    size_t n_outdated;
};

struct nwf_store *
nwf_store_new(nwf_store_read_fn *read, void *aux)
{
    struct nwf_store *store = nwf_zalloc(sizeof *store);

    store->read = read;
    store->aux = aux;
    return store;
}

void
nwf_store_free(struct nwf_store *store)
{
    nwf_vec_foreach (s, &store->filters) {
        if (s->filter) {
            nwf_filter_free(s->filter);
        }
        nwf_error_clear(&s->error);
        free(s->data);
        free(s->name);
    }
    nwf_vec_clear(&store->filters);
    free(store);
}

/* Where 'name' is or would be. */
static size_t
lower_bound(const struct nwf_store *store, const char *name)
{
    size_t lo = 0, hi = store->filters.n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(store->filters.data[mid].name, name) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static struct stored *
find(const struct nwf_store *store, const char *name)
{
    size_t i = lower_bound(store, name);

    return i < store->filters.n && !strcmp(store->filters.data[i].name, name)
               ? &store->filters.data[i]
               : NULL;
}

static struct stored *
insert(struct nwf_store *store, const struct stored *fresh)
{
    size_t i = lower_bound(store, fresh->name);
    struct stored *s;

    nwf_vec_push(&store->filters, *fresh);
    s = &store->filters.data[i];
    memmove(s + 1, s, (store->filters.n - 1 - i) * sizeof *s);
    *s = *fresh;
    return s;
}

static int
read_and_parse(struct nwf_store *store, const char *name, struct stored *ret, struct nwf_error *err)
{
    char *path CLEANUP_FREE = NULL, *data CLEANUP_FREE = NULL;
    size_t size = 0;

    int r;

    if ((r = nwf_filter_check_name(name, err))
        || (r = store->read(store->aux, name, &path, &data, &size, err))) {
        return r;
    }
    store->size += size;
    if (store->size > NWF_STORE_SIZE_MAX) {
        return nwf_error_set(err, -E2BIG, "%s: more than %d MiB of filters", path,
                             NWF_STORE_SIZE_MAX >> 20);
    }
    struct nwf_filter *filter CLEANUP(nwf_filter_cleanup) = NULL;
    if ((r = nwf_filter_parse(path, data, size, &filter, err))) {
        return r;
    }
    if (strcmp(filter->name, name)) {
        return nwf_error_set(err, -EINVAL, "%s: holds the filter \"%s\" instead of \"%s\"", path,
                             filter->name, name);
    }
    ret->filter = TAKE_PTR(filter);
    ret->data = TAKE_PTR(data);
    ret->size = size;
    return 0;
}

int
nwf_store_get(struct nwf_store *store, const char *name, const struct nwf_filter **ret_filter,
              struct nwf_error *err)
{
    struct stored *s = find(store, name);

    if (!s) {
        if (store->filters.n >= NWF_STORE_MAX) {
            return nwf_error_set(err, -E2BIG, "more than %d filters", NWF_STORE_MAX);
        }
        struct stored fresh = {.name = nwf_strdup(name)};
        read_and_parse(store, name, &fresh, &fresh.error);
        s = insert(store, &fresh);
    }
    if (!s->filter) {
        return nwf_error_set(err, s->error.code, "%s", nwf_error_text(&s->error));
    }
    *ret_filter = s->filter;
    return 0;
}

struct closure {
    struct nwf_store *store;
    const struct stored *outdated; /* The first that was seen. */
    NWF_VEC(const struct nwf_filter *) seen;
    size_t n_refs;
};

static bool
is_seen(const struct closure *c, const struct nwf_filter *filter)
{
    nwf_vec_foreach (other, &c->seen) {
        if (*other == filter) {
            return true;
        }
    }
    return false;
}

static void
visit(struct closure *c, const struct nwf_filter *filter)
{
    const struct stored *s = find(c->store, filter->name);

    if (is_seen(c, filter) || !s) {
        return;
    }
    nwf_vec_push(&c->seen, filter);
    c->outdated = !c->outdated && s->is_outdated ? s : c->outdated;
    nwf_vec_foreach (entry, &filter->entries) {
        struct nwf_error ignored = NWF_ERROR_INIT;
        const struct nwf_filter *target;

        if (entry->ref && c->n_refs++ < NWF_PROGRAM_REFS_MAX
            && !nwf_store_get(c->store, entry->ref->filter, &target, &ignored)) {
            visit(c, target);
        }
        nwf_error_clear(&ignored);
    }
}

int
nwf_store_check_current(struct nwf_store *store, const struct nwf_filter *filter,
                        struct nwf_error *err)
{
    struct closure c = {.store = store};

    if (!store->n_outdated) {
        return 0;
    }
    visit(&c, filter);
    nwf_vec_clear(&c.seen);
    return c.outdated ? nwf_error_set(err, -EINVAL, "filter %s stays as it was: %s",
                                      c.outdated->name, nwf_error_text(&c.outdated->error))
                      : 0;
}

int
nwf_store_put(struct nwf_store *store, const char *file, const char *data, size_t size,
              const struct nwf_filter **ret_filter, struct nwf_error *err)
{
    struct nwf_filter *filter = NULL;
    int r = nwf_filter_parse(file, data, size, &filter, err);

    if (r) {
        return r;
    }
    struct stored *s = find(store, filter->name);
    if (s) {
        nwf_filter_free(filter);
        return nwf_error_set(err, -EEXIST, "%s: the filter %s is there already%s%s", file, s->name,
                             s->filter ? ", out of " : "", s->filter ? s->filter->file : "");
    }
    insert(store, &(struct stored){.name = nwf_strdup(filter->name),
                                   .filter = filter,
                                   .data = nwf_memdup(data, size),
                                   .size = size});
    *ret_filter = filter;
    return 0;
}

/* ---- Filters that change. ---- */

static bool
is_same(const struct stored *a, const struct stored *b)
{
    if (strcmp(nwf_error_text(&a->error), nwf_error_text(&b->error))) {
        return false;
    }
    if (!a->filter || !b->filter) {
        return a->filter == b->filter;
    }
    return a->size == b->size && !memcmp(a->data, b->data, a->size)
           && !strcmp(a->filter->file, b->filter->file);
}

/* Keeps the definition from before where there is one that is broken in its place. */
static void
keep_old(struct nwf_store *store, struct stored *fresh, const struct stored *old)
{
    if (fresh->filter || !old->filter || fresh->error.code == -ENOENT
        || nwf_filter_parse(old->filter->file, old->data, old->size, &fresh->filter, NULL)) {
        return;
    }
    fresh->data = nwf_memdup(old->data, old->size);
    fresh->size = old->size;
    fresh->is_outdated = true;
    store->n_outdated++;
}

bool
nwf_store_has(struct nwf_store *store, const char *name)
{
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_filter *filter;
    bool exists = nwf_store_get(store, name, &filter, &err) != -ENOENT;

    nwf_error_clear(&err);
    return exists;
}

struct nwf_store *
nwf_store_renew(const struct nwf_store *old, bool *ret_differs)
{
    struct nwf_store *store = nwf_store_new(old->read, old->aux);

    *ret_differs = false;
    nwf_vec_foreach (s, &old->filters) {
        const struct nwf_filter *filter;
        struct nwf_error ignored = NWF_ERROR_INIT;

        (void) nwf_store_get(store, s->name, &filter, &ignored);
        nwf_error_clear(&ignored);
        struct stored *fresh = find(store, s->name);
        if (fresh) {
            keep_old(store, fresh, s);
        }
        *ret_differs |= !fresh || !is_same(fresh, s) || fresh->is_outdated != s->is_outdated;
    }
    return store;
}

void
nwf_store_each_outdated(const struct nwf_store *store,
                        void (*each)(const char *name, const struct nwf_error *error, void *aux),
                        void *aux)
{
    nwf_vec_foreach (s, &store->filters) {
        if (s->is_outdated) {
            each(s->name, &s->error, aux);
        }
    }
}
