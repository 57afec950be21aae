/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy file; see pve_sync.h. */
#include <config.h>

#include "pve_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/file.h"
#include "nwf/policy_files.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "pve_incoming.h"

/* What a description asks for to be left alone. */
#define NO_FILTER "none"

/* ---- The host. ---- */

int
nwf_pve_host_open(const struct nwf_cli *cli, struct nwf_pve_host *ret, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &ret->db, err);

    if (r) {
        return r;
    }
    nwf_ovsdb_bare_bridges(ret->db, &bridges);
    nwf_vec_foreach (bridge, &bridges) {
        /* A bridge that has lost its tags is about to get them back. */
        if (bridge->config.managed != NWF_UNMANAGED || nwf_record_exists(bridge->name)) {
            nwf_words_add(bridge->name, &ret->managed);
        }
    }
    return 0;
}

void
nwf_pve_host_close(struct nwf_pve_host *host)
{
    if (host->db) {
        nwf_ovsdb_close(host->db);
    }
    nwf_words_clear(&host->managed);
}

static bool
has_word(const struct nwf_words *words, const char *word)
{
    nwf_vec_foreach (other, words) {
        if (!strcmp(*other, word)) {
            return true;
        }
    }
    return false;
}

bool
nwf_pve_host_has(const struct nwf_pve_host *host, const struct nwf_pve_net *net)
{
    return net->line && net->bridge && has_word(&host->managed, net->bridge);
}

/* ---- A run. ---- */

struct run {
    const struct nwf_cli *cli;
    const struct nwf_pve_rules *rules;
    const struct nwf_pve_host *host;
    char *path;
    int lock; /* The policies' folder, locked. */
    char *before;
    struct nwf_pve_entries entries;
};

static void
run_clear(struct run *run)
{
    if (run->lock >= 0) {
        close(run->lock);
    }
    free(run->path);
    free(run->before);
    nwf_pve_entries_clear(&run->entries);
}

/* Hookscripts of several guests may run at once, and each writes the whole file.  A lock file
 * would be a change in a folder that is watched, so it is the folder that is locked. */
static int
lock_folder(struct nwf_error *err)
{
    char *parent CLEANUP_FREE = nwf_sysconf_file(NULL);
    char *folder CLEANUP_FREE = nwf_sysconf_file("policy.d");

    if ((mkdir(parent, 0755) && errno != EEXIST) || (mkdir(folder, 0755) && errno != EEXIST)) {
        return nwf_error_set(err, -errno, "%s: %s", folder, strerror(errno));
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return nwf_error_set(err, -errno, "%s: %s", folder, strerror(errno));
    }
    while (flock(fd, LOCK_EX)) {
        if (errno != EINTR) {
            int r = nwf_error_set(err, -errno, "%s: %s", folder, strerror(errno));
            close(fd);
            return r;
        }
    }
    return fd;
}

static int
check_text(const struct run *run, const char *text, size_t size, struct nwf_error *err)
{
    struct nwf_policies policies CLEANUP(nwf_policies_finish);

    nwf_policies_init(&policies);
    return nwf_policies_add_json(&policies, run->path, text, size, err);
}

/* A file that cannot be understood stays as it is: nobody knows what would be lost with it. */
static int
begin(struct run *run, struct nwf_error *err)
{
    size_t size;
    int r;

    run->path = nwf_sysconf_file("policy.d/proxmox.json");
    run->lock = lock_folder(err);
    if (run->lock < 0) {
        return run->lock;
    }
    r = nwf_file_read(run->path, NWF_POLICY_FILE_MAX, &run->before, &size, err);
    if (r == -ENOENT) {
        nwf_error_clear(err);
        return 0;
    }
    if (r || (r = check_text(run, run->before, size, err))
        || (r = nwf_pve_entries_parse(run->path, run->before, size, &run->entries, err))) {
        nwf_error_wrap(err, "nothing is changed; mend or remove what is there");
    }
    return r;
}

static int
finish(struct run *run, bool *ret_changed, struct nwf_error *err)
{
    char *text CLEANUP_FREE = nwf_pve_entries_format(&run->entries);

    *ret_changed = !run->before || strcmp(run->before, text);
    if (!*ret_changed) {
        return 0;
    }
    size_t size = strlen(text);
    if (size > NWF_POLICY_FILE_MAX) {
        return nwf_error_set(err, -EFBIG, "%s: it would be larger than %d bytes", run->path,
                             NWF_POLICY_FILE_MAX);
    }
    /* One guest's configuration must not make a file that is none to all others. */
    int r = check_text(run, text, size, err);
    if (r) {
        return r;
    }
    return nwf_file_write(run->path, text, size, err);
}

