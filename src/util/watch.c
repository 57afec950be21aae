/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories by inotify; see nwf/watch.h.
 *
 * Every directory on the path to a watched one is watched too, for the path's next component.
 * Watches are added from the root downwards: a component that is made meanwhile is noticed, since
 * its parent is watched before it is looked for.  When a component of a path changes, which is
 * rare, all watches are made anew on another descriptor. */
#include "nwf/watch.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/text.h"
#include "nwf/vec.h"

/* One mask for all: a directory that is watched twice has one watch, with the later mask.
 * IN_MODIFY is left out: a file counts once its writer has closed it. */
#define EVENTS                                                                                     \
    (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | IN_ONLYDIR)

/* Reads by one nwf_watch_run(): a stream of events must not keep the caller from other work. */
#define READS_MAX 1024

/* What a directory is watched for. */
struct look {
    int wd;
    char *dir;
    char *name; /* The path's next component; NULL: it is the path's end, where all names count. */
};

struct nwf_watch {
    char **paths;
    size_t n_paths;
    int fd; /* Negative: there are no watches. */
    NWF_VEC(struct look) looks;
};

/* ---- Adding watches. ---- */

static void
disarm(struct nwf_watch *watch)
{
    if (watch->fd >= 0) {
        close(watch->fd);
        watch->fd = -1;
    }
    nwf_vec_foreach (look, &watch->looks) {
        free(look->dir);
        free(look->name);
    }
    nwf_vec_clear(&watch->looks);
}

/* Takes 'dir' and 'name'. */
static int
add_look(struct nwf_watch *watch, char *dir, char *name)
{
    int wd = inotify_add_watch(watch->fd, dir, EVENTS);

    if (wd < 0) {
        int r = -errno;
        free(dir);
        free(name);
        return r;
    }
    nwf_vec_push(&watch->looks, (struct look){.wd = wd, .dir = dir, .name = name});
    return 0;
}

/* Where a component is missing, the directory that it will appear in is watched last. */
static int
arm_path(struct nwf_watch *watch, const char *path)
{
    const char *name = path;

    for (;;) {
        size_t n_before = (size_t) (name - path);
        char *dir = n_before ? nwf_strndup(path, n_before) : nwf_strdup(".");
        name += strspn(name, "/");
        if (*path == '/' && !n_before) {
            free(dir);
            dir = nwf_strdup("/");
        }
        size_t n = strcspn(name, "/");
        int r = add_look(watch, dir, n ? nwf_strndup(name, n) : NULL);
        if (r || !n) {
            return r == -ENOSPC || r == -ENOMEM ? r : 0;
        }
        name += n;
    }
}

static void
arm(struct nwf_watch *watch)
{
    disarm(watch);
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    for (size_t i = 0; i < watch->n_paths && watch->fd >= 0; i++) {
        if (arm_path(watch, watch->paths[i])) {
            disarm(watch);
        }
    }
}

struct nwf_watch *
nwf_watch_new(const char *const *paths, size_t n)
{
    struct nwf_watch *watch = nwf_zalloc(sizeof *watch);

    watch->paths = nwf_zalloc((n + 1) * sizeof *watch->paths);
    watch->n_paths = n;
    watch->fd = -1;
    for (size_t i = 0; i < n; i++) {
        watch->paths[i] = nwf_strdup(paths[i]);
    }
    arm(watch);
    return watch;
}

void
nwf_watch_free(struct nwf_watch *watch)
{
    disarm(watch);
    for (size_t i = 0; i < watch->n_paths; i++) {
        free(watch->paths[i]);
    }
    free(watch->paths);
    free(watch);
}

int
nwf_watch_fd(const struct nwf_watch *watch)
{
    return watch->fd;
}

/* ---- Events. ---- */

/* What an event says, the more important ones last. */
enum change { NOTHING, FILES, PATHS };

/* Whether the file that was just made has yet to be written, after which IN_CLOSE_WRITE comes.
 * Links are complete when they are made. */
static bool
is_unfinished(const char *dir, const char *name)
{
    char *path CLEANUP_FREE = nwf_asprintf("%s/%s", dir, name);
    struct stat st;

    return !lstat(path, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

static enum change
judge_look(const struct look *look, const struct inotify_event *event)
{
    const char *name = event->len ? event->name : "";

    if (look->name) {
        return strcmp(look->name, name) ? NOTHING : PATHS;
    }
    return event->mask & IN_CREATE && is_unfinished(look->dir, name) ? NOTHING : FILES;
}

static enum change
judge(const struct nwf_watch *watch, const struct inotify_event *event)
{
    enum change change = NOTHING;

    if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_UNMOUNT)) {
        return PATHS;
    }
    nwf_vec_foreach (look, &watch->looks) {
        if (look->wd == event->wd) {
            enum change seen = judge_look(look, event);
            change = seen > change ? seen : change;
        }
    }
    return change;
}

static enum change
judge_events(const struct nwf_watch *watch, const char *events, size_t size)
{
    enum change change = NOTHING;

    for (size_t at = 0; at < size && change != PATHS;) {
        const struct inotify_event *event = (const void *) (events + at);
        enum change seen = judge(watch, event);
        change = seen > change ? seen : change;
        at += sizeof *event + event->len;
    }
    return change;
}

bool
nwf_watch_run(struct nwf_watch *watch)
{
    char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    enum change change = watch->fd < 0 ? PATHS : NOTHING;

    for (int i = 0; i < READS_MAX && change != PATHS; i++) {
        ssize_t n = read(watch->fd, events, sizeof events);
        if (n <= 0) {
            break;
        }
        enum change seen = judge_events(watch, events, (size_t) n);
        change = seen > change ? seen : change;
    }
    if (change == PATHS) {
        arm(watch);
        return watch->fd >= 0;
    }
    return change != NOTHING;
}
