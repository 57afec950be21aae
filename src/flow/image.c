/* SPDX-License-Identifier: Apache-2.0
 *
 * The image: a flow set whose flows are also on the lists of their owners; see nwf/image.h. */
#include <config.h>

#include "nwf/image.h"

#include "nwf/text.h"
#include "nwf/vec.h"

#include "lib/hash.h"

struct owner {
    struct hmap_node node; /* In the image's 'owners'. */
    nwf_owner number;
    struct ovs_list flows; /* Never empty. */
    size_t n;
};

void
nwf_image_init(struct nwf_image *image)
{
    nwf_flow_set_init(&image->flows);
    nwf_forms_init(&image->forms);
    image->flows.forms = &image->forms;
    hmap_init(&image->owners);
}

void
nwf_image_clear(struct nwf_image *image)
{
    nwf_image_finish(image);
    nwf_image_init(image);
}

void
nwf_image_finish(struct nwf_image *image)
{
    struct owner *owner;

    HMAP_FOR_EACH_POP (owner, node, &image->owners) {
        free(owner);
    }
    hmap_destroy(&image->owners);
    nwf_flow_set_finish(&image->flows);
    nwf_forms_finish(&image->forms);
}

static struct owner *
find_owner(const struct nwf_image *image, nwf_owner number)
{
    struct owner *owner;

    HMAP_FOR_EACH_WITH_HASH (owner, node, hash_int(number, 0), &image->owners) {
        if (owner->number == number) {
            return owner;
        }
    }
    return NULL;
}

static void
own(struct nwf_image *image, nwf_owner number, struct nwf_flow *flow)
{
    struct owner *owner = find_owner(image, number);

    if (!owner) {
        owner = nwf_zalloc(sizeof *owner);
        owner->number = number;
        ovs_list_init(&owner->flows);
        hmap_insert(&image->owners, &owner->node, hash_int(number, 0));
    }
    flow->owner = number;
    ovs_list_push_back(&owner->flows, &flow->owned);
    owner->n++;
}

static void
disown(struct nwf_image *image, struct nwf_flow *flow)
{
    struct owner *owner = find_owner(image, flow->owner);

    ovs_list_remove(&flow->owned);
    if (!--owner->n) {
        hmap_remove(&image->owners, &owner->node);
        free(owner);
    }
}

bool
nwf_image_remove(struct nwf_image *image, const struct nwf_flow *key, nwf_owner *ret_owner)
{
    struct nwf_flow *flow = (struct nwf_flow *) nwf_flow_set_find(&image->flows, key);

    if (!flow) {
        return false;
    }
    if (ret_owner) {
        *ret_owner = flow->owner;
    }
    disown(image, flow);
    nwf_flow_set_remove(&image->flows, flow);
    return true;
}

void
nwf_image_put(struct nwf_image *image, nwf_owner owner, struct nwf_flow *flow)
{
    nwf_image_remove(image, flow, NULL);
    nwf_flow_set_insert(&image->flows, flow);
    own(image, owner, flow);
}

size_t
nwf_image_count(const struct nwf_image *image, nwf_owner number)
{
    const struct owner *owner = find_owner(image, number);

    return owner ? owner->n : 0;
}

const struct ovs_list *
nwf_image_flows(const struct nwf_image *image, nwf_owner number)
{
    const struct owner *owner = find_owner(image, number);

    return owner ? &owner->flows : NULL;
}

nwf_owner *
nwf_image_owners(const struct nwf_image *image, size_t *ret_n)
{
    nwf_owner *numbers = nwf_zalloc((hmap_count(&image->owners) + 1) * sizeof *numbers);
    const struct owner *owner;

    *ret_n = 0;
    HMAP_FOR_EACH (owner, node, &image->owners) {
        numbers[(*ret_n)++] = owner->number;
    }
    return numbers;
}

void
nwf_image_diff(const struct nwf_image *image, nwf_owner number, const struct nwf_flow_set *desired,
               struct nwf_changes *deletions, struct nwf_changes *rest)
{
    const struct owner *owner = find_owner(image, number);
    const struct nwf_flow *flow;

    if (owner) {
        LIST_FOR_EACH (flow, owned, &owner->flows) {
            if (!nwf_flow_set_find(desired, flow)) {
                nwf_vec_push(deletions, (struct nwf_change){NWF_CHANGE_DELETE, flow});
            }
        }
    }
    HMAP_FOR_EACH (flow, node, &desired->flows) {
        const struct nwf_flow *old = nwf_flow_set_find(&image->flows, flow);
        if (!old) {
            nwf_vec_push(rest, (struct nwf_change){NWF_CHANGE_ADD, flow});
        } else if (!nwf_flow_data_equal(old, flow)) {
            nwf_vec_push(rest, (struct nwf_change){NWF_CHANGE_REPLACE, flow});
        }
    }
}

void
nwf_image_take(struct nwf_image *image, nwf_owner owner, struct nwf_flow_set *desired)
{
    struct nwf_flow *flow, *next;

    HMAP_FOR_EACH_SAFE (flow, next, node, &desired->flows) {
        nwf_flow_set_detach(desired, flow);
        nwf_image_put(image, owner, flow);
    }
}
