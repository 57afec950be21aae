/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting ports in force; see enforce.h.  Nothing is printed: what a hook prints may be taken for
 * the document that it was given. */
#include <config.h>

#include "enforce.h"

#include <errno.h>
#include <string.h>

#include "../cli/handover.h"
#include "../cli/sync.h"
#include "nwf/record_file.h"
#include "nwf/text.h"

#include "lib/timeval.h"

void
nwf_hook_targets_clear(struct nwf_hook_targets *targets)
{
    nwf_vec_foreach (target, targets) {
        free(target->port);
        free(target->bridge);
    }
    nwf_vec_clear(targets);
}

void
nwf_hook_targets_add(struct nwf_hook_targets *targets, const char *bridge, const char *port)
{
    nwf_vec_foreach (target, targets) {
        if (!strcmp(target->bridge, bridge) && !port == !target->port
            && (!port || !strcmp(target->port, port))) {
            return;
        }
    }
    nwf_vec_push(targets, (struct nwf_hook_target){
                              .port = port ? nwf_strdup(port) : NULL,
                              .bridge = nwf_strdup(bridge),
                          });
}

/* One port's error, which *err is to be or not. */
static int
take_error(enum nwf_hook_manner manner, const char *port, const char *cause, struct nwf_error *err)
{
    if (manner == NWF_HOOK_STRICT) {
        return nwf_error_set(err, -EINVAL, "%s: %s", port, cause);
    }
    if (manner == NWF_HOOK_SAY) {
        nwf_cli_complain_of(port, cause);
    }
    return 0;
}

/* ---- By the daemon. ---- */

/* Looks for errors in the daemon's answer, which begin with "!". */
static int
read_answer(char *answer, const struct nwf_hook_target *target, enum nwf_hook_manner manner,
            struct nwf_error *err)
{
    char *rest = NULL;

    for (char *line = strtok_r(answer, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (!strncmp(line, "!!", 2)) {
            return nwf_error_set(err, -EIO, "%s", line + 2);
        }
        if (*line == '!' && target->port) {
            size_t n = strlen(target->port);
            bool named = !strncmp(line + 1, target->port, n) && !strncmp(line + 1 + n, ": ", 2);
            int r = take_error(manner, target->port, line + 1 + (named ? n + 2 : 0), err);
            if (r) {
                return r;
            }
        }
    }
    return 0;
}

/* How long to wait for the daemon, seconds: libvirt waits for us, and where nothing hangs on it
 * others than its machine need not. */
#define SHORT_S 8 /* The call for it takes up to 2 more. */

static unsigned int
patience_s(const struct nwf_cli *cli, enum nwf_hook_manner manner)
{
    unsigned int seconds = nwf_cli_patience_s(cli);

    return manner == NWF_HOOK_STRICT || seconds < SHORT_S ? seconds : SHORT_S;
}

/* What is left until then, and a second at least. */
static unsigned int
left_s(long long int deadline)
{
    long long int left_ms = deadline - time_msec();

    return left_ms > 1000 ? (unsigned int) (left_ms / 1000) : 1;
}

/* The first request waits for everything that there is to do; the others find it done. */
static int
hand_over(const struct nwf_hook_target *target, unsigned int patience_s,
          enum nwf_hook_manner manner, struct nwf_error *err)
{
    char *answer CLEANUP_FREE = NULL;
    int r = nwf_cli_ask_to_settle(target->port ? NULL : target->bridge, target->port, patience_s,
                                  &answer, err);

    if (r) {
        return r;
    }
    return read_answer(answer, target, manner, err);
}

/* ---- By this process. ---- */

static int
settle(const struct nwf_cli *cli, struct nwf_ovsdb *db, const char *bridge, struct nwf_keeper **ret,
       struct nwf_error *err)
{
    const struct nwf_keeper_options options = {
        .timeout_ms = cli->timeout_ms,
        .versions = cli->versions,
        .once = true,
    };

    if (!cli->never_fails) { /* Else the alarm of the whole run holds. */
        nwf_cli_start_alarm(cli, 1);
    }
    int r = nwf_cli_settle(cli, db, bridge, &options, ret, err);
    if (r == -EIDRM && nwf_record_exists(bridge) && !nwf_cli_restore_bridges(db)) {
        nwf_error_clear(err);
        r = nwf_cli_settle(cli, db, bridge, &options, ret, err);
    }
    return r;
}

static int
check_port(const struct nwf_plan *plan, const char *name, enum nwf_hook_manner manner,
           struct nwf_error *err)
{
    const struct nwf_plan_port *port = nwf_plan_find_port(plan, name);

    if (!port) {
        return take_error(manner, name, "not on the bridge any more", err);
    }
    if (nwf_plan_port_error(port)->text) {
        return take_error(manner, name, nwf_error_text(nwf_plan_port_error(port)), err);
    }
    return port->role == NWF_TRUSTED && port->config.binding.filter
               ? take_error(manner, name, NWF_NOT_FILTERED, err)
               : 0;
}

/* The bridge of a target, and all targets on it. */
static int
settle_bridge(const struct nwf_cli *cli, struct nwf_ovsdb *db,
              const struct nwf_hook_targets *targets, const char *bridge,
              enum nwf_hook_manner manner, struct nwf_error *err)
{
    struct nwf_keeper *keeper CLEANUP(nwf_keeper_cleanup) = NULL;
    int r = settle(cli, db, bridge, &keeper, err);

    nwf_vec_foreach (target, targets) {
        if (!r && target->port && !strcmp(target->bridge, bridge)) {
            r = check_port(nwf_keeper_plan(keeper), target->port, manner, err);
        }
    }
    return r;
}

/* Whether none of those before is on the same bridge. */
static bool
is_first(const struct nwf_hook_targets *targets, const struct nwf_hook_target *target)
{
    for (const struct nwf_hook_target *other = targets->data; other < target; other++) {
        if (!strcmp(other->bridge, target->bridge)) {
            return false;
        }
    }
    return true;
}

/* ---- Both. ---- */

/* Keeps the first error. */
static int
keep_error(int r, struct nwf_error *one, int first, struct nwf_error *err)
{
    if (!r || first) {
        nwf_error_clear(one);
        return first;
    }
    nwf_error_clear(err);
    *err = *one;
    return r;
}

int
nwf_hook_enforce(const struct nwf_cli *cli, struct nwf_ovsdb *db,
                 const struct nwf_hook_targets *targets, enum nwf_hook_manner manner,
                 struct nwf_error *err)
{
    long long int deadline = time_msec() + 1000LL * patience_s(cli, manner);
    int first = 0;

    nwf_vec_foreach (target, targets) {
        struct nwf_error one = NWF_ERROR_INIT;
        int r = 0;

        if (cli->has_daemon) {
            r = hand_over(target, left_s(deadline), manner, &one);
        } else if (is_first(targets, target)) {
            r = settle_bridge(cli, db, targets, target->bridge, manner, &one);
        }
        first = keep_error(r, &one, first, err);
        /* What is late for one is late for the others. */
        if (first && (manner == NWF_HOOK_STRICT || first == NWF_NO_DAEMON || first == -ETIMEDOUT)) {
            break;
        }
    }
    return first;
}
