/* SPDX-License-Identifier: Apache-2.0
 *
 * Forms, and pools of them; see nwf/form.h. */
#include <config.h>

#include "nwf/form.h"

#include <stdlib.h>
#include <string.h>

#include "nwf/text.h"

#include "lib/flow.h"
#include "lib/hash.h"
#include "lib/tun-metadata.h"

void
nwf_forms_init(struct nwf_forms *forms)
{
    hmap_init(&forms->forms);
}

void
nwf_forms_finish(struct nwf_forms *forms)
{
    struct nwf_form *form;

    HMAP_FOR_EACH_POP (form, node, &forms->forms) {
        form->pool = NULL;
    }
    hmap_destroy(&forms->forms);
}

/* ---- Actions, and the values that they set. ---- */

/* Those bytes of an action, *ret_n of them, in which flows of one rule differ; NULL: there are
 * none.  That is what it sets a field to, as the number of a port; or the cookie of what it makes
 * the switch learn, which names the port. */
static uint8_t *
find_value(struct ofpact *a, size_t *ret_n)
{
    struct ofpact_set_field *set;
    struct ofpact_learn *learn;

    switch ((int) a->type) {
    case OFPACT_SET_FIELD:
        set = ofpact_get_SET_FIELD(a);
        *ret_n = set->field->n_bytes;
        return (uint8_t *) set->value;
    case OFPACT_LEARN:
        learn = ofpact_get_LEARN(a);
        *ret_n = sizeof learn->cookie;
        return (uint8_t *) &learn->cookie;
    default:
        return NULL;
    }
}

/* What is done with the values of a form's actions. */
enum visit { VISIT_COUNT, VISIT_TAKE, VISIT_PUT, VISIT_BLANK };

/* Returns the number of their bytes; 'bytes' is where they are taken to, or put from. */
static size_t
visit_values(struct ofpact *ofpacts, size_t len, enum visit visit, uint8_t *bytes)
{
    struct ofpact *a;
    size_t total = 0;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        size_t n = 0;
        uint8_t *value = find_value(a, &n);
        if (visit == VISIT_TAKE && n) {
            memcpy(bytes + total, value, n);
        } else if (visit == VISIT_PUT && n) {
            memcpy(value, bytes + total, n);
        } else if (visit == VISIT_BLANK && n) {
            memset(value, 0, n);
        }
        total += n;
    }
    return total;
}

/* The actions are at the end of 'data'. */
static struct ofpact *
actions_of(const struct nwf_form *form)
{
    return (struct ofpact *) ((char *) form->data + form->size - form->ofpacts_len);
}

void
nwf_form_take_values(const struct nwf_form *form, uint8_t *ret_values)
{
    (void) visit_values(form->ofpacts, form->ofpacts_len, VISIT_TAKE, ret_values);
}

void
nwf_form_fill(const struct nwf_form *form, const uint8_t *values, struct ofpact *ret_ofpacts)
{
    if (form->ofpacts_len) {
        memcpy(ret_ofpacts, actions_of(form), form->ofpacts_len);
    }
    (void) visit_values(ret_ofpacts, form->ofpacts_len, VISIT_PUT, (uint8_t *) values);
}

/* ---- Forms. ---- */

struct nwf_form *
nwf_form_new(const struct match *match, const struct ofpact *ofpacts, size_t ofpacts_len)
{
    struct nwf_form *form;
    struct miniflow map;

    miniflow_map_init(&map, &match->wc.masks);
    size_t mask_size = sizeof map + MINIFLOW_VALUES_SIZE(miniflow_n_values(&map));
    form = nwf_zalloc(sizeof *form + mask_size + ofpacts_len);
    form->n_users = 1;
    form->tun_md = tun_metadata_allocation_clone(&match->tun_md);
    form->size = mask_size + ofpacts_len;
    form->mask = (struct minimask *) form->data;
    form->mask->masks.map = map.map;
    minimask_init(form->mask, &match->wc);
    form->ofpacts_len = (uint32_t) ofpacts_len;
    form->ofpacts = actions_of(form);
    if (ofpacts_len) {
        memcpy(form->ofpacts, ofpacts, ofpacts_len);
    }
    form->n_values = (uint32_t) visit_values(form->ofpacts, ofpacts_len, VISIT_COUNT, NULL);
    return form;
}

void
nwf_form_release(struct nwf_form *form)
{
    if (--form->n_users) {
        return;
    }
    if (form->pool) {
        hmap_remove(&form->pool->forms, &form->node);
    }
    free(form->tun_md);
    free(form);
}

static bool
is_like(const struct nwf_form *a, const struct nwf_form *b)
{
    return a->size == b->size && a->ofpacts_len == b->ofpacts_len
           && !memcmp(a->data, b->data, a->size);
}

struct nwf_form *
nwf_forms_share(struct nwf_forms *forms, struct nwf_form *form)
{
    struct nwf_form *other;

    if (form->pool || form->tun_md) {
        return form;
    }
    if (form->ofpacts) { /* It was in no pool before. */
        (void) visit_values(form->ofpacts, form->ofpacts_len, VISIT_BLANK, NULL);
        form->ofpacts = NULL;
    }
    uint32_t hash = hash_bytes(form->data, form->size, 0);
    HMAP_FOR_EACH_WITH_HASH (other, node, hash, &forms->forms) {
        if (is_like(other, form)) {
            other->n_users++;
            nwf_form_release(form);
            return other;
        }
    }
    form->pool = forms;
    hmap_insert(&forms->forms, &form->node, hash);
    return form;
}
