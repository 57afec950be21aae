/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a filter, from its XML to flows, as "filter check" does it, and bound to
 * a port of a bridge.  References lead to the filter itself and to a few others. */
#include <config.h>

#include "../unit/sent.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/compile.h"
#include "nwf/flow.h"
#include "nwf/pipeline.h"
#include "nwf/store.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

#include "lib/flow.h"

/* Flows of one filter that are read back, out of text and out of OpenFlow's messages; that takes
 * longer than all the rest. */
#define N_READ_BACK 32
#define GUEST 7

static const char *const others[][2] = {
    {"leaf", "<filter name='leaf'><rule action='return' direction='inout'>"
             "<ip srcipaddr='$IP' match='no'/></rule></filter>"},
    {"chain", "<filter name='chain' chain='arp'><rule action='accept' direction='out'>"
              "<arp arpsrcipaddr='$IP[@1]' arpsrcmacaddr='$MAC[@2]'/></rule></filter>"},
    {"twice", "<filter name='twice'><filterref filter='leaf'/><filterref filter='chain'/>"
              "<filterref filter='leaf'><parameter name='IP' value='10.0.0.1'/></filterref>"
              "</filter>"},
    {"loop", "<filter name='loop'><filterref filter='loop'/></filter>"},
    {"broken", "<filter name='broken'><rule/></filter>"},
};

static int
read_other(void *aux, const char *name, char **ret_path, char **ret_data, size_t *ret_size,
           struct nwf_error *err)
{
    (void) aux;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (!strcmp(others[i][0], name)) {
            *ret_path = nwf_asprintf("%s.xml", name);
            *ret_data = nwf_strdup(others[i][1]);
            *ret_size = strlen(others[i][1]);
            return 0;
        }
    }
    return nwf_error_set(err, -ENOENT, "no such filter");
}

/* Every flow of the guest's filter is tied to its port, in a table of its direction. */
static void
check_own(const struct nwf_flow *flow)
{
    enum nwf_cookie_kind kind = nwf_cookie_kind(flow->cookie);
    struct match match;

    FUZZ_CHECK((flow->cookie & NWF_COOKIE_MASK) == NWF_COOKIE_MAGIC);
    FUZZ_CHECK(nwf_cookie_port(flow->cookie) == GUEST);
    nwf_flow_expand_match(flow, &match);
    /* Number 0 of libopenvswitch's fields: where one that it has not would end up. */
    FUZZ_CHECK(!match.wc.masks.dp_hash);
    if (kind == NWF_COOKIE_TO_VM) {
        FUZZ_CHECK(match.wc.masks.regs[0] == UINT32_MAX && match.flow.regs[0] == GUEST);
        FUZZ_CHECK(flow->table >= NWF_TABLE_TO_VM
                   && flow->table < NWF_TABLE_TO_VM + NWF_MAX_STAGES);
    } else if (flow->table == NWF_TABLE_KNOWN) {
        FUZZ_CHECK(kind == NWF_COOKIE_CLASSIFY);
        FUZZ_CHECK(match.wc.masks.regs[NWF_REG_KNOWN] == UINT16_MAX
                   && match.flow.regs[NWF_REG_KNOWN] == GUEST);
    } else {
        FUZZ_CHECK(kind == NWF_COOKIE_FROM_VM || kind == NWF_COOKIE_CLASSIFY);
        FUZZ_CHECK(match.wc.masks.in_port.ofp_port == u16_to_ofp(UINT16_MAX)
                   && match.flow.in_port.ofp_port == u16_to_ofp(GUEST));
        FUZZ_CHECK(flow->table < NWF_TABLE_FROM_VM + NWF_MAX_STAGES
                   || flow->table == NWF_TABLE_SENDER);
    }
}

/* What is printed is the flow, as ovs-ofctl(8) reads it. */
static void
check_read_back(const struct nwf_flow *flow)
{
    struct ds text = DS_EMPTY_INITIALIZER;
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_flow_set set;

    nwf_flow_set_init(&set);
    nwf_flow_format(flow, &text);
    int r = nwf_flow_set_parse(&set, "flow", ds_cstr(&text), flow->cookie, &err);
    FUZZ_CHECK(fuzz_is_ok(r, &err));
    const struct nwf_flow *again = nwf_flow_set_find(&set, flow);
    FUZZ_CHECK(again && nwf_flow_data_equal(again, flow));
    nwf_flow_set_finish(&set);
    ds_destroy(&text);
}

static bool
compile(const struct nwf_program *program, bool audit, struct nwf_flow_set *flows)
{
    struct nwf_bridge bridge = {.audit = audit};
    struct nwf_port port = {.ofport = GUEST, .role = NWF_GUEST};
    struct nwf_error err = NWF_ERROR_INIT;
    struct nwf_guest_size guest_size = {.n_flows = 0};

    int r = nwf_compile_guest(&bridge, &port, program, &guest_size, flows, &err);
    FUZZ_CHECK(!r || !nwf_flow_set_count(flows));
    FUZZ_CHECK(r || nwf_flow_set_count(flows) >= guest_size.n_flows);
    return fuzz_is_ok(r, &err);
}

/* A program gives the same flows each time, or none each time. */
static void
check_program(const struct nwf_program *program)
{
    struct nwf_flow_set flows, again, audited;
    struct nwf_changes changes;
    const struct nwf_flow *flow;
    size_t n = 0;

    nwf_flow_set_init(&flows);
    nwf_flow_set_init(&again);
    nwf_flow_set_init(&audited);
    bool good = compile(program, false, &flows);
    FUZZ_CHECK(good == compile(program, false, &again));
    FUZZ_CHECK(good == compile(program, true, &audited));
    nwf_flow_diff(&flows, &again, &changes);
    FUZZ_CHECK(!changes.n);
    nwf_vec_clear(&changes);
    HMAP_FOR_EACH (flow, node, &flows.flows) {
        check_own(flow);
        if (n++ < N_READ_BACK) {
            check_read_back(flow);
            FUZZ_CHECK(comes_back(flow));
        }
    }
    nwf_flow_set_finish(&flows);
    nwf_flow_set_finish(&again);
    nwf_flow_set_finish(&audited);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nwf_store *store CLEANUP(nwf_store_cleanup) = nwf_store_new(read_other, NULL);
    struct nwf_program *program CLEANUP(nwf_program_cleanup) = NULL;
    struct nwf_params params CLEANUP(nwf_params_clear) = {.list.data = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    const struct nwf_filter *filter;
    char *text CLEANUP_FREE = fuzz_text(data, size);

    if (!fuzz_is_ok(nwf_store_put(store, "input.xml", text, size, &filter, &err), &err)) {
        return 0;
    }
    FUZZ_CHECK(nwf_text_is_name(filter->name, "_.-", NWF_NAME_MAX));
    if (fuzz_is_ok(nwf_filter_stand_ins(store, filter, &params, &err), &err)
        && fuzz_is_ok(nwf_program_new(store, filter, &params, &program, &err), &err)) {
        check_program(program);
    }
    return 0;
}
