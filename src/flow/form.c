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
    form->ofpacts = (struct ofpact *) ((char *) form->data + mask_size);
    form->ofpacts_len = ofpacts_len;
    if (ofpacts_len) {
        memcpy(form->ofpacts, ofpacts, ofpacts_len);
    }
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
