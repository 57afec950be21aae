/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows and sets of flows, on libopenvswitch's own match and actions.
 *
 * A flow is key + data: table, priority and match are the key, cookie and actions
 * the data.  Two sets are compared by key. */
#ifndef NWF_FLOW_H
#define NWF_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"

#include "nwf/cleanup.h"
#include "nwf/error.h"
#include "nwf/form.h"

struct ds;
struct ofpbuf;

struct nwf_flow {
    struct hmap_node node; /* In nwf_flow_set's 'flows'. */
    struct ovs_list owned; /* Of an image: on the list of 'owner', see nwf/image.h. */
    uint64_t cookie;       /* Host byte order. */
    struct nwf_form *form; /* One of its users is this flow. */
    uint32_t owner;
    uint16_t priority;
    uint8_t table;
    /* Of the fields of the form's mask, as a miniflow has them; and behind them those that actions
     * set. */
    uint64_t values[];
};

struct nwf_flow_set {
    struct hmap flows;
    struct nwf_forms *forms; /* That its flows share; the caller's.  NULL: each has its own. */
};

/* A flow in no set; match and actions are copied. */
struct nwf_flow *nwf_flow_new(uint8_t table, uint16_t priority, uint64_t cookie,
                              const struct match *match, const struct ofpact *ofpacts,
                              size_t ofpacts_len);
void nwf_flow_free(struct nwf_flow *flow);

/* What it matches, for the rest of the block; the mask stays the flow's. */
struct nwf_match_buffer {
    uint64_t words[FLOW_U64S + 2]; /* A miniflow of any size. */
};
struct minimatch nwf_flow_match_in(const struct nwf_flow *flow, struct nwf_match_buffer *buffer);
#define nwf_flow_match(flow) nwf_flow_match_in(flow, &(struct nwf_match_buffer){.words = {0}})

void nwf_flow_expand_match(const struct nwf_flow *flow, struct match *ret);

/* What it does, form->ofpacts_len bytes: the flow's own, or, where its form is shared, a copy that
 * the caller's buffer has as its only contents then.  Nobody may change them. */
struct ofpact *nwf_flow_ofpacts(const struct nwf_flow *flow, struct ofpbuf *buffer);

/* A set whose flows share no forms with each other. */
void nwf_flow_set_init(struct nwf_flow_set *set);
void nwf_flow_set_finish(struct nwf_flow_set *set);

/* Removes all flows; what they shared is shared by those that come. */
void nwf_flow_set_clear(struct nwf_flow_set *set);

/* Adds a flow; match and actions (ofpacts; NULL: it drops) are copied.  Of two flows with one key
 * the first stays.  Returns the flow that is in the set then. */
struct nwf_flow *nwf_flow_set_add(struct nwf_flow_set *set, uint8_t table, uint16_t priority,
                                  uint64_t cookie, const struct match *match,
                                  const struct ofpbuf *actions);

/* Moves the flows of 'from' to 'to'.  Of two flows with one key that of 'to' stays. */
void nwf_flow_set_move(struct nwf_flow_set *to, struct nwf_flow_set *from);

/* Adds a flow, which is taken, and whose key the set has not; takes one out, which is the
 * caller's then. */
void nwf_flow_set_insert(struct nwf_flow_set *set, struct nwf_flow *flow);
void nwf_flow_set_detach(struct nwf_flow_set *set, struct nwf_flow *flow);

/* Removes and frees a flow of the set. */
void nwf_flow_set_remove(struct nwf_flow_set *set, struct nwf_flow *flow);

const struct nwf_flow *nwf_flow_set_find(const struct nwf_flow_set *set,
                                         const struct nwf_flow *key);
size_t nwf_flow_set_count(const struct nwf_flow_set *set);

/* For qsort() of pointers to flows: the order of nwf_flow_set_sort(). */
int nwf_flow_compare(const void *a, const void *b);

/* Flows in an order for people: table, priority downwards, cookie.  A new array of
 * nwf_flow_set_count() pointers into the set. */
const struct nwf_flow **nwf_flow_set_sort(const struct nwf_flow_set *set);

/* Whether the actions and the cookie are the same; actions as Open vSwitch
 * compares them, since a switch may return an equal encoding. */
bool nwf_flow_data_equal(const struct nwf_flow *a, const struct nwf_flow *b);

/* Appends the flow in ovs-ofctl(8)'s syntax, without a newline. */
void nwf_flow_format(const struct nwf_flow *flow, struct ds *s);

/* Adds the flows of 'text' (ovs-ofctl's syntax, one a line, # comments) with
 * 'cookie'.  'name' stands for the text in errors. */
int nwf_flow_set_parse(struct nwf_flow_set *set, const char *name, const char *text,
                       uint64_t cookie, struct nwf_error *err);

/* One step from the installed set to the desired one. */
enum nwf_change_kind {
    NWF_CHANGE_DELETE,
    NWF_CHANGE_ADD,    /* The key is new. */
    NWF_CHANGE_REPLACE /* The key is there with other actions or another cookie. */
};

struct nwf_change {
    enum nwf_change_kind kind;
    const struct nwf_flow *flow; /* Of the desired set; of the installed one for DELETE. */
};

struct nwf_changes {
    struct nwf_change *data;
    size_t n, allocated;
};

/* What turns 'installed' into 'desired': deletions first.  Pointers into the sets. */
void nwf_flow_diff(const struct nwf_flow_set *installed, const struct nwf_flow_set *desired,
                   struct nwf_changes *ret_changes);

#endif
