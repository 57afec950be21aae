/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads libnftables' listings; see nic_lock_read.h.
 *
 * Rules cannot be compared as text, since each version of libnftables prints them in its own way:
 * each bears a comment with a fingerprint of the whole and its number.  A rule that somebody adds,
 * removes or moves is noticed by that. */
#include "nic_lock_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nwf/text.h"

static uint64_t
number_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t) value : 0;
}

void
nic_lock_each_chain(const json_t *listing, void (*each)(const char *name, void *aux), void *aux)
{
    const json_t *chain;

    for (size_t at = 0; (chain = nft_next(listing, "chain", &at));) {
        each(nft_string(chain, "name"), aux);
    }
}

/* Whether 'plain' has our chain at that hook of 'nic' and of nothing else. */
static bool
plain_has_device(const char *plain, const json_t *chain, const char *nic)
{
    char *start = nwf_asprintf("chain %s {", nft_string(chain, "name"));
    char *device = nwf_asprintf("hook %s device \"%s\" ", nft_string(chain, "hook"), nic);
    const char *at = strstr(plain, start);
    const char *hook = at ? strstr(at, device) : NULL;
    const char *end = at ? strchr(at, ';') : NULL;
    bool found = hook && end && hook < end;

    free(start);
    free(device);
    return found;
}

/* In JSON "dev" is a name or a list of names. */
bool
nic_lock_has_device(const json_t *chain, const char *plain, const char *nic)
{
    const json_t *device = json_object_get(chain, "dev");

    if (json_is_array(device)) {
        device = json_array_size(device) == 1 ? json_array_get(device, 0) : NULL;
        return json_is_string(device) && !strcmp(json_string_value(device), nic);
    }
    return device ? !strcmp(nft_string(chain, "dev"), nic) : plain_has_device(plain, chain, nic);
}

static bool
is_our_base_chain(const json_t *chain, const char *plain, const struct nwf_nic_locks *locks)
{
    char *nic = nic_lock_name_of("out-", nft_string(chain, "name"));
    bool wanted = false;

    nwf_vec_foreach (lock, &locks->nics) {
        wanted = wanted || (nic && !strcmp(lock->name, nic));
    }
    /* One that is not wanted any more goes away as it is. */
    bool same = !wanted
                || (!strcmp(nft_string(chain, "hook"), "egress")
                    && !strcmp(nft_string(chain, "policy"), "accept") && !number_of(chain, "prio")
                    && nic_lock_has_device(chain, plain, nic));
    free(nic);
    return same;
}

static bool
is_wanted_chain(const struct nic_lock_text *text, const char *name)
{
    nwf_vec_foreach (wanted, &text->names) {
        if (!strcmp(*wanted, name)) {
            return true;
        }
    }
    return false;
}

static enum nic_lock_state
compare_chains(const json_t *listing, const char *plain, const struct nic_lock_text *text,
               const struct nwf_nic_locks *locks)
{
    enum nic_lock_state state = NIC_LOCK_SAME;
    const json_t *chain;
    size_t n = 0;

    for (size_t at = 0; (chain = nft_next(listing, "chain", &at));) {
        if (!is_wanted_chain(text, nft_string(chain, "name"))) {
            state = NIC_LOCK_RULES;
        } else {
            n++;
        }
        const bool is_base = json_object_get(chain, "hook");
        const bool should_be = !strncmp(nft_string(chain, "name"), "out-", 4);
        if (is_base != should_be || (is_base && !is_our_base_chain(chain, plain, locks))) {
            return NIC_LOCK_SHAPE;
        }
    }
    return n == text->names.n ? state : NIC_LOCK_RULES;
}

/* The number in the comment of a rule with our fingerprint, else SIZE_MAX. */
static size_t
rule_number(const json_t *rule, const struct nic_lock_text *text)
{
    const char *comment = nft_string(rule, "comment");
    size_t n = strlen(text->fingerprint);
    int64_t number;

    if (strncmp(comment, text->fingerprint, n) || comment[n] != '-'
        || !nwf_parse_int(comment + n + 1, 0, (int64_t) text->chain_of.n - 1, &number)) {
        return SIZE_MAX;
    }
    return (size_t) number;
}

/* The kernel lists chain after chain, and each one's rules in order. */
static bool
has_rules(const json_t *listing, const struct nic_lock_text *text)
{
    size_t n = 0, previous = SIZE_MAX;
    const json_t *rule;

    for (size_t at = 0; (rule = nft_next(listing, "rule", &at));) {
        size_t number = rule_number(rule, text);
        if (number == SIZE_MAX) {
            return false;
        }
        size_t chain = text->chain_of.data[number];
        bool in_order =
            previous == SIZE_MAX || text->chain_of.data[previous] != chain || previous < number;
        if (!in_order || strcmp(text->names.data[chain], nft_string(rule, "chain"))) {
            return false;
        }
        previous = number;
        n++;
    }
    return n == text->chain_of.n;
}