/* ---- A guest. ---- */

/* The filter that the interface gets; *ret is NULL if none is to be written. */
static int
choose_filter(const struct run *run, const struct nwf_pve_guest *guest,
              const struct nwf_pve_net *net, const char **ret, struct nwf_error *err)
{
    const struct nwf_pve_rules *rules = run->rules;
    bool is_checked = net->ip.n || net->has_set || guest->ipfilter;

    if (!net->filter) {
        *ret = is_checked || !rules->without_ip ? rules->filter : rules->without_ip;
        return 0;
    }
    if (!has_word(&rules->choices, net->filter)) {
        return nwf_error_set(err, -EPERM,
                             "the description (line %u) asks for the filter %s, which is not one "
                             "of --choices",
                             net->filter_line, net->filter);
    }
    *ret = strcmp(net->filter, NO_FILTER) ? net->filter : NULL;
    return 0;
}

/* Whether another file has an entry for the port: what the operator writes comes before what is
 * made here. */
static bool
is_written_elsewhere(const struct run *run, const char *port)
{
    size_t n = strlen(run->path);

    nwf_vec_foreach (policy, &run->cli->policies.list) {
        if (policy->port && !strcmp(policy->port, port)
            && (strncmp(policy->place, run->path, n) || policy->place[n] != ':')) {
            return true;
        }
    }
    return false;
}

static int
add_net(struct run *run, unsigned int vmid, const struct nwf_pve_guest *guest, size_t number,
        struct nwf_pve_entries *ret, struct nwf_error *err)
{
    const struct nwf_pve_net *net = &guest->nets[number];
    char *port CLEANUP_FREE = nwf_pve_port(guest, vmid, number);
    const char *filter = NULL;

    if (!nwf_pve_host_has(run->host, net) || is_written_elsewhere(run, port)) {
        return 0;
    }
    int r = choose_filter(run, guest, net, &filter, err);
    if (!r && filter) {
        nwf_pve_entries_add(ret, vmid, port, net, filter);
    }
    return r;
}

/* Guests share the file's size. */
static int
check_addresses(unsigned int vmid, const struct nwf_pve_guest *guest, struct nwf_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < NWF_PVE_NETS_MAX; i++) {
        n += guest->nets[i].ip.n + guest->nets[i].ip6.n;
    }
    return n <= NWF_PVE_ADDRESSES_MAX
               ? 0
               : nwf_error_set(err, -E2BIG, "guest %u: more than %d addresses", vmid,
                               NWF_PVE_ADDRESSES_MAX);
}

/* All of its entries, or on error those that are there. */
static int
replace_guest(struct run *run, unsigned int vmid, const struct nwf_pve_guest *guest,
              struct nwf_error *err)
{
    struct nwf_pve_entries fresh CLEANUP(nwf_pve_entries_clear) = {.data = NULL};
    int r = check_addresses(vmid, guest, err);

    if (r) {
        return r;
    }
    for (size_t i = 0; i < NWF_PVE_NETS_MAX; i++) {
        if ((r = add_net(run, vmid, guest, i, &fresh, err))) {
            return nwf_error_wrap(err, "guest %u: net%zu", vmid, i);
        }
    }
    nwf_pve_entries_remove(&run->entries, vmid);
    nwf_vec_foreach (entry, &fresh) {
        nwf_vec_push(&run->entries, *entry);
    }
    fresh.n = 0;
    return 0;
}

int
nwf_pve_sync_one(const struct nwf_cli *cli, const struct nwf_pve_rules *rules,
                 const struct nwf_pve_host *host, unsigned int vmid,
                 const struct nwf_pve_guest *guest, struct nwf_error *err)
{
    struct run run CLEANUP(run_clear) = {cli, rules, host, .lock = -1};
    bool has_changed;
    int r;

    if ((r = begin(&run, err)) || (r = replace_guest(&run, vmid, guest, err))) {
        return r;
    }
    return finish(&run, &has_changed, err);
}

