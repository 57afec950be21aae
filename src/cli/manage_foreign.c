/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of other people's flows when a bridge is managed; see manage_foreign.h.
 *
 * Two things: Open vSwitch deletes all flows of a bridge without a controller when its fail mode
 * changes, and table 0 is ours from now on, so that flows below ours there are never met. */
#include <config.h>

#include "manage_foreign.h"

#include "nwf/conn.h"
#include "nwf/foreign.h"
#include "nwf/pipeline.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

/* Flows that are told of one by one. */
#define TOLD_MAX 16

static int
dump(const struct nwf_cli *cli, const char *bridge, struct nwf_flow_set *flows,
     struct nwf_error *err)
{
    struct nwf_conn *conn CLEANUP(nwf_conn_cleanup) =
        nwf_conn_new(bridge, cli->versions, cli->timeout_ms);
    int r = nwf_conn_block(conn, err);

    if (!r) {
        nwf_conn_dump(conn, 0, 0, flows);
        r = nwf_conn_block(conn, err);
    }
    return r;
}

int
nwf_manage_note_foreign(const struct nwf_cli *cli, const char *bridge, struct nwf_flow_set *flows,
                        struct nwf_error *err)
{
    return dump(cli, bridge, flows, err);
}

/* What a bridge has by itself while it has no controller. */
static bool
is_of_fail_mode(const struct nwf_flow *flow)
{
    const struct ofpact *a = flow->form->ofpacts;

    return flow->table == NWF_TABLE_CLASSIFY && !flow->priority && !flow->cookie
           && flow->form->ofpacts_len && a->type == OFPACT_OUTPUT
           && ofpact_get_OUTPUT(a)->port == OFPP_NORMAL;
}

static void
tell(const char *bridge, const struct nwf_flow *flow, const char *what)
{
    struct ds text CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;

    nwf_flow_format(flow, &text);
    char *line CLEANUP_FREE =
        nwf_asprintf("a flow that is not ours %s: %.400s", what, ds_cstr(&text));
    nwf_cli_complain_of(bridge, line);
}

static const char *
fate_of(const struct nwf_flow *flow, const struct nwf_flow_set *now)
{
    if (!nwf_flow_set_find(now, flow)) {
        return is_of_fail_mode(flow) ? NULL
                                     : "is gone, as all are when Open vSwitch's fail_mode changes";
    }
    return nwf_foreign_is_covered(flow, now) ? "no longer applies, as ours come before it" : NULL;
}

void
nwf_manage_tell_foreign(const struct nwf_cli *cli, const char *bridge,
                        const struct nwf_flow_set *before)
{
    const struct nwf_flow **sorted CLEANUP_FREE = nwf_flow_set_sort(before);
    struct nwf_flow_set now CLEANUP(nwf_flow_set_finish);
    struct nwf_error err = NWF_ERROR_INIT;
    size_t n = 0;

    nwf_flow_set_init(&now);
    if (dump(cli, bridge, &now, &err)) {
        nwf_cli_complain(&err);
        nwf_error_clear(&err);
        return;
    }
    for (size_t i = 0; i < nwf_flow_set_count(before); i++) {
        const char *fate = nwf_is_foreign(sorted[i]) ? fate_of(sorted[i], &now) : NULL;
        if (fate && n++ < TOLD_MAX) {
            tell(bridge, sorted[i], fate);
        }
    }
    if (n > TOLD_MAX) {
        char *line CLEANUP_FREE =
            nwf_asprintf("and of %zu more flows that are not ours the same holds", n - TOLD_MAX);
        nwf_cli_complain_of(bridge, line);
    }
}
