/* SPDX-License-Identifier: Apache-2.0
 *
 * Flow sets: a hash map by key; see nwf/flow.h. */
#include <config.h>

#include "nwf/flow.h"

#include <errno.h>
#include <string.h>

#include "nwf/text.h"
#include "nwf/vec.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofpbuf.h"

#include "lib/flow.h"
#include "lib/hash.h"
#include "lib/packets.h"

/* Bytes of actions that a flow seldom has more of. */
#define ACTIONS_USUAL 1024

/* Bytes of the values that the flow's match has. */
static size_t
match_size(const struct nwf_form *form)
{
    return MINIFLOW_VALUES_SIZE(miniflow_n_values(&form->mask->masks));
}

struct minimatch
nwf_flow_match_in(const struct nwf_flow *flow, struct nwf_match_buffer *buffer)
{
    struct miniflow *values = (struct miniflow *) buffer->words;

    BUILD_ASSERT_DECL(sizeof *buffer >= sizeof *values + sizeof(struct flow));
    values->map = flow->form->mask->masks.map;
    memcpy(miniflow_values(values), flow->values, match_size(flow->form));
    return (struct minimatch){
        .flow = values,
        .mask = flow->form->mask,
        .tun_md = flow->form->tun_md,
    };
}

void
nwf_flow_expand_match(const struct nwf_flow *flow, struct match *ret)
{
    struct minimatch match = nwf_flow_match(flow);

    minimatch_expand(&match, ret);
}

static uint32_t
add_words(uint32_t hash, const void *data, size_t size)
{
    const uint32_t *words = data;

    for (size_t i = 0; i < size / sizeof *words; i++) {
        hash = hash_add(hash, words[i]);
    }
    return hash;
}

static uint32_t
hash_key(const struct nwf_flow *flow)
{
    const struct nwf_form *form = flow->form;
    size_t size = match_size(form);
    uint32_t hash = hash_int(flow->priority, flow->table);

    hash = add_words(hash, &form->mask->masks.map, sizeof form->mask->masks.map);
    hash = add_words(hash, flow->values, size);
    hash = add_words(hash, form->mask, sizeof *form->mask + size);
    return hash_finish(hash, 2 * (sizeof *form->mask + size));
}

/* A mask has no fields that are all zero, so that equal masks have equal bytes. */
static bool
same_key(const struct nwf_flow *a, const struct nwf_flow *b)
{
    const struct minimask *x = a->form->mask, *y = b->form->mask;
    size_t size = match_size(a->form);

    return a->table == b->table && a->priority == b->priority
           && (x == y
               || (flowmap_equal(x->masks.map, y->masks.map) && !memcmp(x, y, sizeof *x + size)))
           && !memcmp(a->values, b->values, size);
}

static struct nwf_flow *
find_hashed(const struct nwf_flow_set *set, const struct nwf_flow *key, uint32_t hash)
{
    struct nwf_flow *flow;

    HMAP_FOR_EACH_WITH_HASH (flow, node, hash, &set->flows) {
        if (same_key(flow, key)) {
            return flow;
        }
    }
    return NULL;
}

void
nwf_flow_free(struct nwf_flow *flow)
{
    nwf_form_release(flow->form);
    free(flow);
}

void
nwf_flow_set_init(struct nwf_flow_set *set)
{
    hmap_init(&set->flows);
    set->forms = NULL;
}

void
nwf_flow_set_finish(struct nwf_flow_set *set)
{
    struct nwf_flow *flow;

    HMAP_FOR_EACH_POP (flow, node, &set->flows) {
        nwf_flow_free(flow);
    }
    hmap_destroy(&set->flows);
}

void
nwf_flow_set_clear(struct nwf_flow_set *set)
{
    nwf_flow_set_finish(set);
    hmap_init(&set->flows);
}

/* Fields of a frame have "packet_type is Ethernet" for a prerequisite, which Open
 * vSwitch adds to what it reads; keys compare only if it is there in all. */
