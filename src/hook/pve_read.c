/* SPDX-License-Identifier: Apache-2.0
 *
 * Proxmox VE's files; see pve_read.h. */
#include "pve_read.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/file.h"
#include "nwf/text.h"
#include "pve_entries.h"

static const char *const folders[] = {"qemu-server", "lxc"};

static char *
folder_of(const struct nwf_pve_place *place, size_t kind)
{
    return place->node
               ? nwf_asprintf("%s/nodes/%s/%s", place->directory, place->node, folders[kind])
               : nwf_asprintf("%s/%s", place->directory, folders[kind]);
}

/* ---- One guest. ---- */

/* Most guests need nobody's aliases. */
static int
read_aliases(const struct nwf_pve_place *place, struct nwf_pve_aliases *ret, struct nwf_error *err)
{
    char *path CLEANUP_FREE = nwf_asprintf("%s/firewall/cluster.fw", place->directory);
    char *data CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(path, NWF_PVE_FILE_MAX, &data, &size, err);

    if (r == -ENOENT) {
        nwf_error_clear(err);
        return 0;
    }
    if (r) {
        return r;
    }
    return nwf_pve_aliases_parse(path, data, size, ret, err);
}

static int
read_firewall(const struct nwf_pve_place *place, unsigned int vmid, struct nwf_pve_guest *guest,
              struct nwf_error *err)
{
    struct nwf_pve_aliases aliases CLEANUP(nwf_pve_aliases_clear) = {.data = NULL};
    char *path CLEANUP_FREE = nwf_asprintf("%s/firewall/%u.fw", place->directory, vmid);
    char *data CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(path, NWF_PVE_FILE_MAX, &data, &size, err);

    if (r == -ENOENT) {
        nwf_error_clear(err);
        return 0;
    }
    if (r || (r = read_aliases(place, &aliases, err))) {
        return r;
    }
    return nwf_pve_firewall_parse(path, data, size, &aliases, guest, err);
}

static int
read_conf(const struct nwf_pve_place *place, unsigned int vmid, size_t kind,
          struct nwf_pve_guest *ret, struct nwf_error *err)
{
    char *folder CLEANUP_FREE = folder_of(place, kind);
    char *path CLEANUP_FREE = nwf_asprintf("%s/%u.conf", folder, vmid);
    char *data CLEANUP_FREE = NULL;
    size_t size;
    int r = nwf_file_read(path, NWF_PVE_FILE_MAX, &data, &size, err);

    if (r) {
        return r;
    }
    return nwf_pve_conf_parse(path, data, size, kind == 1, ret, err);
}

int
nwf_pve_read_guest(const struct nwf_pve_place *place, unsigned int vmid, struct nwf_pve_guest *ret,
                   struct nwf_error *err)
{
    int r = read_conf(place, vmid, 0, ret, err);

    if (r == -ENOENT) {
        nwf_error_clear(err);
        r = read_conf(place, vmid, 1, ret, err);
    }
    if (r == -ENOENT) {
        return nwf_error_set(err, -ENOENT, "%s: it has no guest %u", place->directory, vmid);
    }
    if (!r && (r = read_firewall(place, vmid, ret, err))) {
        nwf_pve_guest_clear(ret);
    }
    return r;
}

/* ---- All guests. ---- */

void
nwf_pve_vmids_clear(struct nwf_pve_vmids *vmids)
{
    nwf_vec_clear(vmids);
}

static int
is_conf(const struct dirent *entry)
{
    size_t n = strspn(entry->d_name, "0123456789");

    return n && n <= 9 && *entry->d_name != '0' && !strcmp(entry->d_name + n, ".conf");
}

/* A folder that is not there is an error: where Proxmox VE's file system is not mounted, all
 * guests would seem to have gone. */
static int
list_folder(const char *folder, struct nwf_pve_vmids *ret, struct nwf_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, is_conf, NULL);

    if (n < 0) {
        return nwf_error_set(err, -errno, "%s: %s", folder, strerror(errno));
    }
    for (int i = 0; i < n; i++) {
        nwf_vec_push(ret, (unsigned int) strtoul(entries[i]->d_name, NULL, 10));
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int
nwf_pve_list_guests(const struct nwf_pve_place *place, struct nwf_pve_vmids *ret,
                    struct nwf_error *err)
{
    for (size_t kind = 0; kind < sizeof folders / sizeof folders[0]; kind++) {
        char *folder CLEANUP_FREE = folder_of(place, kind);
        int r = list_folder(folder, ret, err);
        if (r) {
            return r;
        }
    }
    return 0;
}
