/* SPDX-License-Identifier: Apache-2.0
 *
 * hook convert --check: what a domain would get, without a switch and without libvirt.
 *
 * A document is looked at as "hook convert" would print it; places are those of the document. */
#include <config.h>

#include "check.h"

#include <errno.h>
#include <string.h>

#include "nwf/keeper.h"
#include "nwf/policy_files.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "places.h"

struct check {
    struct nwf_cli *cli;
    const struct nwf_domain_text *text;
    struct nwf_domain before, after;         /* As it is, and converted. */
    unsigned int moved[NWF_DOMAIN_NICS_MAX]; /* Lines of <filterref>s; 0: none. */
    struct nwf_hook_verdicts verdicts;
};

static void
check_finish(struct check *check)
{
    nwf_vec_foreach (verdict, &check->verdicts) {
        nwf_binding_clear(&verdict->binding);
        nwf_error_clear(&verdict->error);
        free(verdict->name);
        free(verdict->source);
        if (verdict->program) {
            nwf_program_free(verdict->program);
        }
    }
    nwf_vec_clear(&check->verdicts);
    nwf_domain_clear(&check->before);
    nwf_domain_clear(&check->after);
}

/* ---- What is known of an interface. ---- */

static char *
format_mac(const struct nwf_mac *mac)
{
    const uint8_t *m = mac->octets;

    return nwf_asprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static char *
name_of(const struct nwf_domain_nic *nic)
{
    const char *text = nic->alias ? nic->alias : nic->dev ? nic->dev : "interface without a MAC";

    return nic->has_mac ? format_mac(&nic->mac) : nwf_strdup(text);
}

#define N_TAGS 4

/* The tags that the interface's port is going to have. */
static size_t
list_tags(const struct check *check, const struct nwf_domain_nic *nic, const char *mac,
          struct nwf_tag *tags)
{
    const struct nwf_tag all[N_TAGS] = {
        {NWF_TAG_MAC, mac},
        {"vm-id", check->after.uuid},
        {NWF_TAG_VM_NAME, check->after.name},
        {NWF_TAG_PROFILE, nic->profile},
    };
    size_t n = 0;

    for (size_t i = 0; i < N_TAGS; i++) {
        if (all[i].value) {
            tags[n++] = all[i];
        }
    }
    return n;
}

/* What the record of its bridge says. */
struct record {
    bool is_managed, is_trusted;
    char *fallback; /* The default filter, or NULL. */
};

static void
record_finish(struct record *record)
{
    free(record->fallback);
}

static void
read_record(const struct nwf_domain_nic *nic, struct record *ret)
{
    struct nwf_record record CLEANUP(nwf_record_clear) = {.data = NULL};
    struct nwf_bridge_config config;

    if (!nic->bridge || !nwf_record_is_name(nic->bridge)
        || nwf_record_load(nic->bridge, &record, NULL)) {
        return;
    }
    nwf_bridge_config_read(record.data, record.n, &config);
    ret->is_managed = true;
    ret->is_trusted = nic->dev && nwf_is_named_trusted(&config, nic->dev);
    ret->fallback = config.default_filter ? nwf_strdup(config.default_filter) : NULL;
}

/* ---- Its policy. ---- */

static bool
has_no_filter(void *aux, const char *name)
{
    (void) aux;
    (void) name;
    return false;
}

/* Fills in the binding that the first of the places makes. */
static int
take_policy(const struct nwf_hook_places *places, const struct nwf_tag *tags, size_t n_tags,
            struct nwf_hook_verdict *verdict)
{
    struct nwf_binding *binding = &verdict->binding;

    if (places->entry) {
        verdict->source = nwf_strdup(places->entry_place);
        binding->filter = nwf_strdup(places->entry->binding.filter);
        nwf_params_override(&binding->params, &places->entry->binding.params);
    } else if (places->profile) {
        verdict->source = nwf_strdup("profileid");
        binding->filter = nwf_strdup(places->profile);
    } else if (places->policy) {
        verdict->source = nwf_strdup(places->policy->place);
        return nwf_policy_apply(places->policy, tags, n_tags, binding, &verdict->error);
    } else {
        verdict->source = nwf_asprintf("the default of bridge %s", verdict->nic->bridge);
        binding->filter = nwf_strdup(places->fallback);
    }
    return 0;
}

static int
instantiate(const struct check *check, struct nwf_hook_verdict *verdict)
{
    struct nwf_store *store = check->cli->store;
    const struct nwf_filter *filter;
    int r;

    if ((r = nwf_plan_check_binding(&verdict->binding, store, &verdict->error))
        || (r = nwf_store_get(store, verdict->binding.filter, &filter, &verdict->error))
        || (r = nwf_program_new(store, filter, &verdict->binding.params, &verdict->program,
                                &verdict->error))) {
        return r;
    }
    return 0;
}

/* No filter anywhere: that keeps a domain from starting only on a managed bridge. */
static int
judge_unbound(const struct check *check, const struct record *record,
              struct nwf_hook_verdict *verdict)
{
    const struct nwf_error *broken = &check->cli->policies.broken;

    if (record->is_trusted) {
        verdict->remark = "no filter, and none is needed: nwfilter-trusted names it";
        return 0;
    }
    if (broken->text) {
        return nwf_error_set(&verdict->error, -EINVAL, "no filter is known for it: %s",
                             nwf_error_text(broken));
    }
    if (record->is_managed) {
        return nwf_error_set(&verdict->error, -ENOENT,
                             "no filter: neither <metadata>, profileid, policy.d nor bridge %.80s "
                             "names one",
                             verdict->nic->bridge);
    }
    verdict->remark = "no filter: it does not start on a managed bridge";
    return 0;
}

/* Of an interface that has a place. */
static int
judge_bound(const struct check *check, const struct nwf_hook_places *places,
            const struct record *record, const struct nwf_tag *tags, size_t n_tags,
            struct nwf_hook_verdict *verdict)
{
    int r = take_policy(places, tags, n_tags, verdict);

    if (r) {
        return r;
    }
    return record->is_trusted ? nwf_error_set(&verdict->error, -EINVAL,
                                              "nwfilter-trusted names it: %s", NWF_NOT_FILTERED)
                              : instantiate(check, verdict);
}

static int
judge(const struct check *check, size_t i, struct nwf_hook_verdict *verdict)
{
    const struct nwf_domain_nic *nic = &check->after.nics.data[i];
    const struct nwf_domain_port *own = nwf_domain_find_port(&check->before, verdict->nic);
    char *place CLEANUP_FREE =
        nwf_asprintf("%s:%u", check->text->file, own ? own->line : check->moved[i]);
    char *mac CLEANUP_FREE = nic->has_mac ? format_mac(&nic->mac) : NULL;
    struct record record CLEANUP(record_finish) = {.fallback = NULL};
    struct nwf_hook_places places = {.entry = nwf_domain_find_port(&check->after, nic),
                                     .entry_place = place};
    const char *dev = nic->dev ? nic->dev : "";
    struct nwf_tag tags[N_TAGS];
    size_t n_tags = list_tags(check, nic, mac, tags);
    int r;

    read_record(nic, &record);
    places.fallback = record.fallback;
    if (!nic->is_ovs && !places.entry && !record.is_managed) {
        verdict->remark = "not on Open vSwitch, by what the document says";
        return 0;
    }
    const struct nwf_known_filters none = {.has = has_no_filter};
    if ((r = nwf_binding_from_tags(dev, tags, n_tags, &none, &verdict->binding, &verdict->error))
        || (r = nwf_hook_find_places(check->cli, dev, tags, n_tags, &places, &verdict->error))) {
        return r;
    }
    if (!nwf_hook_has_place(&places)) {
        return judge_unbound(check, &record, verdict);
    }
    return judge_bound(check, &places, &record, tags, n_tags, verdict);
}

/* ---- The domain. ---- */

static void
note_move(void *aux, size_t nic, unsigned int line)
{
    struct check *check = aux;

    check->moved[nic] = line;
}

static int
read_domain(struct check *check, struct nwf_convert_options *options, struct nwf_error *err)
{
    const struct nwf_domain_text *text = check->text;
    char *converted CLEANUP_FREE = NULL;
    size_t size;
    int r;

    options->moved = note_move;
    options->aux = check;
    if ((r = nwf_domain_convert(text, options, &converted, &size, err))
        || (r = nwf_domain_parse(text->file, text->data, text->size, &check->before, err))) {
        return r;
    }
    return nwf_domain_parse(text->file, converted, size, &check->after, err);
}

/* libvirt's own word on a document that is not converted, and ours. */
static int
complain(const struct check *check, size_t i, const struct nwf_hook_verdict *verdict)
{
    const char *file = check->text->file;
    struct nwf_error err = NWF_ERROR_INIT;

    if (check->moved[i]) {
        nwf_error_set(&err, -EINVAL,
                      "%s:%u: libvirt refuses <filterref> on Open vSwitch when the domain starts; "
                      "convert it",
                      file, check->moved[i]);
        nwf_cli_complain(&err);
    }
    if (verdict->error.text) {
        nwf_error_set(&err, verdict->error.code, "%s:%u: %s: %s", file, verdict->nic->line,
                      verdict->name, verdict->error.text);
        nwf_cli_complain(&err);
    }
    int worst = err.text ? NWF_EXIT_ERROR : NWF_EXIT_OK;
    nwf_error_clear(&err);
    return worst;
}

int
nwf_hook_check(struct nwf_cli *cli, const struct nwf_domain_text *text,
               struct nwf_convert_options *options, struct nwf_error *err)
{
    struct check check CLEANUP(check_finish) = {.cli = cli, .text = text};
    int worst = NWF_EXIT_OK, r = read_domain(&check, options, err);

    if (r) {
        return r;
    }
    nwf_policies_load(&cli->policies);
    for (size_t i = 0; i < check.before.nics.n; i++) {
        struct nwf_hook_verdict verdict = {.nic = &check.before.nics.data[i]};

        verdict.name = name_of(verdict.nic);
        (void) judge(&check, i, &verdict); /* The error is the verdict's. */
        nwf_cli_start_alarm(cli, 1);
        nwf_vec_push(&check.verdicts, verdict);
        worst |= complain(&check, i, &check.verdicts.data[i]);
    }
    nwf_cli_stop_alarm();
    nwf_hook_print_verdicts(&check.verdicts, cli->json);
    return worst;
}