/* A set or counter of ours, by its kind's prefix and NIC. */
static bool
has_object(const json_t *listing, const char *kind, const char *prefix, const char *nic)
{
    char name[NIC_LOCK_NAME_MAX];
    const json_t *item;

    nic_lock_identifier(prefix, nic, name);
    for (size_t at = 0; (item = nft_next(listing, kind, &at));) {
        if (!strcmp(nft_string(item, "name"), name)) {
            return true;
        }
    }
    return false;
}

static bool
has_objects(const json_t *listing, const struct nwf_nic_locks *locks)
{
    nwf_vec_foreach (nic, &locks->nics) {
        if (!has_object(listing, "set", NIC_LOCK_UNTAGGED, nic->name)
            || !has_object(listing, "set", NIC_LOCK_TAGGED, nic->name)
            || !has_object(listing, "counter", NIC_LOCK_REST, nic->name)) {
            return false;
        }
    }
    return true;
}

enum nic_lock_state
nic_lock_compare(const json_t *listing, const char *plain, const struct nic_lock_text *text,
                 const struct nwf_nic_locks *locks)
{
    enum nic_lock_state state = compare_chains(listing, plain, text, locks);

    if (state != NIC_LOCK_SAME) {
        return state;
    }
    return has_rules(listing, text) && has_objects(listing, locks) ? NIC_LOCK_SAME : NIC_LOCK_RULES;
}

static bool
read_mac(const char *text, struct nwf_mac *ret)
{
    unsigned int o[6];

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &o[0], &o[1], &o[2], &o[3], &o[4], &o[5]) != 6) {
        return false;
    }
    for (size_t i = 0; i < 6; i++) {
        ret->octets[i] = (uint8_t) o[i];
    }
    return true;
}

/* An element is {"elem": {"val": MAC or {"concat": [MAC, VLAN]}, "expires": ..., "counter": ...}}.
 */
static void
read_element(const json_t *element, const char *nic, struct nwf_nic_lock_counters *ret)
{
    const json_t *elem = json_object_get(element, "elem");
    const json_t *value = json_object_get(elem, "val");
    const json_t *counter = json_object_get(elem, "counter");
    const json_t *parts = json_object_get(value, "concat");
    const json_t *mac = parts ? json_array_get(parts, 0) : value;
    const uint64_t expires = number_of(elem, "expires");
    struct nwf_nic_lock_offender offender = {
        .vid = (uint16_t) json_integer_value(json_array_get(parts, 1)),
        .packets = number_of(counter, "packets"),
        .bytes = number_of(counter, "bytes"),
        .last_seen = expires < NIC_LOCK_FORGET ? NIC_LOCK_FORGET - (unsigned int) expires : 0,
    };

    if (json_is_string(mac) && read_mac(json_string_value(mac), &offender.mac)) {
        offender.nic = nwf_strdup(nic);
        nwf_vec_push(&ret->offenders, offender);
    }
}

static void
read_set(const json_t *set, struct nwf_nic_lock_counters *ret)
{
    char *nic = nic_lock_name_of(NIC_LOCK_UNTAGGED, nft_string(set, "name"));
    const json_t *elements = json_object_get(set, "elem");
    size_t i;
    json_t *element;

    if (!nic) {
        nic = nic_lock_name_of(NIC_LOCK_TAGGED, nft_string(set, "name"));
    }
    if (nic) {
        json_array_foreach (elements, i, element) {
            read_element(element, nic, ret);
        }
    }
    free(nic);
}

static void
read_rest(const json_t *counter, struct nwf_nic_lock_counters *ret)
{
    char *nic = nic_lock_name_of(NIC_LOCK_REST, nft_string(counter, "name"));

    if (nic) {
        nwf_vec_push(&ret->rests,
                     (struct nwf_nic_lock_rest){.nic = nic,
                                                .packets = number_of(counter, "packets"),
                                                .bytes = number_of(counter, "bytes")});
    }
}

void
nic_lock_read_counters(const json_t *listing, struct nwf_nic_lock_counters *ret)
{
    const json_t *item;

    for (size_t at = 0; (item = nft_next(listing, "set", &at));) {
        read_set(item, ret);
    }
    for (size_t at = 0; (item = nft_next(listing, "counter", &at));) {
        read_rest(item, ret);
    }
}
