/* SPDX-License-Identifier: Apache-2.0
 *
 * hook convert: a domain's document with its filters where libvirt does not refuse them. */
#include <config.h>

#include "hook.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "nwf/file.h"
#include "nwf/text.h"

static struct nwf_words networks;
static bool check;

const struct nwf_option nwf_hook_convert_options[] = {
    {"network", "NAME[,NAME...]", nwf_option_words, &networks,
     "libvirt's networks that are on Open vSwitch"},
    {"check", NULL, nwf_option_flag, &check,
     "say what each interface would get; exit 1 if the domain would not start"},
    {.name = NULL},
};

/* On standard error: standard output is the document. */
static void
print_note(void *aux, const char *file, unsigned int line, const char *text)
{
    char *place CLEANUP_FREE = nwf_asprintf("%s:%u: note", file, line);

    (void) aux;
    nwf_cli_complain_of(place, text);
}

int
nwf_hook_convert(struct nwf_cli *cli, struct nwf_error *err)
{
    struct nwf_convert_options options = {
        .networks = networks.data, .n_networks = networks.n, .note = print_note};
    struct nwf_domain_text text = {.file =
                                       strcmp(cli->argv[0], "-") ? cli->argv[0] : "standard input"};
    char *data CLEANUP_FREE = NULL, *result CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(cli->argv[0], NWF_DOMAIN_MAX, &data, &text.size, err);

    if (r) {
        return r;
    }
    text.data = data;
    if (check) {
        return nwf_hook_check(cli, &text, &options, err);
    }
    if ((r = nwf_domain_convert(&text, &options, &result, &size, err))) {
        return r;
    }
    nwf_cli_stop_alarm();
    fwrite(result, 1, size, stdout);
    return NWF_EXIT_OK;
}
