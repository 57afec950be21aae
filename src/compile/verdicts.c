/* SPDX-License-Identifier: Apache-2.0
 *
 * What stages that are there say, of many frames at once.  It does not matter who built
 * them. */
#include <config.h>

#include "match.h"
#include "nwf/pipeline.h"
#include "nwf/stages.h"

bool
nwf_row_has_target(const struct nwf_row *row)
{
    return row->verdict != NWF_V_ACCEPT && row->verdict != NWF_V_DROP;
}

bool
nwf_stages_uniform(const struct nwf_stages *stages, const struct match *frames,
                   enum nwf_verdict *ret_verdict)
{
    size_t i = 0;

    for (;;) {
        const struct nwf_row *decisive = NULL;
        nwf_vec_foreach (row, &stages->list.data[i].rows) {
            struct match both = *frames;
            if (!nwf_match_and(&both, &row->match)) {
                continue;
            }
            /* A lookup goes on with all frames alike, whatever it finds. */
            if (row->verdict != NWF_V_SET && !nwf_match_covers(&row->match, frames)) {
                return false;
            }
            decisive = row;
            break;
        }
        if (!decisive || decisive->verdict == NWF_V_TRACK || decisive->verdict == NWF_V_MARK
            || decisive->verdict == NWF_V_JOIN || decisive->verdict == NWF_V_COMMIT) {
            return false;
        }
        if (!nwf_row_has_target(decisive)) {
            *ret_verdict = decisive->verdict;
            return true;
        }
        i = decisive->target;
    }
}

bool
nwf_stages_drop(const struct nwf_stages *stages, const struct match *frames)
{
    bool passes[NWF_MAX_STAGES];

    for (size_t i = stages->list.n; i-- > 0;) {
        passes[i] = false;
        nwf_vec_foreach (row, &stages->list.data[i].rows) {
            struct match both = *frames;
            if (!nwf_match_and(&both, &row->match)) {
                continue;
            }
            passes[i] |=
                nwf_row_has_target(row) ? passes[row->target] : row->verdict == NWF_V_ACCEPT;
            if (nwf_match_covers(&row->match, frames)) {
                break;
            }
        }
    }
    return !passes[0];
}

uint8_t
nwf_stages_cost(const struct nwf_stages *stages, const struct match *frames)
{
    uint8_t costs[NWF_MAX_STAGES];

    for (size_t i = stages->list.n; i-- > 0;) {
        uint8_t most = 0;
        nwf_vec_foreach (row, &stages->list.data[i].rows) {
            struct match both = *frames;
            if (!nwf_match_and(&both, &row->match)) {
                continue;
            }
            if ((row->verdict == NWF_V_GOTO || row->verdict == NWF_V_SET)
                && costs[row->target] > most) {
                most = costs[row->target];
            }
            if (nwf_match_covers(&row->match, frames)) {
                break;
            }
        }
        costs[i] = (uint8_t) (1 + most);
    }
    return costs[0];
}

void
nwf_stages_clear(struct nwf_stages *stages)
{
    nwf_vec_foreach (stage, &stages->list) {
        nwf_vec_clear(&stage->rows);
    }
    nwf_vec_clear(&stages->list);
}
