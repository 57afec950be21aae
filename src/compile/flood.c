/* SPDX-License-Identifier: Apache-2.0
 *
 * Flooding with a filter behind every copy.
 *
 * A copy for a guest runs through the guest's own stages (a resubmit).  One
 * packet's translation allows 4,096 tables in all, and a frame that needs one more is
 * lost for everybody.  So guests whose filters accept every frame of a kind get theirs by
 * a plain output, and the odd ones are visited as far as the budget goes, in the order of
 * their numbers: who has room does not lose it to a guest that comes later.  Guests that
 * drop the kind are visited with what is left: their counters tell who was spared what.  So are
 * isolated guests where the frame is another's, by lists that only such frames take.
 *
 * Nesting is no matter (64 levels): all resubmits but that of a bond, that behind the operator's
 * own flows, and that for a guest which was not heard, lead to later tables.
 *
 * Trusted ports are listed one by one, never reached by OFPP_FLOOD or NORMAL: a port
 * that appears before anybody looked at it is in no list.  Where NORMAL is needed
 * (bonds), NWF_TABLE_NORMAL does it, and the switch layer keeps guests out of its
 * floods. */
#include <config.h>

#include "flood.h"

#include <arpa/inet.h>

#include "actions.h"
#include "match.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "tag.h"
#include "uplink.h"

/* Tables that visits of one flooded packet may go through: of 4,096 (ofproto/
 * ofproto-dpif-xlate.c, MAX_RESUBMITS) those that the sender's filter needs, and some for
 * the pipeline, with an operator's own tables, and the parts of the list. */
#define TABLES_MAX (4096 - NWF_MAX_STAGES - 107)

/* Bytes of datapath actions that a packet's translation may have so that it still visits
 * somebody: less than 64 kB.  A trusted port's copy may come with a tag, and by a bond; a
 * visit that tracks needs a ct and a recirculation. */
#define DATAPATH_MAX 64000
#define DATAPATH_TRUSTED 40
#define DATAPATH_OUTPUT 8
#define DATAPATH_VISIT 24

/* Bytes of actions in one flow: a message ends at 64 kB, and encoding adds to it. */
#define LIST_MAX 24000

/* Beside VLANs: all that have no lists of their own, and frames with a priority tag, which
 * are in VLAN 0, and are none without a tag to filters. */
#define ANY_VLAN NWF_N_VLANS
#define PRIORITY_TAGGED (NWF_N_VLANS + 1)

enum kind { KIND_ARP, KIND_IP, KIND_IPV6, KIND_RARP, KIND_OTHER };

static const uint16_t kind_types[] = {
    [KIND_ARP] = 0x0806,
    [KIND_IP] = 0x0800,
    [KIND_IPV6] = 0x86dd,
    [KIND_RARP] = 0x8035,
};
#define N_KIND_TYPES (sizeof kind_types / sizeof kind_types[0])

_Static_assert(KIND_OTHER + 1 == NWF_N_FRAME_KINDS, "kinds of frames");

const char *
nwf_frame_kind_to_string(unsigned int kind)
{
    static const char *const names[NWF_N_FRAME_KINDS] = {
        [KIND_ARP] = "ARP",   [KIND_IP] = "IPv4",     [KIND_IPV6] = "IPv6",
        [KIND_RARP] = "RARP", [KIND_OTHER] = "other",
    };
    return names[kind];
}

/* ---- What a guest's filter says beforehand. ---- */

static bool
is_of_known_kind(const struct match *match)
{
    for (size_t i = 0; i < N_KIND_TYPES; i++) {
        if (match->wc.masks.dl_type == OVS_BE16_MAX
            && match->flow.dl_type == htons(kind_types[i])) {
            return true;
        }
    }
    return false;
}

