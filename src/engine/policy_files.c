/* SPDX-License-Identifier: Apache-2.0
 *
 * Policy files; see nwf/policy_files.h. */
#include <config.h>

#include "nwf/policy_files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "nwf/file.h"
#include "nwf/filter_path.h"
#include "nwf/text.h"

static int
add_file(struct nwf_policies *policies, const char *path, struct nwf_error *err)
{
    char *data CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(path, NWF_POLICY_FILE_MAX, &data, &size, err);

    if (r) {
        return r;
    }
    return nwf_policies_add_json(policies, path, data, size, err);
}

/* The first error is kept. */
static void
note_broken(struct nwf_policies *policies, struct nwf_error *err)
{
    if (!policies->broken.text) {
        policies->broken = *err;
    } else {
        nwf_error_clear(err);
    }
}

static int
is_policy(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return *entry->d_name != '.' && n > 5 && !strcmp(entry->d_name + n - 5, ".json");
}

static int
compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

void
nwf_policies_load(struct nwf_policies *policies)
{
    char *dir CLEANUP_FREE = nwf_sysconf_file("policy.d");
    struct nwf_error err = NWF_ERROR_INIT;
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, is_policy, compare_names);

    if (n < 0 && errno != ENOENT) {
        nwf_error_set(&err, -errno, "%s: %s", dir, strerror(errno));
        note_broken(policies, &err);
    }
    if (n > NWF_POLICY_FILES_MAX) {
        nwf_error_set(&err, -E2BIG, "%s: more than %d files", dir, NWF_POLICY_FILES_MAX);
        note_broken(policies, &err);
    }
    for (int i = 0; i < n; i++) {
        char *path CLEANUP_FREE = nwf_asprintf("%s/%s", dir, entries[i]->d_name);

        err = NWF_ERROR_INIT;
        if (i < NWF_POLICY_FILES_MAX && add_file(policies, path, &err)) {
            note_broken(policies, &err);
        }
        free(entries[i]);
    }
    free(entries);
    nwf_policies_index(policies);
}
