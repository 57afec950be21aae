/* SPDX-License-Identifier: Apache-2.0
 *
 * A bridge with random ports, its plan and its switch, and random changes of all of it. */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include "../../src/engine/plan.h"
#include "support.h"

#define N_PORTS_MAX 14
#define N_NUMBERS 18 /* Highest OpenFlow number, but for that of the bridge's own port. */

struct world {
    const char *what; /* The last change. */
    uint64_t seed;
    int step;
    struct dice dice;
    struct nwf_sources sources;
    struct nwf_plan plan;
    struct nwf_image image;
    struct nwf_flow_set installed; /* What the switch has by all changes. */
    unsigned int n_names;
    uint8_t zones[0x10000];
};

#define world_check(W, CONDITION, FORMAT, ...)                                                     \
    expect(CONDITION, "bridge %d, step %d (%s): " FORMAT, (int) (W)->seed, (W)->step, (W)->what,   \
           ##__VA_ARGS__)

/* Filters of stores that worlds read: the stock ones, and some of world.c's own. */
nwf_store_read_fn world_read_filter;

/* Names of filters, good, broken and absent. */
#define N_WORLD_FILTERS 18
extern const char *const world_filters[N_WORLD_FILTERS];

void world_init(struct world *w, struct nwf_store *store, uint64_t seed);
void world_finish(struct world *w);

/* ---- Random ports. ---- */

/* A number below 'n'. */
uint32_t world_roll(struct world *w, uint32_t n);
/* An OpenFlow number; seldom one that is another port's. */
uint16_t world_roll_free_number(struct world *w);
/* One of few, so that ports claim each other's, and seldom a group's; a new string. */
char *world_roll_mac(struct world *w);
/* Makes the port a guest; or any port, called 'name'. */
void world_roll_guest(struct world *w, struct nwf_port_config *config);
void world_roll_config(struct world *w, const char *name, struct nwf_port_config *ret);
/* Gives the variable 'name' the value as well; it has to be a good one. */
void add_variable(struct nwf_params *params, const char *name, const char *value);
/* Copies, whose parts are the caller's; NULL of NULL. */
char *copy_text(const char *text);
void copy_error(const struct nwf_error *from, struct nwf_error *ret);
void copy_config(const struct nwf_port_config *from, struct nwf_port_config *ret);

/* ---- Random changes; see world_changes.c. ---- */

/* Makes one change of any kind: of the ports, of the bridge, or of the flows that the switch has.
 */
void world_change(struct world *w);
void world_set_number(struct world *w, struct nwf_plan_port *port, uint16_t number);
struct nwf_flow *copy_flow(const struct nwf_flow *flow, uint64_t cookie);
/* Puts the flow, which is taken, into the switch. */
void world_install(struct world *w, struct nwf_flow *flow);

#endif
