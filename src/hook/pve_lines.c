/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines and addresses of Proxmox VE's files; see pve_lines.h. */
#include "pve_lines.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

int
nwf_pve_lines_begin(struct nwf_pve_lines *lines, const char *file, const char *data, size_t size,
                    struct nwf_error *err)
{
    *lines = (struct nwf_pve_lines){.file = file, .next = data, .end = data + size};
    if (size > NWF_PVE_FILE_MAX) {
        return nwf_error_set(err, -EFBIG, "%s: larger than %d bytes", file, NWF_PVE_FILE_MAX);
    }
    const char *zero = memchr(data, '\0', size);
    for (const char *p = data; zero && p < zero; p++) {
        lines->number += *p == '\n';
    }
    lines->number += zero != NULL;
    return zero ? nwf_pve_lines_error(lines, err, "not a text") : 0;
}

void
nwf_pve_lines_end(struct nwf_pve_lines *lines)
{
    free(lines->line);
    lines->line = NULL;
}

char *
nwf_pve_trim(char *text)
{
    size_t n;

    while (isspace((unsigned char) *text)) {
        text++;
    }
    for (n = strlen(text); n && isspace((unsigned char) text[n - 1]); n--) {
    }
    text[n] = '\0';
    return text;
}

bool
nwf_pve_lines_next(struct nwf_pve_lines *lines)
{
    while (lines->next < lines->end) {
        const char *start = lines->next;
        const char *stop = memchr(start, '\n', (size_t) (lines->end - start));

        stop = stop ? stop : lines->end;
        lines->next = stop + (stop < lines->end);
        lines->number++;
        free(lines->line);
        lines->line = nwf_strndup(start, (size_t) (stop - start));
        char *text = nwf_pve_trim(lines->line);
        memmove(lines->line, text, strlen(text) + 1);
        if (*lines->line) {
            return true;
        }
    }
    return false;
}

int
nwf_pve_lines_error(const struct nwf_pve_lines *lines, struct nwf_error *err, const char *format,
                    ...)
{
    char text[NWF_ERROR_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return nwf_error_set(err, -EINVAL, "%s:%u: %s", lines->file, lines->number, text);
}

int
nwf_pve_number(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);
    int64_t number;

    if (strncmp(text, prefix, n) || !isdigit((unsigned char) text[n])
        || (text[n] == '0' && text[n + 1]) || !nwf_parse_int(text + n, 0, INT32_MAX, &number)) {
        return -1;
    }
    return (int) number;
}

/* ---- Addresses. ---- */

static void
clear_behind(uint8_t *bytes, size_t size, unsigned int length)
{
    for (size_t i = 0; i < size; i++) {
        unsigned int kept = length > 8 * i ? length - 8 * (unsigned int) i : 0;
        if (kept < 8) {
            bytes[i] &= (uint8_t) (0xff00 >> kept);
        }
    }
}

static void
push_new(struct nwf_pve_addresses *addresses, const char *text)
{
    nwf_vec_foreach (other, addresses) {
        if (!strcmp(*other, text)) {
            return;
        }
    }
    nwf_vec_push(addresses, nwf_strdup(text));
}

int
nwf_pve_add_address(struct nwf_pve_net *net, const char *text, enum nwf_pve_meaning meaning,
                    struct nwf_error *err)
{
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    unsigned int bits = family == AF_INET ? 32 : 128;
    struct nwf_pve_addresses *list = family == AF_INET ? &net->ip : &net->ip6;
    const char *slash = strchr(text, '/');
    char *address CLEANUP_FREE = nwf_strndup(text, slash ? (size_t) (slash - text) : strlen(text));
    char buffer[INET6_ADDRSTRLEN + 4];
    int64_t length = bits;
    uint8_t bytes[16];

    if (inet_pton(family, address, bytes) != 1
        || (slash
            && (strspn(slash + 1, "0123456789") != strlen(slash + 1)
                || !nwf_parse_int(slash + 1, 0, bits, &length)))) {
        return nwf_error_set(err, -EINVAL, "\"%.80s\" is not an address", text);
    }
    if (list->n == NWF_PVE_ADDRESSES_MAX) {
        return nwf_error_set(err, -E2BIG, "more than %d addresses", NWF_PVE_ADDRESSES_MAX);
    }
    if (meaning == NWF_PVE_NETWORK) {
        clear_behind(bytes, bits / 8, (unsigned int) length);
    }
    inet_ntop(family, bytes, buffer, sizeof buffer);
    if (meaning == NWF_PVE_NETWORK && length < bits) {
        snprintf(buffer + strlen(buffer), 5, "/%d", (int) length);
    }
    push_new(list, buffer);
    return 0;
}

void
nwf_pve_addresses_clear(struct nwf_pve_addresses *addresses)
{
    nwf_vec_foreach (address, addresses) {
        free(*address);
    }
    nwf_vec_clear(addresses);
}
