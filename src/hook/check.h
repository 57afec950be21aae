/* SPDX-License-Identifier: Apache-2.0
 *
 * What the interfaces of a domain would get. */
#ifndef NWF_HOOK_CHECK_H
#define NWF_HOOK_CHECK_H

#include "../cli/cli.h"
#include "nwf/convert.h"
#include "nwf/domain.h"
#include "nwf/program.h"

struct nwf_hook_verdict {
    const struct nwf_domain_nic *nic;
    char *name;                  /* Its MAC, or what else there is. */
    const char *remark;          /* Without a filter: why that is no error; else NULL. */
    char *source;                /* Where the policy stands; NULL: nowhere. */
    struct nwf_binding binding;  /* Filter and variables. */
    struct nwf_program *program; /* The rules; NULL: none. */
    struct nwf_error error;      /* Why the domain would not start. */
};

struct nwf_hook_verdicts {
    struct nwf_hook_verdict *data;
    size_t n, allocated;
};

/* Says of each interface what the hook would make of it; exit code 1 if the domain would not
 * start. */
int nwf_hook_check(struct nwf_cli *cli, const struct nwf_domain_text *text,
                   struct nwf_convert_options *options, struct nwf_error *err);

/* See check_print.c. */
void nwf_hook_print_verdicts(const struct nwf_hook_verdicts *verdicts, bool json);

#endif