/* The stages without rows that no frame of another kind can meet. */
static void
without_known_kinds(const struct nwf_stages *stages, struct nwf_stages *ret)
{
    memset(ret, 0, sizeof *ret);
    nwf_vec_foreach (stage, &stages->list) {
        struct nwf_stage copy = {.rows.data = NULL};
        nwf_vec_foreach (row, &stage->rows) {
            if (!is_of_known_kind(&row->match)) {
                nwf_vec_push(&copy.rows, *row);
            }
        }
        nwf_vec_push(&ret->list, copy);
    }
}

static void
judge(const struct nwf_stages *stages, enum kind kind, bool tagged, struct nwf_flood_verdicts *ret)
{
    enum nwf_verdict verdict;
    struct match frames;

    match_init_catchall(&frames);
    match_set_dl_tci_masked(&frames, htons(tagged ? 0x1000 : 0), htons(tagged ? 0x1000 : 0x1fff));
    if (kind != KIND_OTHER) {
        match_set_dl_type(&frames, htons(kind_types[kind]));
    }
    ret->of[tagged][kind] = !nwf_stages_uniform(stages, &frames, &verdict) ? NWF_U_MIXED
                            : verdict == NWF_V_ACCEPT                      ? NWF_U_ACCEPT
                                                                           : NWF_U_DROP;
    uint8_t cost = nwf_stages_cost(stages, &frames);
    if (cost > ret->cost[kind]) {
        ret->cost[kind] = cost;
    }
}

void
nwf_flood_judge(const struct nwf_stages *to_vm, struct nwf_flood_verdicts *ret)
{
    struct nwf_stages others;

    memset(ret, 0, sizeof *ret);
    without_known_kinds(to_vm, &others);
    for (int tagged = 0; tagged < 2; tagged++) {
        for (int kind = 0; kind < NWF_N_FRAME_KINDS; kind++) {
            judge(kind == KIND_OTHER ? &others : to_vm, (enum kind) kind, tagged, ret);
        }
    }
    nwf_stages_clear(&others);
}

bool
nwf_flood_accepts_all(const struct nwf_flood_verdicts *verdicts)
{
    for (int kind = 0; kind < NWF_N_FRAME_KINDS; kind++) {
        if (verdicts->of[0][kind] != NWF_U_ACCEPT || verdicts->of[1][kind] != NWF_U_ACCEPT) {
            return false;
        }
    }
    return true;
}

/* ---- Lists of receivers. ---- */

/* Whom the frames are for, besides trusted ports. */
enum audience {
    AUDIENCE_ALL,     /* Guests. */
    AUDIENCE_OWNER,   /* The guest whose own address it is, and which was not heard. */
    AUDIENCE_TRUSTED, /* Nobody: see NWF_NOWHERE. */
    N_AUDIENCES,
};

/* How receivers get a VLAN's frames: as trunks do, without the VLAN's tag, or without any. */
enum form { FORM_TRUNK, FORM_NATIVE, FORM_ACCESS, N_FORMS };

struct flood {
    struct nwf_bridge *bridge;
    struct nwf_flow_set *flows;
    uint16_t vid; /* Or ANY_VLAN, PRIORITY_TAGGED. */
    enum kind kind;
    enum audience audience;
    bool is_isolated; /* The frames are an isolated guest's. */
    bool *visited;    /* By a port's place on the bridge. */

    struct ofpbuf first; /* The flow in NWF_TABLE_FLOOD. */
    struct ofpbuf part;  /* The list being filled, of receivers of one form. */
    uint32_t n_parts;
    enum form form;
    size_t n_tables;   /* That visits go through. */
    size_t n_datapath; /* Bytes of datapath actions. */
};

/* Whether the flood takes frames that are in no VLAN: where flows route, these do not pass between
 * the uplink and the bridge's other ports (route.c). */
static bool
is_kept_off(const struct flood *f, const struct nwf_port *port)
{
    return port->is_uplink && (f->vid == 0 || f->vid == PRIORITY_TAGGED);
}

static bool
receives(const struct flood *f, const struct nwf_port *port)
{
    if (is_kept_off(f, port)) {
        return false;
    }
    return f->vid == ANY_VLAN ? nwf_vlan_has_all(&port->vlan)
                              : nwf_vlan_has(&port->vlan, f->vid == PRIORITY_TAGGED ? 0 : f->vid);
}