static bool
is_about_ethernet(const struct match *match)
{
    const struct flow *masks = &match->wc.masks;

    return !masks->packet_type
           && (masks->dl_type || masks->vlans[0].tci || !eth_addr_is_zero(masks->dl_src)
               || !eth_addr_is_zero(masks->dl_dst));
}

/* The values that the flow's actions set. */
static uint8_t *
action_values(const struct nwf_flow *flow)
{
    return (uint8_t *) flow->values + match_size(flow->form);
}

/* A flow with nothing but what it matches, and its form, which is in no pool. */
static struct nwf_flow *
new_flow(const struct match *match, struct nwf_form *form)
{
    struct nwf_flow *flow = nwf_zalloc(sizeof *flow + match_size(form) + form->n_values);
    struct nwf_match_buffer buffer;
    struct miniflow *values = (struct miniflow *) buffer.words;

    flow->form = form;
    values->map = form->mask->masks.map;
    miniflow_init(values, &match->flow);
    memcpy(flow->values, miniflow_get_values(values), match_size(form));
    nwf_form_take_values(form, action_values(flow));
    return flow;
}

struct nwf_flow *
nwf_flow_new(uint8_t table, uint16_t priority, uint64_t cookie, const struct match *match,
             const struct ofpact *ofpacts, size_t ofpacts_len)
{
    struct match normalized;

    if (is_about_ethernet(match)) {
        normalized = *match;
        match_set_default_packet_type(&normalized);
        match = &normalized;
    }
    struct nwf_flow *flow = new_flow(match, nwf_form_new(match, ofpacts, ofpacts_len));
    flow->table = table;
    flow->priority = priority;
    flow->cookie = cookie;
    return flow;
}

/* Puts a flow, which is taken, into the set. */
static void
insert(struct nwf_flow_set *set, struct nwf_flow *flow, uint32_t hash)
{
    if (set->forms) {
        flow->form = nwf_forms_share(set->forms, flow->form);
    }
    hmap_insert(&set->flows, &flow->node, hash);
}

struct nwf_flow *
nwf_flow_set_add(struct nwf_flow_set *set, uint8_t table, uint16_t priority, uint64_t cookie,
                 const struct match *match, const struct ofpbuf *actions)
{
    struct nwf_flow *flow =
        nwf_flow_new(table, priority, cookie, match, actions ? actions->data : NULL,
                     actions ? actions->size : 0);
    uint32_t hash = hash_key(flow);
    struct nwf_flow *old = find_hashed(set, flow, hash);

    if (old) {
        nwf_flow_free(flow);
        return old;
    }
    insert(set, flow, hash);
    return flow;
}

void
nwf_flow_set_insert(struct nwf_flow_set *set, struct nwf_flow *flow)
{
    insert(set, flow, hash_key(flow));
}

void
nwf_flow_set_detach(struct nwf_flow_set *set, struct nwf_flow *flow)
{
    hmap_remove(&set->flows, &flow->node);
}

void
nwf_flow_set_move(struct nwf_flow_set *to, struct nwf_flow_set *from)
{
    struct nwf_flow *flow;

    HMAP_FOR_EACH_POP (flow, node, &from->flows) {
        if (find_hashed(to, flow, flow->node.hash)) {
            nwf_flow_free(flow);
        } else {
            insert(to, flow, flow->node.hash);
        }
    }
}

void
nwf_flow_set_remove(struct nwf_flow_set *set, struct nwf_flow *flow)
{
    hmap_remove(&set->flows, &flow->node);
    nwf_flow_free(flow);
}

const struct nwf_flow *
nwf_flow_set_find(const struct nwf_flow_set *set, const struct nwf_flow *key)
{
    return find_hashed(set, key, hash_key(key));
}

size_t
nwf_flow_set_count(const struct nwf_flow_set *set)
{
    return hmap_count(&set->flows);
}

