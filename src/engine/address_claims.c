/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges of addresses that are somebody's; see address_claims.h.
 *
 * A range is noted under each shorter length that there is, too: so both what it lies in and what
 * lies in it are found by one look for each length, of which a host has a few. */
#include <config.h>

#include "address_claims.h"

#include <string.h>

#include "nwf/text.h"

#include "lib/hash.h"

struct range {
    struct hmap_node node;
    struct nwf_address address;
    size_t owners[2]; /* Of it or of parts of it: two of them, if there are several. */
    size_t whole[2];  /* Of all of it. */
};

static size_t
family_number(const struct nwf_address *address)
{
    return address->family == AF_INET6;
}

void
nwf_address_claims_init(struct nwf_address_claims *claims)
{
    memset(claims, 0, sizeof *claims);
    hmap_init(&claims->ranges);
}

void
nwf_address_claims_finish(struct nwf_address_claims *claims)
{
    struct range *range;

    HMAP_FOR_EACH_POP (range, node, &claims->ranges) {
        free(range);
    }
    hmap_destroy(&claims->ranges);
}

void
nwf_address_claims_expect(struct nwf_address_claims *claims, const struct nwf_address *address)
{
    claims->lengths[family_number(address)][address->prefix_len] = true;
}

/* The range of this length that the address lies in. */
static struct nwf_address
shorten(const struct nwf_address *address, unsigned int length)
{
    struct nwf_address ret = {.family = address->family, .prefix_len = (uint8_t) length};

    memcpy(ret.bytes, address->bytes, length / 8);
    if (length % 8) {
        ret.bytes[length / 8] = address->bytes[length / 8] & (uint8_t) (0xff00 >> length % 8);
    }
    return ret;
}

static uint32_t
hash(const struct nwf_address *address)
{
    return hash_bytes(address->bytes, sizeof address->bytes,
                      address->prefix_len + 256 * (uint32_t) family_number(address));
}

static struct range *
find(const struct nwf_address_claims *claims, const struct nwf_address *address)
{
    struct range *range;

    HMAP_FOR_EACH_WITH_HASH (range, node, hash(address), &claims->ranges) {
        if (nwf_address_equals(&range->address, address)) {
            return range;
        }
    }
    return NULL;
}

static size_t
other_than(const size_t owners[2], size_t owner)
{
    return owners[0] == owner ? owners[1] : owners[0];
}

size_t
nwf_address_claims_find(const struct nwf_address_claims *claims, const struct nwf_address *address,
                        size_t owner)
{
    const bool *lengths = claims->lengths[family_number(address)];
    const struct range *range = find(claims, address);
    size_t other = range ? other_than(range->owners, owner) : NWF_NO_OWNER;

    for (unsigned int length = 0; length < address->prefix_len && other == NWF_NO_OWNER; length++) {
        if (lengths[length]) {
            struct nwf_address outer = shorten(address, length);
            range = find(claims, &outer);
            other = range ? other_than(range->whole, owner) : NWF_NO_OWNER;
        }
    }
    return other;
}

static void
note(size_t owners[2], size_t owner)
{
    if (owners[0] == NWF_NO_OWNER) {
        owners[0] = owner;
    } else if (owners[0] != owner && owners[1] == NWF_NO_OWNER) {
        owners[1] = owner;
    }
}

static struct range *
get(struct nwf_address_claims *claims, const struct nwf_address *address)
{
    struct range *range = find(claims, address);

    if (!range) {
        range = nwf_zalloc(sizeof *range);
        range->address = *address;
        range->owners[0] = range->owners[1] = NWF_NO_OWNER;
        range->whole[0] = range->whole[1] = NWF_NO_OWNER;
        hmap_insert(&claims->ranges, &range->node, hash(address));
    }
    return range;
}

void
nwf_address_claims_add(struct nwf_address_claims *claims, const struct nwf_address *address,
                       size_t owner)
{
    const bool *lengths = claims->lengths[family_number(address)];

    for (unsigned int length = 0; length < address->prefix_len; length++) {
        if (lengths[length]) {
            struct nwf_address outer = shorten(address, length);
            note(get(claims, &outer)->owners, owner);
        }
    }
    struct range *range = get(claims, address);
    note(range->owners, owner);
    note(range->whole, owner);
}