static enum form
form_of(const struct flood *f, const struct nwf_port *port)
{
    uint16_t vid = f->vid == PRIORITY_TAGGED ? 0 : f->vid;

    if (f->vid == ANY_VLAN || !nwf_vlan_is_untagged(&port->vlan, vid)) {
        return FORM_TRUNK;
    }
    return port->vlan.mode == NWF_VLAN_ACCESS ? FORM_ACCESS : FORM_NATIVE;
}

/* Whether a tag may come to light by what the port's copies lose: the VLAN's tag, or in VLAN 0 a
 * priority tag.  If Open vSwitch does not show it, the frame is of no known kind. */
static bool
may_show_tag(const struct flood *f, const struct nwf_port *port)
{
    return (form_of(f, port) != FORM_TRUNK || f->vid == 0)
           && (f->bridge->inner_tags || f->kind == KIND_OTHER);
}

/* What is said of the flood's kind of frames; those with priority tags are rare, and told apart
 * by the filters only. */
static uint8_t
said_of(const struct flood *f, const uint8_t verdicts[NWF_N_FRAME_KINDS])
{
    for (int kind = 0; f->vid == PRIORITY_TAGGED && kind < NWF_N_FRAME_KINDS; kind++) {
        if (verdicts[kind] != verdicts[f->kind]) {
            return NWF_U_MIXED;
        }
    }
    return verdicts[f->kind];
}

/* What the filter says beforehand of frames that this port gets. */
static uint8_t
verdict_of(const struct flood *f, const struct nwf_port *port)
{
    uint8_t plain = said_of(f, port->flood.of[0]), tagged = said_of(f, port->flood.of[1]);

    if (f->is_isolated && port->is_isolated) {
        return NWF_U_DROP; /* By the first table. */
    }
    if (form_of(f, port) == FORM_TRUNK && f->vid != 0) {
        return tagged;
    }
    if (!may_show_tag(f, port) || nwf_flood_accepts_all(&port->flood)) {
        return plain;
    }
    return plain == NWF_U_DROP && tagged == NWF_U_DROP ? NWF_U_DROP : NWF_U_MIXED;
}

/* The most tables that a visit goes through.  Where a frame may be of another kind to the filter
 * than it is here, that of any kind counts.  One whose tag does not show gets no further than the
 * first table. */
static uint8_t
cost_of(const struct flood *f, const struct nwf_port *port)
{
    bool any = f->vid == PRIORITY_TAGGED || (f->bridge->inner_tags && may_show_tag(f, port));
    uint8_t cost = port->flood.cost[f->kind];

    if (f->is_isolated && port->is_isolated) {
        return 1;
    }
    for (int kind = 0; any && kind < NWF_N_FRAME_KINDS; kind++) {
        cost = port->flood.cost[kind] > cost ? port->flood.cost[kind] : cost;
    }
    return cost;
}

/* Lists are told apart by four bits for the kind of frames. */
#define ISOLATED_LISTS 8
_Static_assert(NWF_N_FRAME_KINDS - 1 + N_AUDIENCES <= ISOLATED_LISTS, "kinds of lists");

static uint32_t
part_id(const struct flood *f)
{
    uint32_t kind = f->audience == AUDIENCE_ALL ? (uint32_t) f->kind
                                                : NWF_N_FRAME_KINDS - 1 + (uint32_t) f->audience;

    kind |= f->is_isolated ? ISOLATED_LISTS : 0;
    return NWF_RECEIVER_LIST | (f->form == FORM_ACCESS ? NWF_RECEIVER_ACCESS : 0)
           | (uint32_t) f->vid << 16 | kind << 12 | (f->n_parts & 0xfff);
}

