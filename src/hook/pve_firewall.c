/* SPDX-License-Identifier: Apache-2.0
 *
 * Proxmox VE's firewall files: the sets of addresses that interfaces may send from; see
 * pve_conf.h.  What else is in them is not for us. */
#include "pve_conf.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "pve_lines.h"

enum section { OTHER, OPTIONS, ALIASES, IPFILTER };

struct reader {
    struct nwf_pve_lines lines;
    enum section section;
    struct nwf_pve_net *net; /* Of the set that is being read. */
    const struct nwf_pve_aliases *own, *cluster;
    struct nwf_pve_guest *guest; /* NULL: only aliases are looked for. */
    bool seen[NWF_PVE_NETS_MAX];
};

static void
cut_comment(char *line)
{
    char *comment = strchr(line, '#');

    if (comment) {
        *comment = '\0';
    }
    (void) nwf_pve_trim(line);
}

/* ---- Sections. ---- */

/* A container's set is for what its configuration says as well, a machine's takes the place of
 * that. */
static int
begin_set(struct reader *reader, int number, struct nwf_error *err)
{
    if (number >= NWF_PVE_NETS_MAX) {
        return nwf_pve_lines_error(&reader->lines, err, "there are %d interfaces at most",
                                   NWF_PVE_NETS_MAX);
    }
    if (reader->seen[number]) {
        return nwf_pve_lines_error(&reader->lines, err, "the set ipfilter-net%d is there twice",
                                   number);
    }
    reader->seen[number] = true;
    reader->section = IPFILTER;
    reader->net = &reader->guest->nets[number];
    reader->net->has_set = true;
    if (!reader->guest->is_container) {
        nwf_pve_addresses_clear(&reader->net->ip);
        nwf_pve_addresses_clear(&reader->net->ip6);
    }
    return 0;
}

static char *
lower(char *text)
{
    for (char *p = text; *p; p++) {
        *p = (char) tolower((unsigned char) *p);
    }
    return text;
}

/* "[IPSET ipfilter-net0]", "[OPTIONS]".  Proxmox VE looks past the case of sets' names. */
static int
begin_section(struct reader *reader, struct nwf_error *err)
{
    char *rest = nwf_pve_trim(reader->lines.line + 1), *stop = strchr(rest, ']');

    reader->section = OTHER;
    if (!stop) {
        return nwf_pve_lines_error(&reader->lines, err, "\"[\" without \"]\"");
    }
    *stop = '\0';
    char *word = strsep(&rest, " \t"), *name = rest ? nwf_pve_trim(rest) : stop;
    if (!strcasecmp(word, "options")) {
        reader->section = OPTIONS;
    } else if (!strcasecmp(word, "aliases")) {
        reader->section = ALIASES;
    } else if (!strcasecmp(word, "ipset") && reader->guest) {
        int number = nwf_pve_number(lower(name), "ipfilter-net");
        return number < 0 ? 0 : begin_set(reader, number, err);
    }
    return 0;
}

/* ---- Aliases. ---- */

static int
read_alias(struct reader *reader, struct nwf_pve_aliases *aliases, struct nwf_error *err)
{
    char *value = reader->lines.line, *name = strsep(&value, " \t");

    value = value ? nwf_pve_trim(value) : "";
    if (!nwf_text_is_name(name, "-_", 80) || !*value) {
        return nwf_pve_lines_error(&reader->lines, err, "not \"NAME ADDRESS\"");
    }
    if (aliases->n == NWF_PVE_ALIASES_MAX) {
        return nwf_pve_lines_error(&reader->lines, err, "more than %d aliases",
                                   NWF_PVE_ALIASES_MAX);
    }
    nwf_vec_push(aliases, (struct nwf_pve_alias){nwf_strdup(name), nwf_strdup(value)});
    return 0;
}

/* Of several of one name the last counts, as it does for Proxmox VE. */
static const char *
find_alias(const struct nwf_pve_aliases *aliases, const char *name)
{
    for (size_t i = aliases->n; i > 0; i--) {
        if (!strcasecmp(aliases->data[i - 1].name, name)) {
            return aliases->data[i - 1].value;
        }
    }
    return NULL;
}

