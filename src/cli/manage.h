/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of manage and unmanage share. */
#ifndef NWF_CLI_MANAGE_H
#define NWF_CLI_MANAGE_H

#include "cli.h"
#include "nwf/record.h"

/* ---- What manage is given (manage_options.c). ---- */

extern const struct nwf_option nwf_manage_options[], nwf_manage_snippet_options[];
extern const char *nwf_manage_snippet; /* The tool whose configuration it is for. */
extern bool nwf_manage_prints_only;

/* Keys of a bridge's tags that it sets, or removes if they are not given. */
#define NWF_N_MANAGE_KEYS 12
extern const char *const nwf_manage_keys[NWF_N_MANAGE_KEYS];

/* Whether the options mean something, as far as that can be said without a look at the host. */
int nwf_manage_check(const struct nwf_cli *cli, struct nwf_error *err);

/* The tags that the options stand for. */
void nwf_manage_list_tags(struct nwf_record *ret);

/* Adds the options as manage is to be given them again. */
void nwf_manage_list_options(struct nwf_words *ret);

const struct nwf_words *nwf_manage_trusted(void);
const struct nwf_words *nwf_manage_guards(void);

/* The bridge is a routed one, which the verbs of "routed" need not be told. */
void nwf_manage_set_routed(void);

/* ---- What they mean on this host (manage_nics.c). ---- */

/* Refuses NICs and gateways that cannot be what 'tags' say of them; 'bridges' has all bridges. */
int nwf_manage_check_nics(const struct nwf_cli *cli, const struct nwf_ovs_bridges *bridges,
                          const struct nwf_ovs_bridge *bridge, const struct nwf_record *tags,
                          struct nwf_error *err);

/* ---- The other verb. ---- */

nwf_verb_fn nwf_cli_unmanage;

#endif