/* Moves the part into a flow of its own that the first flow visits. */
static void
flush_part(struct flood *f)
{
    struct match match;

    if (!f->part.size) {
        return;
    }
    match_init_catchall(&match);
    match_set_reg_masked(&match, 3, part_id(f), ~NWF_RECEIVER_ACCESS);
    nwf_flow_set_add(f->flows, NWF_TABLE_RECEIVERS, 100, nwf_cookie(NWF_COOKIE_FLOOD, 0, 0), &match,
                     &f->part);
    nwf_put_load(&f->first, MFF_REG3, part_id(f));
    if (f->form == FORM_TRUNK) {
        nwf_put_resubmit(&f->first, NWF_TABLE_RECEIVERS);
    } else { /* What it takes off is there for the next part. */
        nwf_put_text(&f->first, "clone(resubmit(,%d))", NWF_TABLE_UNTAG);
    }
    ofpbuf_clear(&f->part);
    f->n_parts++;
}

static void
put_form(struct flood *f, enum form form)
{
    if (f->part.size > LIST_MAX || f->form != form) {
        flush_part(f);
    }
    if (!f->part.size && form == FORM_TRUNK) {
        nwf_put_restore_tag(&f->part);
    }
    f->form = form;
}

static void
put_visit(struct flood *f, const struct nwf_port *port)
{
    put_form(f, form_of(f, port));
    nwf_put_load(&f->part, MFF_REG0, port->ofport);
    nwf_put_resubmit(&f->part, NWF_TABLE_TO_VM);
}

/* Puts receivers that get frames in one form: outputs first. */
static void
put_outputs(struct flood *f, enum form form)
{
    nwf_vec_foreach (port, &f->bridge->ports) {
        bool output = port->role == NWF_TRUSTED
                          ? !f->bridge->use_normal && nwf_is_flooded(port)
                          : port->role == NWF_GUEST && f->audience == AUDIENCE_ALL
                                && verdict_of(f, port) == NWF_U_ACCEPT;
        if (output && receives(f, port) && form_of(f, port) == form) {
            put_form(f, form);
            if (port->leader) {
                f->n_tables += NWF_GUARD_TABLES;
            }
            nwf_put_trusted_output(port, &f->part);
            f->n_datapath += DATAPATH_OUTPUT;
        }
        if (port->role == NWF_TRUSTED && form == FORM_TRUNK) {
            f->n_datapath += DATAPATH_TRUSTED;
        }
    }
}

/* Whether there is room for one more visit, which it takes.  What a packet does on another
 * bridge counts as well. */
static bool
take_room(struct flood *f, size_t n_tables)
{
    size_t most = f->bridge->has_patch ? TABLES_MAX / 2 : TABLES_MAX;

    if (f->n_tables + n_tables > most || f->n_datapath + DATAPATH_VISIT > DATAPATH_MAX) {
        return false;
    }
    f->n_tables += n_tables;
    f->n_datapath += DATAPATH_VISIT;
    return true;
}

/* Chooses whom to visit of the guests whose filters say 'said' of the frames. */
static void
choose_visits(struct flood *f, enum nwf_uniform said)
{
    nwf_vec_foreach (port, &f->bridge->ports) {
        bool audited = port->role == NWF_QUARANTINED && f->bridge->audit;
        uint8_t verdict = audited ? NWF_U_MIXED : verdict_of(f, port);

        if ((port->role != NWF_GUEST && !audited) || verdict != said || !receives(f, port)) {
            continue;
        }
        if (take_room(f, audited ? 1 : cost_of(f, port))) {
            f->visited[port - f->bridge->ports.data] = true;
        } else if (said == NWF_U_MIXED || f->bridge->audit) {
            port->unreached |= (uint8_t) (1u << f->kind);
        }
    }
}

static void
put_visits(struct flood *f, enum form form)
{
    for (size_t i = 0; i < f->bridge->ports.n; i++) {
        const struct nwf_port *port = &f->bridge->ports.data[i];
        if (f->visited[i] && form_of(f, port) == form) {
            put_visit(f, port);
        }
    }
}

