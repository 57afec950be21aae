/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of "routed apply", and how they are undone.
 *
 * manage, sync and unmanage are runs of this program, so that a verb which does not come back, or
 * is killed, is a step that has failed and nothing more. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manage.h"
#include "nwf/record_file.h"
#include "nwf/text.h"
#include "openvswitch/poll-loop.h"
#include "apply.h"

#include "lib/timeval.h"
#include "lib/util.h"

/* How long a gateway that has answered before may take now, and how often it is asked, ms. */
#define GATEWAY_MS 10000
#define ASK_AGAIN_MS 200

/* Of what a verb complains about, bytes. */
#define COMPLAINT_MAX 2048

/* ---- Runs of this program. ---- */

static void
list_command(const struct nwf_cli *cli, const char *verb, const char *bridge, struct nwf_words *ret)
{
    nwf_vec_push(ret, nwf_strdup(program_name));
    nwf_vec_push(ret, nwf_asprintf("--db=%s", cli->db));
    nwf_vec_push(ret, nwf_asprintf("--timeout=%u", cli->timeout_ms / 1000));
    if (cli->filter_dir) {
        nwf_vec_push(ret, nwf_asprintf("--filter-dir=%s", cli->filter_dir));
    }
    nwf_vec_push(ret, nwf_strdup(verb));
    if (!strcmp(verb, "manage")) {
        nwf_manage_list_options(ret);
    }
    nwf_vec_push(ret, nwf_strdup("--"));
    nwf_vec_push(ret, nwf_strdup(bridge));
    nwf_vec_push(ret, NULL);
}

static void
run_child(char **argv, int complaints)
{
    int null = open("/dev/null", O_RDWR);
    sigset_t none;

    sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0
        || dup2(complaints, STDERR_FILENO) < 0) {
        _exit(NWF_EXIT_ERROR);
    }
    execv("/proc/self/exe", argv);
    _exit(NWF_EXIT_ERROR);
}

/* The last line that is no more than a part of one. */
static void
read_complaint(int fd, char complaint[COMPLAINT_MAX])
{
    char text[COMPLAINT_MAX];
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0 || (got < 0 && errno == EINTR)) {
        n += got > 0 ? (size_t) got : 0;
        if (n == sizeof text - 1) {
            n /= 2;
            memmove(text, text + sizeof text - 1 - n, n);
        }
    }
    while (n && text[n - 1] == '\n') {
        n--;
    }
    text[n] = '\0';
    const char *line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
    const char *name = "ovs-nwfilter: ";
    ovs_strlcpy(complaint, strncmp(line, name, strlen(name)) ? line : line + strlen(name),
                COMPLAINT_MAX);
}

static int
run_self(const struct nwf_cli *cli, const char *verb, const char *bridge, struct nwf_error *err)
{
    struct nwf_words command CLEANUP(nwf_words_clear) = {.data = NULL};
    char complaint[COMPLAINT_MAX];
    int ends[2], status = -1;

    list_command(cli, verb, bridge, &command);
    if (pipe2(ends, O_CLOEXEC) < 0) {
        return nwf_error_set(err, -errno, "%s: %s", verb, ovs_strerror(errno));
    }
    pid_t child = fork();
    if (!child) {
        run_child(command.data, ends[1]);
    }
    close(ends[1]);
    read_complaint(ends[0], complaint);
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == NWF_EXIT_OK) {
        return 0;
    }
    return nwf_error_set(err, -EIO, "%s: %s", verb,
                         *complaint ? complaint : "it did not come to its end");
}

/* ---- Notes. ---- */

/* NULL removes it. */
static int
write_note(struct nwf_ovsdb *db, const char *name, const char *note, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, name, &bridges, err);

    if (!bridge) {
        return -ENOENT;
    }
    return nwf_ovsdb_write_tags(
        db, &(struct nwf_tag_change){.bridge = bridge->row, .key = NWF_BRIDGE_MOVED, .value = note},
        1, err);
}

/* ---- There. ---- */

static int
adopt(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_routed_job *job,
      nwf_routed_say *say, struct nwf_error *err)
{
    int r;

    say("putting the uplink onto the bridge");
    if ((r = nwf_adoption_join(db, job->bridge, &job->adoption, err))
        || (r = run_self(cli, "manage", job->bridge, err))) { /* Not before flows know it. */
        return r;
    }
    say("moving its addresses and routes to the bridge's device");
    return nwf_adoption_move(job->bridge, &job->adoption, err);
}