/* ---- All guests. ---- */

static int
complain(struct nwf_error *err)
{
    nwf_cli_complain(err);
    nwf_error_clear(err);
    return NWF_EXIT_ERROR;
}

/* One that has gone since it was listed is left for the next run. */
static int
sync_guest(struct run *run, const struct nwf_pve_place *place, unsigned int vmid)
{
    struct nwf_pve_guest guest CLEANUP(nwf_pve_guest_clear) = {.is_container = false};
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_pve_read_guest(place, vmid, &guest, &err);

    if (r == -ENOENT) {
        nwf_error_clear(&err);
        return NWF_EXIT_OK;
    }
    if (r || replace_guest(run, vmid, &guest, &err)) {
        return complain(&err);
    }
    if (guest.no_macfilter) {
        char *who CLEANUP_FREE = nwf_asprintf("guest %u", vmid);
        nwf_cli_complain_of(who, "\"macfilter: 0\" of its firewall changes no filter");
    }
    return NWF_EXIT_OK;
}

static bool
is_listed(const struct nwf_pve_vmids *vmids, unsigned int vmid)
{
    nwf_vec_foreach (other, vmids) {
        if (*other == vmid) {
            return true;
        }
    }
    return false;
}

static bool
has_interface(const struct run *run, const char *port)
{
    struct nwf_ovs_port row = {.name = NULL};
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_ovsdb_interface(run->host->db, port, &row, &err);

    nwf_vec_clear(&row.tags);
    nwf_error_clear(&err);
    return !r;
}

/* Whether a port of the guest is there. */
static bool
has_ports(const struct run *run, unsigned int vmid)
{
    nwf_vec_foreach (entry, &run->entries) {
        if (entry->vmid == vmid && has_interface(run, entry->port)) {
            return true;
        }
    }
    return false;
}

/* Whether there is such a guest, or is about to be.  One whose port is there comes by a migration:
 * its configuration is still another node's. */
static bool
is_guest(const struct run *run, const struct nwf_pve_vmids *vmids, unsigned int vmid)
{
    if (is_listed(vmids, vmid) || has_ports(run, vmid)) {
        nwf_pve_incoming_forget(vmid);
        return true;
    }
    if (nwf_pve_is_incoming(vmid)) {
        return true;
    }
    nwf_pve_incoming_forget(vmid);
    return false;
}

/* The number of a guest that has gone, or 0. */
static unsigned int
find_gone(const struct run *run, const struct nwf_pve_vmids *vmids)
{
    nwf_vec_foreach (entry, &run->entries) {
        if (entry->vmid && !is_guest(run, vmids, entry->vmid)) {
            return entry->vmid;
        }
    }
    return 0;
}

static void
print_result(const struct run *run, bool has_changed)
{
    if (run->cli->json) {
        char *path CLEANUP_FREE = nwf_json_quote(run->path);
        printf("{\"file\": %s, \"entries\": %zu, \"changed\": %s}\n", path, run->entries.n,
               has_changed ? "true" : "false");
    } else {
        printf("%s: %zu entries, %s\n", run->path, run->entries.n,
               has_changed ? "changed" : "not changed");
    }
}

int
nwf_pve_sync_all(const struct nwf_cli *cli, const struct nwf_pve_place *place,
                 const struct nwf_pve_rules *rules, const struct nwf_pve_host *host,
                 struct nwf_error *err)
{
    struct run run CLEANUP(run_clear) = {cli, rules, host, .lock = -1};
    struct nwf_pve_vmids vmids CLEANUP(nwf_pve_vmids_clear) = {.data = NULL};
    int r, worst = NWF_EXIT_OK;
    bool has_changed;
    unsigned int gone;

    if ((r = begin(&run, err)) || (r = nwf_pve_list_guests(place, &vmids, err))) {
        return r;
    }
    if (cli->policies.broken.text) {
        nwf_cli_complain(&cli->policies.broken);
        worst = NWF_EXIT_ERROR;
    }
    nwf_vec_foreach (vmid, &vmids) {
        worst |= sync_guest(&run, place, *vmid);
    }
    while ((gone = find_gone(&run, &vmids))) {
        nwf_pve_entries_remove(&run.entries, gone);
    }
    if ((r = finish(&run, &has_changed, err))) {
        return r;
    }
    print_result(&run, has_changed);
    return worst;
}