int
nwf_flow_compare(const void *a_, const void *b_)
{
    const struct nwf_flow *a = *(const struct nwf_flow *const *) a_;
    const struct nwf_flow *b = *(const struct nwf_flow *const *) b_;

    if (a->table != b->table) {
        return a->table < b->table ? -1 : 1;
    }
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    if (a->cookie != b->cookie) {
        return a->cookie < b->cookie ? -1 : 1;
    }
    uint32_t hash_a = a->node.hash, hash_b = b->node.hash;
    return hash_a < hash_b ? -1 : hash_a > hash_b;
}

const struct nwf_flow **
nwf_flow_set_sort(const struct nwf_flow_set *set)
{
    size_t n = 0;
    const struct nwf_flow **sorted = nwf_zalloc(hmap_count(&set->flows) * sizeof *sorted);
    const struct nwf_flow *flow;

    HMAP_FOR_EACH (flow, node, &set->flows) {
        sorted[n++] = flow;
    }
    qsort(sorted, n, sizeof *sorted, nwf_flow_compare);
    return sorted;
}

static bool alike(const struct ofpact *list_a, const struct ofpact *list_b, size_t len);

/* The bytes behind value and mask mean nothing, and are not always zero. */
static bool
alike_set_field(const struct ofpact_set_field *a, const struct ofpact_set_field *b)
{
    return a->field == b->field && !memcmp(a->value, b->value, a->field->n_bytes)
           && !memcmp(ofpact_set_field_mask(a), ofpact_set_field_mask(b), a->field->n_bytes);
}

/* What ct() does to the connection is a list of its own. */
static bool
alike_ct(const struct ofpact_conntrack *a, const struct ofpact_conntrack *b)
{
    return !memcmp(&a->ofpact + 1, &b->ofpact + 1,
                   offsetof(struct ofpact_conntrack, actions) - sizeof a->ofpact)
           && alike(a->actions, b->actions, ofpact_ct_get_action_len(a));
}

static bool
alike_action(const struct ofpact *a, const struct ofpact *b)
{
    if (a->type != b->type || a->len != b->len) {
        return false;
    }
    switch ((int) a->type) {
    case OFPACT_SET_FIELD:
        return alike_set_field(ofpact_get_SET_FIELD(a), ofpact_get_SET_FIELD(b));
    case OFPACT_CT:
        return alike_ct(ofpact_get_CT(a), ofpact_get_CT(b));
    default:
        return !memcmp(a + 1, b + 1, a->len - sizeof *a);
    }
}

/* Whether two lists of one length are the same but for the code each action came with, which a
 * decoded one has and one made here has not.  (OpenFlow 1.3 and 1.4 carry a bit that is set as
 * "load", which prints otherwise.)  "False" is not final. */
static bool
alike(const struct ofpact *list_a, const struct ofpact *list_b, size_t len)
{
    const struct ofpact *a, *b = list_b;

    OFPACT_FOR_EACH (a, list_a, len) {
        if (!alike_action(a, b)) {
            return false;
        }
        b = ofpact_next(b);
    }
    return true;
}

struct ofpact *
nwf_flow_ofpacts(const struct nwf_flow *flow, struct ofpbuf *buffer)
{
    const struct nwf_form *form = flow->form;

    if (form->ofpacts) {
        return form->ofpacts;
    }
    ofpbuf_clear(buffer);
    struct ofpact *ofpacts = ofpbuf_put_uninit(buffer, form->ofpacts_len);
    nwf_form_fill(form, action_values(flow), ofpacts);
    return ofpacts;
}

/* The same actions, whatever their encoding. */
static bool
same_actions(const struct nwf_flow *a, const struct nwf_flow *b)
{
    uint64_t stub_a[ACTIONS_USUAL / 8], stub_b[ACTIONS_USUAL / 8];
    struct ofpbuf buffer_a CLEANUP(ofpbuf_uninit) = OFPBUF_STUB_INITIALIZER(stub_a);
    struct ofpbuf buffer_b CLEANUP(ofpbuf_uninit) = OFPBUF_STUB_INITIALIZER(stub_b);
    const struct ofpact *x = nwf_flow_ofpacts(a, &buffer_a), *y = nwf_flow_ofpacts(b, &buffer_b);
    size_t n = a->form->ofpacts_len, m = b->form->ofpacts_len;

    return (n == m && alike(x, y, n)) || ofpacts_equal_stringwise(x, n, y, m);
}

