/* SPDX-License-Identifier: Apache-2.0
 *
 * Says when files in some directories may have changed, by inotify.
 *
 * A directory need not exist: the directories above it are watched too, so that one that is made,
 * removed, moved or replaced later is noticed.  Not noticed are changes of a file that a symbolic
 * link leads to, and file systems that are mounted over a directory. */
#ifndef NWF_WATCH_H
#define NWF_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "nwf/cleanup.h"

struct nwf_watch;

/* Watches the directories at the 'n' 'paths'. */
struct nwf_watch *nwf_watch_new(const char *const *paths, size_t n);
void nwf_watch_free(struct nwf_watch *watch);
DEFINE_CLEANUP(struct nwf_watch, nwf_watch, nwf_watch_free)

/* Whether something may have changed since the last call.  Never blocks.  A file that is being
 * written counts when its writer closes it. */
bool nwf_watch_run(struct nwf_watch *watch);

/* A descriptor that is readable when nwf_watch_run() has something to do; each call of that may
 * replace it.  Negative: the system has no watches left.  Then the caller has to look for changes
 * by itself; each nwf_watch_run() tries again, and returns true when it has succeeded. */
int nwf_watch_fd(const struct nwf_watch *watch);

#endif
