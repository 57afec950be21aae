/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands to the kernel's nftables; see nft.h. */
#include <config.h>

#include "nft.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nwf/text.h"

#include "lib/util.h"

DEFINE_CLEANUP(struct nft_ctx, nft_ctx, nft_ctx_free)

/* What the kernel says where it lacks nf_tables, or a family, hook or expression of it. */
static bool
is_unsupported(const char *text)
{
    static const char *const words[] = {"Operation not supported", "Protocol not supported",
                                        "Protocol not available", "Address family not supported"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strstr(text, words[i])) {
            return true;
        }
    }
    return false;
}

int
nft_fail(struct nwf_error *err, const char *text)
{
    char line[256];
    int code = -EIO;

    ovs_strlcpy(line, *text ? text : "nftables gave no reason", sizeof line);
    line[strcspn(line, "\n")] = '\0';
    if (is_unsupported(line)) {
        return nwf_error_set(
            err, -EOPNOTSUPP,
            "this kernel lacks a part of nftables (a NIC's egress needs Linux 5.16): %s", line);
    }
    if (strstr(line, "Operation not permitted")) {
        code = -EPERM;
    } else if (strstr(line, "No such file")) {
        code = -ENOENT;
    }
    return nwf_error_set(err, code, "nftables: %s", line);
}

/* libnftables ends the process where there is no netfilter socket to be had. */
static int
check_netfilter(struct nwf_error *err)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd < 0) {
        return nft_fail(err, ovs_strerror(errno));
    }
    close(fd);
    return 0;
}

int
nft_run(const char *commands, unsigned int flags, char **ret_output, struct nwf_error *err)
{
    int r = check_netfilter(err);

    if (r) {
        return r;
    }
    CLEANUP(nft_ctx_cleanup) struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!ctx || nft_ctx_buffer_error(ctx) || nft_ctx_buffer_output(ctx)) {
        return nwf_error_set(err, -ENOMEM, "nftables cannot be used");
    }
    nft_ctx_output_set_flags(ctx, flags | NFT_CTX_OUTPUT_NUMERIC_ALL);
    if (nft_run_cmd_from_buffer(ctx, commands)) {
        return nft_fail(err, nft_ctx_get_error_buffer(ctx));
    }
    if (ret_output) {
        *ret_output = nwf_strdup(nft_ctx_get_output_buffer(ctx));
    }
    return 0;
}

int
nft_list(const char *command, json_t **ret, struct nwf_error *err)
{
    CLEANUP_FREE char *output = NULL;
    json_error_t why;
    int r = nft_run(command, NFT_CTX_OUTPUT_JSON, &output, err);

    if (r) {
        return r;
    }
    json_t *listing = json_loads(output, 0, &why);
    if (!listing) {
        return nwf_error_set(err, -EIO, "nftables: %s: a listing that is no JSON: %s", command,
                             why.text);
    }
    *ret = listing;
    return 0;
}

const json_t *
nft_next(const json_t *listing, const char *kind, size_t *at)
{
    const json_t *items = json_object_get(listing, "nftables");

    while (*at < json_array_size(items)) {
        const json_t *item = json_object_get(json_array_get(items, (*at)++), kind);
        if (item) {
            return item;
        }
    }
    return NULL;
}

const char *
nft_string(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

bool
nft_has_table(const json_t *listing, const char *family, const char *table)
{
    const json_t *item;

    for (size_t at = 0; (item = nft_next(listing, "table", &at));) {
        if (!strcmp(nft_string(item, "name"), table)
            && !strcmp(nft_string(item, "family"), family)) {
            return true;
        }
    }
    return false;
}

int
nft_find_table(const char *family, const char *table, bool *ret, struct nwf_error *err)
{
    CLEANUP(json_cleanup) json_t *tables = NULL;
    CLEANUP_FREE char *command = nwf_asprintf("list tables %s", family);
    int r = nft_list(command, &tables, err);

    *ret = !r && nft_has_table(tables, family, table);
    return r;
}

int
nft_remove_table(const char *family, const char *table, struct nwf_error *err)
{
    CLEANUP_FREE char *command = nwf_asprintf("delete table %s %s", family, table);
    bool is_there;
    int r = nft_find_table(family, table, &is_there, err);

    if (r == -EOPNOTSUPP) {
        nwf_error_clear(err);
        return 0;
    }
    if (r || !is_there) {
        return r;
    }
    r = nft_run(command, 0, NULL, err);
    return r ? r : 1;
}
