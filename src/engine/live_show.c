/* SPDX-License-Identifier: Apache-2.0
 *
 * What the live engine says of itself; see nwf/live.h. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "live.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"

static size_t
count_role(const struct nwf_keeper *keeper, enum nwf_port_role role)
{
    size_t n = 0;

    nwf_vec_foreach (port, &nwf_keeper_plan(keeper)->ports) {
        n += (*port)->role == role;
    }
    return n;
}

static size_t
count_unwell(const struct nwf_keeper *keeper)
{
    size_t n = 0;

    nwf_vec_foreach (port, &nwf_keeper_plan(keeper)->ports) {
        n += nwf_plan_port_error(*port)->text != NULL;
    }
    return n;
}

static void
format_summary(const struct nwf_live *live, struct ds *s)
{
    size_t n_guests = 0, n_quarantined = 0, n_errors = 0, n_unwell = 0;

    nwf_vec_foreach (keeper, &live->keepers) {
        n_guests += count_role(*keeper, NWF_GUEST);
        n_quarantined += count_role(*keeper, NWF_QUARANTINED);
        n_errors += nwf_keeper_error(*keeper)->text != NULL;
        n_unwell += count_unwell(*keeper);
    }
    ds_put_format(s, "%zu bridge%s, %zu guest%s, %zu quarantined, %zu with an error; %s\n",
                  live->keepers.n, live->keepers.n == 1 ? "" : "s", n_guests,
                  n_guests == 1 ? "" : "s", n_quarantined, n_unwell,
                  !live->is_read              ? "no contents of the database yet"
                  : n_errors                  ? "some bridges are not as they should be"
                  : nwf_live_is_settled(live) ? "everything is enforced"
                                              : "at work");
}

void
nwf_live_format_status(const struct nwf_live *live, struct ds *s)
{
    format_summary(live, s);
    if (live->policies.broken.text) {
        ds_put_format(s, "policy files: %s\n", live->policies.broken.text);
    }
    nwf_vec_foreach (keeper, &live->keepers) {
        const struct nwf_error *error = nwf_keeper_error(*keeper);
        ds_put_format(s, "%s: %s%s%s\n", nwf_keeper_bridge(*keeper), nwf_keeper_state(*keeper),
                      error->text ? ": " : "", error->text ? error->text : "");
    }
}

static void
format_bridge(const struct nwf_keeper *keeper, struct ds *s)
{
    const struct nwf_keeper_counts *counts = nwf_keeper_counts(keeper);
    const struct nwf_plan *plan = nwf_keeper_plan(keeper);

    ds_put_format(s,
                  "%s: %s, %s; %zu flows; %zu guests, %zu quarantined, %zu trusted, "
                  "%zu with an error\n",
                  plan->name, plan->bridge.audit ? "audit" : "enforce", nwf_keeper_state(keeper),
                  counts->n_flows, count_role(keeper, NWF_GUEST),
                  count_role(keeper, NWF_QUARANTINED), count_role(keeper, NWF_TRUSTED),
                  count_unwell(keeper));
    ds_put_format(s,
                  "  since the start: %zu added, %zu changed, %zu removed; "
                  "%zu changes of others undone\n",
                  counts->n_added, counts->n_replaced, counts->n_deleted, counts->n_repairs);
    if (nwf_keeper_error(keeper)->text) {
        ds_put_format(s, "  error: %s\n", nwf_keeper_error(keeper)->text);
    }
}

static void
format_port(const struct nwf_plan_port *port, struct ds *s)
{
    const struct nwf_port_config *config = &port->config;
    char *variables CLEANUP_FREE = nwf_params_format(&config->binding.params);
    const struct nwf_error *error = nwf_plan_port_error(port);

    ds_put_format(s, "  %s (%u): %s", config->name, config->ofport,
                  nwf_port_role_to_string(port->role));
    if (config->binding.filter) {
        ds_put_format(s, ", filter %s%s%s", config->binding.filter, *variables ? " " : "",
                      variables);
    }
    if (config->binding.isolated) {
        ds_put_cstr(s, ", isolated");
    }
    if (port->zone) {
        ds_put_format(s, ", conntrack zone %u", port->zone);
    }
    if (port->role == NWF_GUEST) {
        ds_put_format(s, ", %u flows", port->size.n_flows);
    }
    ds_put_format(s, "%s%s\n", error->text ? "; error: " : "", error->text ? error->text : "");
}

int
nwf_live_format_bridge(const struct nwf_live *live, const char *bridge, struct ds *s,
                       struct nwf_error *err)
{
    bool any = !bridge;

    nwf_vec_foreach (keeper, &live->keepers) {
        if (bridge && strcmp(bridge, nwf_keeper_bridge(*keeper))) {
            continue;
        }
        any = true;
        format_bridge(*keeper, s);
        nwf_vec_foreach (port, &nwf_keeper_plan(*keeper)->ports) {
            format_port(*port, s);
        }
    }
    return any ? 0 : nwf_error_set(err, -ENOENT, "%.80s: no managed bridge", bridge);
}

int
nwf_live_format_port(const struct nwf_live *live, const char *name, struct ds *s,
                     struct nwf_error *err)
{
    const struct nwf_plan_port *port;
    const struct nwf_keeper *keeper = nwf_live_find_port(live, name, &port);

    if (!keeper) {
        return nwf_error_set(err, -ENOENT, "%.80s: no managed bridge has such a port", name);
    }
    ds_put_format(s, "%s:\n", nwf_keeper_bridge(keeper));
    format_port(port, s);
    return 0;
}

void
nwf_live_format_latency(const struct nwf_live *live, struct ds *s)
{
    nwf_vec_foreach (keeper, &live->keepers) {
        const struct nwf_stopwatch *watch = nwf_keeper_stopwatch(*keeper);

        ds_put_format(s,
                      "%s: %llu changes put in force; of the last: median %.1f ms, "
                      "99 %% within %.1f ms; longest ever %.1f ms\n",
                      nwf_keeper_bridge(*keeper), (unsigned long long) watch->n,
                      nwf_stopwatch_quantile(watch, 50) / 1e3,
                      nwf_stopwatch_quantile(watch, 99) / 1e3, (double) watch->max_us / 1e3);
    }
}

void
nwf_live_format_memory(const struct nwf_live *live, struct ds *s)
{
    size_t n_ports = 0, n_flows = 0;

    nwf_vec_foreach (keeper, &live->keepers) {
        n_ports += nwf_keeper_plan(*keeper)->ports.n;
        n_flows += nwf_flow_set_count(&nwf_keeper_image(*keeper)->flows);
    }
    ds_put_format(s, "bridges:%zu ports:%zu flows:%zu\n", live->keepers.n, n_ports, n_flows);
}

int
nwf_live_recompute(struct nwf_live *live, struct ds *s, struct nwf_error *err)
{
    int n = 0;

    if (!nwf_live_is_settled(live)) {
        return nwf_error_set(err, -EBUSY, "at work, or not as it should be: see status");
    }
    nwf_vec_foreach (keeper, &live->keepers) {
        int r = nwf_keeper_recompute(*keeper, s, err);
        if (r < 0) {
            return r;
        }
        n += r;
    }
    return n ? nwf_error_set(err, -EILSEQ, "%d differences", n) : 0;
}