bool
nwf_flow_data_equal(const struct nwf_flow *a, const struct nwf_flow *b)
{
    return a->cookie == b->cookie
           && ((a->form == b->form
                && !memcmp(action_values(a), action_values(b), a->form->n_values))
               || same_actions(a, b));
}

void
nwf_flow_format(const struct nwf_flow *flow, struct ds *s)
{
    struct ofpact_format_params params = {.s = s};
    const struct minimatch match = nwf_flow_match(flow);
    struct ofpbuf buffer CLEANUP(ofpbuf_uninit) = {.data = NULL};

    ds_put_format(s, "cookie=0x%llx,table=%u,", (unsigned long long) flow->cookie, flow->table);
    size_t start = s->length;
    minimatch_format(&match, NULL, NULL, s, flow->priority);
    /* minimatch_format() leaves out the default priority. */
    if (!strstr(ds_cstr(s) + start, "priority=")) {
        ds_put_format(s, "%spriority=%u", s->length > start ? "," : "", flow->priority);
    }
    ds_put_cstr(s, " actions=");
    ofpacts_format(nwf_flow_ofpacts(flow, &buffer), flow->form->ofpacts_len, &params);
}

static int
parse_line(struct nwf_flow_set *set, const char *line, uint64_t cookie, char **ret_cause)
{
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    struct match match;
    char *cause = parse_ofp_flow_mod_str(&fm, line, NULL, NULL, OFPFC_ADD, &usable);

    if (cause) {
        *ret_cause = cause;
        return -EINVAL;
    }
    minimatch_expand(&fm.match, &match);
    /* The parser masks bits that the field has not, and a switch's answer does not. */
    match.wc.masks.nw_frag &= FLOW_NW_FRAG_MASK;
    const struct ofpbuf actions = ofpbuf_const_initializer(fm.ofpacts, (uint32_t) fm.ofpacts_len);
    nwf_flow_set_add(set, fm.table_id, (uint16_t) fm.priority, cookie, &match, &actions);
    minimatch_destroy(&fm.match);
    free(fm.ofpacts);
    return 0;
}

int
nwf_flow_set_parse(struct nwf_flow_set *set, const char *name, const char *text, uint64_t cookie,
                   struct nwf_error *err)
{
    unsigned int number = 0;

    while (*text) {
        size_t len = strcspn(text, "\n");
        char *line CLEANUP_FREE = nwf_strndup(text, len);
        char *cause CLEANUP_FREE = NULL;

        number++;
        text += len + (text[len] == '\n');
        line[strcspn(line, "#")] = '\0';
        if (line[strspn(line, " \t\r")] && parse_line(set, line, cookie, &cause)) {
            return nwf_error_set(err, -EINVAL, "%s:%u: %s", name, number, cause);
        }
    }
    return 0;
}

static void
change(struct nwf_changes *changes, enum nwf_change_kind kind, const struct nwf_flow *flow)
{
    nwf_vec_push(changes, (struct nwf_change){kind, flow});
}

void
nwf_flow_diff(const struct nwf_flow_set *installed, const struct nwf_flow_set *desired,
              struct nwf_changes *ret_changes)
{
    const struct nwf_flow *flow;

    memset(ret_changes, 0, sizeof *ret_changes);
    HMAP_FOR_EACH (flow, node, &installed->flows) {
        if (!find_hashed(desired, flow, flow->node.hash)) {
            change(ret_changes, NWF_CHANGE_DELETE, flow);
        }
    }
    HMAP_FOR_EACH (flow, node, &desired->flows) {
        const struct nwf_flow *old = find_hashed(installed, flow, flow->node.hash);
        if (!old) {
            change(ret_changes, NWF_CHANGE_ADD, flow);
        } else if (!nwf_flow_data_equal(old, flow)) {
            change(ret_changes, NWF_CHANGE_REPLACE, flow);
        }
    }
}
