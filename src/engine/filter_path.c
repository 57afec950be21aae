/* SPDX-License-Identifier: Apache-2.0
 *
 * The filter search path; see nwf/filter_path.h. */
#include <config.h>

#include "nwf/filter_path.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "nwf-config.h"
#include "nwf/file.h"
#include "nwf/text.h"
#include "nwf/xml.h"

#define LIBVIRT_FILTERS "/etc/libvirt/nwfilter"

static bool
runs_in_build_tree(void)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    if (n < 0) {
        return false;
    }
    exe[n] = '\0';
    return !strncmp(exe, NWF_BUILD_ROOT "/", strlen(NWF_BUILD_ROOT "/"));
}

char *
nwf_data_file(const char *name)
{
    return nwf_asprintf("%s/%s", runs_in_build_tree() ? NWF_SOURCE_FLOWS : NWF_PKGDATADIR, name);
}

char *
nwf_sysconf_file(const char *name)
{
    const char *sysconfdir = getenv("OVS_SYSCONFDIR");

    return nwf_asprintf("%s/ovs-nwfilter%s%s", sysconfdir && *sysconfdir ? sysconfdir : "/etc",
                        name ? "/" : "", name ? name : "");
}

char *
nwf_filter_path_own(void)
{
    return nwf_sysconf_file("filters");
}

void
nwf_filter_path_init(struct nwf_filter_path *path, const char *first)
{
    memset(path, 0, sizeof *path);
    if (first) {
        nwf_vec_push(path, nwf_strdup(first));
    }
    nwf_vec_push(path, nwf_filter_path_own());
    nwf_vec_push(path, nwf_strdup(LIBVIRT_FILTERS));
    nwf_vec_push(path, nwf_data_file("filters"));
}

void
nwf_filter_path_finish(struct nwf_filter_path *path)
{
    nwf_vec_foreach (dir, path) {
        free(*dir);
    }
    nwf_vec_clear(path);
}

int
nwf_filter_path_read(void *aux, const char *name, char **ret_path, char **ret_data,
                     size_t *ret_size, struct nwf_error *err)
{
    const struct nwf_filter_path *path = aux;

    nwf_vec_foreach (dir, path) {
        char *file CLEANUP_FREE = nwf_asprintf("%s/%s.xml", *dir, name);
        int r = nwf_file_read(file, NWF_XML_MAX, ret_data, ret_size, err);
        if (!r) {
            *ret_path = TAKE_PTR(file);
            return 0;
        }
        /* A file that is there and cannot be read hides none further down the path:
         * which filter holds must not depend on permissions. */
        if (r != -ENOENT && r != -ENOTDIR) {
            return r;
        }
    }
    return nwf_error_set(err, -ENOENT, "no such filter");
}