static void
match_flood(const struct flood *f, struct match *match)
{
    match_init_catchall(match);
    if (f->audience == AUDIENCE_OWNER) {
        match_set_reg_masked(match, NWF_REG_OWNER, NWF_OWNED, NWF_OWNED);
    } else if (f->audience == AUDIENCE_TRUSTED) {
        match_set_reg_masked(match, NWF_REG_OWNER, NWF_NOWHERE, NWF_NOWHERE);
    }
    if (f->is_isolated) {
        match_set_reg_masked(match, NWF_REG_MEMBER, NWF_ISOLATED, NWF_ISOLATED);
    }
    if (f->vid == 0) {
        match_set_reg_masked(match, 1, 0, 0xffff);
    } else if (f->vid == PRIORITY_TAGGED) {
        match_set_reg_masked(match, 1, 0x1000, 0x1fff);
    } else if (f->vid != ANY_VLAN) {
        match_set_reg_masked(match, 1, 0x1000u | f->vid, 0x1fff);
    }
    if (f->kind != KIND_OTHER) {
        match_set_dl_type(match, htons(kind_types[f->kind]));
    }
}

static uint16_t
priority_of(const struct flood *f)
{
    static const uint16_t audiences[N_AUDIENCES] = {
        [AUDIENCE_ALL] = 0, [AUDIENCE_OWNER] = 20, [AUDIENCE_TRUSTED] = 15};

    return (uint16_t) ((f->vid == ANY_VLAN ? 100 : 200) + audiences[f->audience]
                       + (f->kind == KIND_OTHER ? 0 : 10) + f->is_isolated);
}

/* Who gets the frames: trusted ports, by NORMAL where that forwards, and guests. */
static void
put_receivers(struct flood *f)
{
    bool *visited CLEANUP_FREE = nwf_zalloc(f->bridge->ports.n + 1);

    if (f->bridge->use_normal) {
        nwf_put_text(&f->first, "clone(resubmit(,%d))", NWF_TABLE_NORMAL);
    }
    for (int form = N_FORMS - 1; form >= 0; form--) {
        put_outputs(f, (enum form) form);
    }
    f->visited = visited;
    if (f->audience == AUDIENCE_ALL) {
        choose_visits(f, NWF_U_MIXED);
        choose_visits(f, NWF_U_DROP);
    }
    for (int form = 0; form < N_FORMS; form++) { /* The last goes on: one list less. */
        put_visits(f, (enum form) form);
    }
    f->visited = NULL;
}

static void
add_flood(struct flood *f)
{
    struct match match;

    ofpbuf_init(&f->first, 256);
    ofpbuf_init(&f->part, 1024);
    if (f->audience == AUDIENCE_OWNER) { /* Its guest, which is the only one. */
        nwf_put_text(&f->first,
                     "clone(move:NXM_NX_REG%d[0..15]->NXM_NX_REG%d[0..15],set_field:0->reg%d,"
                     "resubmit(,%d))",
                     NWF_REG_OWNER, NWF_REG_KNOWN, NWF_REG_OWNER, NWF_TABLE_KNOWN);
    }
    put_receivers(f);
    if (f->n_parts || f->form != FORM_TRUNK) {
        flush_part(f);
    } else {
        ofpbuf_put(&f->first, f->part.data, f->part.size);
    }
    match_flood(f, &match);
    nwf_flow_set_add(f->flows, NWF_TABLE_FLOOD, priority_of(f), nwf_cookie(NWF_COOKIE_FLOOD, 0, 0),
                     &match, &f->first);
    ofpbuf_uninit(&f->first);
    ofpbuf_uninit(&f->part);
}

/* Frames of one kind in one VLAN.  For VLAN 0 that is untagged frames. */
static void
add_kind(struct nwf_bridge *bridge, uint16_t vid, enum kind kind, bool is_isolated,
         struct nwf_flow_set *flows)
{
    struct flood f = {
        .bridge = bridge, .flows = flows, .vid = vid, .kind = kind, .is_isolated = is_isolated};

    add_flood(&f);
}

/* Frames in one VLAN for an address that was seen nowhere, and that not every guest may have.  That
 * of a guest that was not heard may be behind any trusted port, or the guest is silent. */