/* The guest's own come before the cluster's; "guest/NAME" and "dc/NAME" say which is meant. */
static const char *
resolve(const struct reader *reader, const char *name)
{
    const char *value = NULL;

    if (strncasecmp(name, "dc/", 3)) {
        value = find_alias(reader->own, strncasecmp(name, "guest/", 6) ? name : name + 6);
    }
    if (!value && strncasecmp(name, "guest/", 6)) {
        value = find_alias(reader->cluster, strncasecmp(name, "dc/", 3) ? name : name + 3);
    }
    return value;
}

int
nwf_pve_aliases_parse(const char *file, const char *data, size_t size,
                      struct nwf_pve_aliases *aliases, struct nwf_error *err)
{
    struct reader reader = {.section = OTHER};
    int r = nwf_pve_lines_begin(&reader.lines, file, data, size, err);

    while (!r && nwf_pve_lines_next(&reader.lines)) {
        cut_comment(reader.lines.line);
        if (*reader.lines.line == '[') {
            r = begin_section(&reader, err);
        } else if (*reader.lines.line && reader.section == ALIASES) {
            r = read_alias(&reader, aliases, err);
        }
    }
    nwf_pve_lines_end(&reader.lines);
    return r;
}

void
nwf_pve_aliases_clear(struct nwf_pve_aliases *aliases)
{
    nwf_vec_foreach (alias, aliases) {
        free(alias->name);
        free(alias->value);
    }
    nwf_vec_clear(aliases);
}

/* ---- Sets and options. ---- */

static int
read_member(struct reader *reader, struct nwf_error *err)
{
    struct nwf_error cause = NWF_ERROR_INIT;
    const char *text = reader->lines.line, *value = text;

    if (*text == '!') {
        return nwf_pve_lines_error(&reader->lines, err,
                                   "an exception (\"!\") cannot be said in a variable");
    }
    if (isalpha((unsigned char) *text) && !strchr(text, ':')) {
        value = resolve(reader, text);
    }
    if (!value) {
        return nwf_pve_lines_error(&reader->lines, err, "no alias \"%.80s\"", text);
    }
    int r = nwf_pve_add_address(reader->net, value, NWF_PVE_NETWORK, &cause);
    if (r) {
        r = nwf_pve_lines_error(&reader->lines, err, "%s", nwf_error_text(&cause));
    }
    nwf_error_clear(&cause);
    return r;
}

static int
read_option(struct reader *reader, struct nwf_error *err)
{
    char *value = reader->lines.line, *key = nwf_pve_trim(strsep(&value, ":"));

    if (strcasecmp(key, "ipfilter") && strcasecmp(key, "macfilter")) {
        return 0;
    }
    value = value ? nwf_pve_trim(value) : "";
    if (strcmp(value, "0") && strcmp(value, "1")) {
        return nwf_pve_lines_error(&reader->lines, err, "%s is 0 or 1", key);
    }
    if (!strcasecmp(key, "ipfilter")) {
        reader->guest->ipfilter = *value == '1';
    } else {
        reader->guest->no_macfilter = *value == '0';
    }
    return 0;
}

static int
read_line(struct reader *reader, struct nwf_error *err)
{
    cut_comment(reader->lines.line);
    if (*reader->lines.line == '[') {
        return begin_section(reader, err);
    }
    if (!*reader->lines.line) {
        return 0;
    }
    if (reader->section == IPFILTER) {
        return read_member(reader, err);
    }
    return reader->section == OPTIONS ? read_option(reader, err) : 0;
}

int
nwf_pve_firewall_parse(const char *file, const char *data, size_t size,
                       const struct nwf_pve_aliases *cluster, struct nwf_pve_guest *guest,
                       struct nwf_error *err)
{
    struct nwf_pve_aliases own CLEANUP(nwf_pve_aliases_clear) = {.data = NULL};
    struct reader reader = {.own = &own, .cluster = cluster, .guest = guest};
    int r;

    if ((r = nwf_pve_aliases_parse(file, data, size, &own, err))
        || (r = nwf_pve_lines_begin(&reader.lines, file, data, size, err))) {
        return r;
    }
    while (!r && nwf_pve_lines_next(&reader.lines)) {
        r = read_line(&reader, err);
    }
    nwf_pve_lines_end(&reader.lines);
    return r;
}
