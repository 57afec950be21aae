/* SPDX-License-Identifier: Apache-2.0
 *
 * hook install and hook uninstall: the script by which libvirt finds our hook.
 *
 * libvirt runs the scripts of hooks/qemu.d in the order of their names, and remembers whether
 * there are any until its daemon is told to reload. */
#include <config.h>

#include "hook.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/file.h"
#include "nwf/text.h"

#include "lib/util.h"

#define SCRIPT "50-ovs-nwfilter"
#define SCRIPT_MAX 65536

/* What tells our script from others'. */
#define MARK                                                                                       \
    "#!/bin/sh\n# Written by ovs-nwfilter; \"ovs-nwfilter hook uninstall libvirt\" removes it.\n"
/* What stands there around the program's path.  A domain's name may begin with a dash. */
#define BEFORE "exec '"
#define BEHIND "' hook libvirt -- \"$@\"\n"

static const char *directory = "/etc/libvirt/hooks";
static const char *rundir = "/run";

const struct nwf_option nwf_hook_install_options[] = {
    {"directory", "DIR", nwf_option_text, &directory,
     "where libvirt looks for hooks (/etc/libvirt/hooks)"},
    {"rundir", "DIR", nwf_option_text, &rundir, "where libvirt's pid files are (/run)"},
    {.name = NULL},
};

/* ---- libvirt's daemons. ---- */

/* Whether the process is that program: a pid file may be left from one that has gone. */
static bool
is_running(pid_t pid, const char *program)
{
    char *path CLEANUP_FREE = nwf_asprintf("/proc/%ld/comm", (long) pid);
    char *name CLEANUP_FREE = NULL;
    size_t size;

    if (nwf_file_read(path, 256, &name, &size, NULL)) {
        return false;
    }
    name[strcspn(name, "\n")] = '\0';
    return !strcmp(name, program);
}

static void
reload(const char *program)
{
    char *path CLEANUP_FREE = nwf_asprintf("%s/%s.pid", rundir, program);
    char *text CLEANUP_FREE = NULL;
    size_t size;
    int64_t pid;

    if (nwf_file_read(path, 64, &text, &size, NULL)) {
        return;
    }
    text[strcspn(text, "\n")] = '\0';
    if (nwf_parse_int(text, 1, INT32_MAX, &pid) && is_running((pid_t) pid, program)
        && kill((pid_t) pid, SIGHUP)) {
        nwf_cli_complain_of(program, "it could not be told to reload; restart it");
    }
}

static void
reload_all(void)
{
    reload("libvirtd");
    reload("virtqemud");
}

/* ---- The script. ---- */

/* Whether the text is as we write it, with whatever program. */
static bool
is_as_written(const char *text)
{
    static const char start[] = MARK BEFORE;

    return !strncmp(text, start, strlen(start))
           && !strcmp(text + strlen(start) + strcspn(text + strlen(start), "'\n"), BEHIND);
}

/* Whether the file at 'path' is ours: -ENOENT if there is none, -EEXIST if it is another's, or if
 * somebody has made it his own. */
static int
check_script(const char *path, struct nwf_error *err)
{
    char *data CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(path, SCRIPT_MAX, &data, &size, err);

    if (r) {
        return r;
    }
    if (strncmp(data, MARK, strlen(MARK))) {
        return nwf_error_set(err, -EEXIST, "%s: not written by ovs-nwfilter, so it stays as it is",
                             path);
    }
    return strlen(data) == size && is_as_written(data)
               ? 0
               : nwf_error_set(err, -EEXIST,
                               "%s: changed since ovs-nwfilter has written it, so it stays as it "
                               "is; move it away first",
                               path);
}

/* The program that runs now is the one to be run. */
static int
find_program(char **ret, struct nwf_error *err)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);

    if (n < 0 || (size_t) n >= sizeof path) {
        return nwf_error_set(err, -EIO, "/proc/self/exe: %s",
                             n < 0 ? strerror(errno) : "too long a path");
    }
    path[n] = '\0';
    if (strpbrk(path, "'\n")) { /* It is quoted for the shell. */
        return nwf_error_set(err, -EINVAL, "%s: not a path for a script", path);
    }
    if (strncmp(path, "/usr/bin/", 9) && strncmp(path, "/usr/sbin/", 10)) {
        nwf_cli_complain_of(path, "libvirtd's AppArmor profile lets hooks run programs only in "
                                  "/usr/bin and /usr/sbin: guests may not start");
    }
    *ret = nwf_strdup(path);
    return 0;
}

static int
make_directory(const char *path, struct nwf_error *err)
{
    return mkdir(path, 0755) && errno != EEXIST
               ? nwf_error_set(err, -errno, "%s: %s", path, strerror(errno))
               : 0;
}

static int
check_family(const struct nwf_cli *cli, struct nwf_error *err)
{
    return strcmp(cli->argv[0], "libvirt") ? nwf_error_set(
               err, -EINVAL, "\"%.80s\": only libvirt has hooks to install", cli->argv[0])
                                           : 0;
}

int
nwf_hook_install(struct nwf_cli *cli, struct nwf_error *err)
{
    char *of_qemu CLEANUP_FREE = nwf_asprintf("%s/qemu.d", directory);
    char *path CLEANUP_FREE = nwf_asprintf("%s/" SCRIPT, of_qemu);
    char *program CLEANUP_FREE = NULL;
    int r;

    if ((r = check_family(cli, err)) || (r = find_program(&program, err))
        || (r = make_directory(directory, err)) || (r = make_directory(of_qemu, err))) {
        return r;
    }
    r = check_script(path, err);
    if (r && r != -ENOENT) {
        return r;
    }
    nwf_error_clear(err);
    char *script CLEANUP_FREE = nwf_asprintf(MARK BEFORE "%s" BEHIND, program);
    if ((r = nwf_file_write_program(path, script, strlen(script), err))) {
        return r;
    }
    reload_all();
    return NWF_EXIT_OK;
}

int
nwf_hook_uninstall(struct nwf_cli *cli, struct nwf_error *err)
{
    char *path CLEANUP_FREE = nwf_asprintf("%s/qemu.d/" SCRIPT, directory);
    int r = check_family(cli, err);

    if (r) {
        return r;
    }
    if ((r = check_script(path, err))) {
        if (r == -ENOENT) {
            nwf_error_clear(err);
            return NWF_EXIT_OK;
        }
        return r;
    }
    if (unlink(path)) {
        return nwf_error_set(err, -errno, "%s: %s", path, strerror(errno));
    }
    reload_all();
    return NWF_EXIT_OK;
}