/* Gateways that did not answer before are not expected to do so now. */
static int
check_gateways(const struct nwf_routed_job *job, struct nwf_error *err)
{
    const long long int end = time_msec() + GATEWAY_MS;
    const char *device = nwf_routed_device(job, true);

    nwf_vec_foreach (gateway, &job->gateways) {
        bool answers = !gateway->answers;
        int r = answers ? 0 : nwf_gateway_forget(device, &gateway->address, err);
        while (!r && !answers) {
            r = nwf_gateway_probe(device, &gateway->address, &answers, err);
            if (!r && !answers && time_msec() >= end) {
                char *text CLEANUP_FREE = nwf_address_format(&gateway->address);
                r = nwf_error_set(err, -EHOSTUNREACH,
                                  "the gateway %s, which answered before, does not answer on %s",
                                  text, device);
            } else if (!answers) {
                poll_timer_wait(ASK_AGAIN_MS);
                poll_block();
            }
        }
        if (r) {
            return r;
        }
    }
    return 0;
}

static int
do_all(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_routed_job *job,
       nwf_routed_say *say, struct nwf_error *err)
{
    char *note CLEANUP_FREE = nwf_routed_adopts(job) ? nwf_adoption_format(&job->adoption) : NULL;
    int r = note ? write_note(db, job->bridge, note, err) : 0;

    if (r) {
        return r;
    }
    say("managing the bridge");
    if ((r = run_self(cli, "manage", job->bridge, err))
        || (note && (r = adopt(cli, db, job, say, err)))) {
        return r;
    }
    if (job->gateways.n) {
        say("looking for the gateways");
    }
    return check_gateways(job, err);
}

int
nwf_routed_do(const struct nwf_cli *cli, const struct nwf_routed_job *job, nwf_routed_say *say,
              struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_error cause = NWF_ERROR_INIT;
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, err);

    if (r || !(r = do_all(cli, db, job, say, err))) {
        return r;
    }
    say("undoing it");
    if (nwf_routed_undo(cli, job, &cause)) {
        nwf_error_wrap(err, "not all could be undone (%s), after", nwf_error_text(&cause));
    } else {
        nwf_error_wrap(err, "undone");
    }
    nwf_error_clear(&cause);
    return r;
}

/* ---- And back. ---- */

/* A bridge that was managed before is so again, as it was. */
static int
restore_tags(struct nwf_ovsdb *db, const struct nwf_routed_job *job, struct nwf_error *err)
{
    struct nwf_ovs_bridges bridges CLEANUP(nwf_ovs_bridges_clear) = {.data = NULL};
    const struct nwf_ovs_bridge *bridge = nwf_cli_read_bridge(db, job->bridge, &bridges, err);
    struct nwf_tag_change changes[NWF_N_MANAGE_KEYS + 1] = {
        [NWF_N_MANAGE_KEYS] = {.key = NWF_BRIDGE_MOVED},
    };
    int r;

    if (!bridge) {
        return -ENOENT;
    }
    changes[NWF_N_MANAGE_KEYS].bridge = bridge->row;
    for (size_t i = 0; i < NWF_N_MANAGE_KEYS; i++) {
        changes[i] = (struct nwf_tag_change){
            .bridge = bridge->row,
            .key = nwf_manage_keys[i],
            .value = nwf_tag_find(job->before.data, job->before.n, nwf_manage_keys[i])};
    }
    if ((r = nwf_record_store(job->bridge, &job->before, err))) {
        return r;
    }
    return nwf_ovsdb_write_tags(db, changes, ARRAY_SIZE(changes), err);
}

static int
give_back(const struct nwf_cli *cli, struct nwf_ovsdb *db, const struct nwf_routed_job *job,
          struct nwf_error *err)
{
    int r;

    if (!job->was_managed) {
        return run_self(cli, "unmanage", job->bridge, err);
    }
    r = restore_tags(db, job, err);
    return r ? r : run_self(cli, "sync", job->bridge, err);
}

/* Keeps the first error. */
static void
note_error(int r, struct nwf_error *cause, int *first, struct nwf_error *err)
{
    if (r && !*first) {
        *first = nwf_error_set(err, r, "%s", nwf_error_text(cause));
    }
    nwf_error_clear(cause);
}

/* What the host is reached by comes first, and does not wait for the database. */
int
nwf_routed_undo(const struct nwf_cli *cli, const struct nwf_routed_job *job, struct nwf_error *err)
{
    struct nwf_ovsdb *db CLEANUP(nwf_ovsdb_cleanup) = NULL;
    struct nwf_error cause = NWF_ERROR_INIT;
    const bool adopts = nwf_routed_adopts(job);
    int first = 0;
    int r = nwf_ovsdb_open(cli->db, NULL, cli->timeout_ms, &db, &cause);

    note_error(r, &cause, &first, err);
    if (adopts) {
        note_error(nwf_adoption_undo(r ? NULL : db, job->bridge, &job->adoption, &cause), &cause,
                   &first, err);
    }
    if (r) {
        return first;
    }
    note_error(give_back(cli, db, job, &cause), &cause, &first, err);
    if (adopts) {
        note_error(write_note(db, job->bridge, NULL, &cause), &cause, &first, err);
    }
    return first;
}