static void
add_for(struct nwf_bridge *bridge, uint16_t vid, enum audience audience, struct nwf_flow_set *flows)
{
    struct flood f = {
        .bridge = bridge, .flows = flows, .vid = vid, .kind = KIND_OTHER, .audience = audience};

    add_flood(&f);
}

/* ---- The VLANs that need flows of their own. ---- */

void
nwf_bridge_note_vlans(const struct nwf_bridge *bridge, bool vids[NWF_N_VLANS])
{
    memset(vids, 0, NWF_N_VLANS * sizeof vids[0]);
    vids[0] = true;
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->vlan.mode != NWF_VLAN_TRUNK) {
            vids[port->vlan.tag] = true;
        }
        for (uint16_t vid = 0; port->vlan.limited && vid < NWF_N_VLANS; vid++) {
            vids[vid] |= nwf_vlan_has(&port->vlan, vid);
        }
    }
}

static bool
has_guests(const struct nwf_bridge *bridge, uint16_t vid, bool isolated_only)
{
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->role == NWF_GUEST && (port->is_isolated || !isolated_only)
            && receives(&(struct flood){.vid = vid}, port)) {
            return true;
        }
    }
    return false;
}

/* Whether guests are spared frames for addresses that nobody knows.  Audit mode withholds nothing,
 * and there guests have addresses that their filters would not let them have. */
static bool
spares_guests(const struct nwf_bridge *bridge)
{
    bool any = false;

    if (bridge->audit || bridge->unknown == NWF_UNKNOWN_FLOOD) {
        return false;
    }
    nwf_vec_foreach (port, &bridge->ports) {
        if (port->role == NWF_GUEST && port->has_floats && bridge->unknown == NWF_UNKNOWN_AUTO) {
            return false;
        }
        any |= port->role == NWF_GUEST;
    }
    return any;
}

/* Marks frames for an address that nobody knows, on their way to the floods.  Those of VLANs where
 * nothing is learned do not come that way. */
static void
add_nowhere(struct nwf_flow_set *flows)
{
    NWF_ACTIONS(actions);
    struct match match;

    match_init_catchall(&match);
    nwf_put_text(&actions, "set_field:0x%x/0x%x->reg%d", NWF_NOWHERE, NWF_NOWHERE, NWF_REG_OWNER);
    nwf_put_goto(&actions, NWF_TABLE_FLOOD);
    nwf_flow_set_add(flows, NWF_TABLE_KNOWN, NWF_PRIORITY_NOWHERE,
                     nwf_cookie(NWF_COOKIE_FLOOD, 0, NWF_COOKIE_NO_RULE), &match, &actions);
}

/* All lists of one VLAN. */
static void
add_vlan(struct nwf_bridge *bridge, uint16_t vid, bool spares, struct nwf_flow_set *flows)
{
    bool any = has_guests(bridge, vid, false), isolated = has_guests(bridge, vid, true);
    int first = any && vid != PRIORITY_TAGGED ? 0 : KIND_OTHER;

    for (int kind = first; kind < NWF_N_FRAME_KINDS; kind++) {
        add_kind(bridge, vid, (enum kind) kind, false, flows);
        if (isolated) {
            add_kind(bridge, vid, (enum kind) kind, true, flows);
        }
    }
    add_for(bridge, vid, AUDIENCE_OWNER, flows); /* Who may send there without being a member. */
    if (any && spares) {
        add_for(bridge, vid, AUDIENCE_TRUSTED, flows);
    }
}

void
nwf_compile_floods(struct nwf_bridge *bridge, struct nwf_flow_set *flows)
{
    bool vids[NWF_N_VLANS], spares = spares_guests(bridge);

    nwf_bridge_note_vlans(bridge, vids);
    if (spares) {
        add_nowhere(flows);
    }
    for (uint16_t vid = 0; vid <= PRIORITY_TAGGED; vid++) {
        if (vid >= NWF_N_VLANS || vids[vid]) {
            add_vlan(bridge, vid, spares, flows);
        }
    }
}
