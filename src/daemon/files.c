/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of files; see files.h.
 *
 * A package or a script that brings ten files makes ten changes.  They are read once it has been
 * quiet for a moment, so that a policy does not come before the filter that it names; but a
 * change does not wait for long. */
#include <config.h>

#include "files.h"

#include <limits.h>
#include <poll.h>

#include "nwf/filter_path.h"
#include "nwf/live.h"
#include "nwf/text.h"
#include "nwf/watch.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"

#include "lib/timeval.h"
#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(nwf_files);

/* How long it has to be quiet; how long a change waits at most; how often files are read if
 * nobody tells of changes.  Milliseconds. */
#define QUIET_MS 50
#define PATIENCE_MS 1000
#define BLIND_MS 10000

struct nwf_files {
    struct nwf_live *live;
    struct nwf_watch *watch;
    long long int first, last; /* Changes that are not read yet; 0: there are none. */
    long long int next_look;   /* While nobody tells; 0: somebody does. */
};

struct nwf_files *
nwf_files_new(struct nwf_live *live, const char *filter_dir)
{
    struct nwf_files *files = nwf_zalloc(sizeof *files);
    struct nwf_filter_path path;

    files->live = live;
    nwf_filter_path_init(&path, filter_dir);
    nwf_vec_push(&path, nwf_sysconf_file("policy.d"));
    files->watch = nwf_watch_new((const char *const *) path.data, path.n);
    nwf_filter_path_finish(&path);
    return files;
}

void
nwf_files_free(struct nwf_files *files)
{
    nwf_watch_free(files->watch);
    free(files);
}

static void
note_change(struct nwf_files *files)
{
    files->last = time_msec();
    if (!files->first) {
        files->first = files->last;
    }
}

/* When what has changed is to be read. */
static long long int
due(const struct nwf_files *files)
{
    return MIN(files->last + QUIET_MS, files->first + PATIENCE_MS);
}

static void
reload(struct nwf_files *files)
{
    files->first = files->last = 0;
    VLOG_DBG("filters and policy files may have changed: reading them");
    nwf_live_reload(files->live);
}

/* Without a watch, files are read every now and then. */
static void
look_blindly(struct nwf_files *files)
{
    if (!files->next_look) {
        VLOG_WARN("no inotify watches left (see fs.inotify.max_user_watches and "
                  "max_user_instances in sysctl): reading filters and policy files every "
                  "%d seconds",
                  BLIND_MS / 1000);
    } else if (time_msec() < files->next_look) {
        return;
    } else {
        note_change(files);
    }
    files->next_look = time_msec() + BLIND_MS;
}

void
nwf_files_run(struct nwf_files *files)
{
    if (nwf_watch_run(files->watch)) {
        note_change(files);
    }
    if (nwf_watch_fd(files->watch) < 0) {
        look_blindly(files);
    } else {
        files->next_look = 0;
    }
    if (files->first && time_msec() >= due(files)) {
        reload(files);
    }
}

void
nwf_files_wait(struct nwf_files *files)
{
    if (nwf_watch_fd(files->watch) >= 0) {
        poll_fd_wait(nwf_watch_fd(files->watch), POLLIN);
    } else {
        poll_timer_wait_until(files->next_look);
    }
    if (files->first) {
        poll_timer_wait_until(due(files));
    }
}

void
nwf_files_flush(struct nwf_files *files)
{
    if (nwf_watch_run(files->watch) || files->first || nwf_watch_fd(files->watch) < 0) {
        reload(files);
    }
}
