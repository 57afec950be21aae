/* SPDX-License-Identifier: Apache-2.0
 *
 * A guest's configuration; see pve_conf.h.
 *
 * Proxmox VE writes "key: value" lines, with the description as comments before them, and behind
 * them sections for what is pending and for each snapshot.  A line that it would not read itself
 * is an error: what the guest gets then is not known. */
#include "pve_conf.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "nwf/value.h"
#include "pve_lines.h"

/* Properties of one key. */
#define PROPERTIES_MAX 64

struct reader {
    struct nwf_pve_lines lines;
    struct nwf_pve_guest *guest;
    char *filter; /* Asked for in the description, for all interfaces. */
    unsigned int filter_line;
    unsigned int address_lines[NWF_PVE_NETS_MAX]; /* Of ipconfigN. */
};

/* ---- Properties: "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1". ---- */

struct property {
    char *key; /* "": the key is left out, as may be done with the first one's. */
    char *value;
};

struct properties {
    struct property list[PROPERTIES_MAX];
    size_t n;
};

static int
add_property(const struct reader *reader, char *text, struct properties *ret, struct nwf_error *err)
{
    char *equals = strchr(text, '=');
    struct property property = {equals ? text : "", equals ? equals + 1 : text};

    if (equals) {
        *equals = '\0';
    }
    property.key = equals ? nwf_pve_trim(property.key) : property.key;
    property.value = nwf_pve_trim(property.value);
    if ((equals && !*property.key) || !*property.value) {
        return nwf_pve_lines_error(&reader->lines, err, "a property has no %s",
                                   *property.value ? "name" : "value");
    }
    for (size_t i = 0; i < ret->n; i++) {
        if (!strcmp(ret->list[i].key, property.key)) {
            return nwf_pve_lines_error(&reader->lines, err, "property \"%.40s\" is there twice",
                                       property.key);
        }
    }
    if (ret->n == PROPERTIES_MAX) {
        return nwf_pve_lines_error(&reader->lines, err, "more than %d properties", PROPERTIES_MAX);
    }
    ret->list[ret->n++] = property;
    return 0;
}

/* The strings stay parts of 'value', which is taken apart. */
static int
read_properties(const struct reader *reader, char *value, struct properties *ret,
                struct nwf_error *err)
{
    char *rest = value, *part;

    ret->n = 0;
    while ((part = strsep(&rest, ","))) {
        int r = *nwf_pve_trim(part) ? add_property(reader, nwf_pve_trim(part), ret, err) : 0;
        if (r) {
            return r;
        }
    }
    return 0;
}

/* ---- netN. ---- */

static bool
is_mac(const char *text)
{
    static const char form[] = "xx:xx:xx:xx:xx:xx";
    size_t i;

    for (i = 0; form[i] && (form[i] == ':' ? text[i] == ':' : isxdigit((unsigned char) text[i]));
         i++) {
    }
    return !form[i] && !text[i];
}

static int
take_mac(const struct reader *reader, struct nwf_pve_net *net, const char *value,
         struct nwf_error *err)
{
    struct nwf_mac mac;

    if (!is_mac(value) || nwf_mac_parse(value, &mac, NULL)) {
        return nwf_pve_lines_error(&reader->lines, err, "\"%.80s\" is not a MAC address", value);
    }
    if (mac.octets[0] & 1) {
        return nwf_pve_lines_error(&reader->lines, err, "MAC address %s is a group's", value);
    }
    if (net->mac) {
        return nwf_pve_lines_error(&reader->lines, err, "two MAC addresses");
    }
    net->mac = nwf_strdup(value);
    return 0;
}

static int
take_bridge(const struct reader *reader, struct nwf_pve_net *net, const char *value,
            struct nwf_error *err)
{
    if (!nwf_text_is_name(value, "-_.", 15)) {
        return nwf_pve_lines_error(&reader->lines, err, "\"%.80s\" is not a bridge's name", value);
    }
    net->bridge = nwf_strdup(value);
    return 0;
}

/* Booleans as Proxmox VE's property strings take them. */
static int
take_flag(const struct reader *reader, const char *key, const char *value, bool *ret,
          struct nwf_error *err)
{
    static const char *const words[] = {"0", "1", "no", "yes", "off", "on", "false", "true"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!strcasecmp(value, words[i])) {
            *ret = i % 2;
            return 0;
        }
    }
    return nwf_pve_lines_error(&reader->lines, err, "%.40s is 0 or 1, not \"%.80s\"", key, value);
}

/* Adds an address; one that the guest gets later, such as "dhcp", is not known here. */
static int
take_address(const struct reader *reader, struct nwf_pve_net *net, const char *key,
             const char *value, struct nwf_error *err)
{
    static const char *const unknown[] = {"dhcp", "auto", "manual", "slaac"};
    struct nwf_error cause = NWF_ERROR_INIT;

    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        if (!strcmp(value, unknown[i])) {
            return 0;
        }
    }
    int r = !strchr(value, ':') == !strcmp(key, "ip")
                ? nwf_pve_add_address(net, value, NWF_PVE_HOST, &cause)
                : nwf_error_set(&cause, -EINVAL, "\"%.80s\" is of the other family", value);
    if (r) {
        r = nwf_pve_lines_error(&reader->lines, err, "%s: %s", key, nwf_error_text(&cause));
    }
    nwf_error_clear(&cause);
    return r;
}

static int
take_net_property(const struct reader *reader, struct nwf_pve_net *net, const struct property *p,
                  struct nwf_error *err)
{
    bool is_container = reader->guest->is_container;

    if (!strcmp(p->key, "bridge")) {
        return take_bridge(reader, net, p->value, err);
    }
    if (!strcmp(p->key, "firewall")) {
        return take_flag(reader, p->key, p->value, &net->firewall, err);
    }
    if (!strcmp(p->key, is_container ? "hwaddr" : "macaddr")) {
        return take_mac(reader, net, p->value, err);
    }
    if (is_container && (!strcmp(p->key, "ip") || !strcmp(p->key, "ip6"))) {
        return take_address(reader, net, p->key, p->value, err);
    }
    /* MODEL=MAC, whatever models there are. */
    return !is_container && is_mac(p->value) ? take_mac(reader, net, p->value, err) : 0;
}

/* Interface N of "netN" or "ipconfigN"; NULL: the key is another one. */
static int
find_net(const struct reader *reader, const char *key, const char *prefix, struct nwf_pve_net **ret,
         struct nwf_error *err)
{
    int number = nwf_pve_number(key, prefix);

    *ret = number >= 0 && number < NWF_PVE_NETS_MAX ? &reader->guest->nets[number] : NULL;
    return number < NWF_PVE_NETS_MAX
               ? 0
               : nwf_pve_lines_error(&reader->lines, err, "%.40s: there are %d at most", key,
                                     NWF_PVE_NETS_MAX);
}

static int
take_net(struct reader *reader, const char *key, char *value, struct nwf_pve_net *net,
         struct nwf_error *err)
{
    struct properties properties;
    int r = 0;

    if (net->line) {
        return nwf_pve_lines_error(&reader->lines, err, "%s is there twice", key);
    }
    if (!*value) {
        return nwf_pve_lines_error(&reader->lines, err, "%s has no value", key);
    }
    net->line = reader->lines.number;
    if ((r = read_properties(reader, value, &properties, err))) {
        return r;
    }
    for (size_t i = 0; !r && i < properties.n; i++) {
        r = take_net_property(reader, net, &properties.list[i], err);
    }
    return !r && net->bridge && !net->mac
               ? nwf_pve_lines_error(&reader->lines, err, "%s has no MAC address", key)
               : r;
}

static int
take_ipconfig(struct reader *reader, const char *key, char *value, struct nwf_pve_net *net,
              struct nwf_error *err)
{
    unsigned int *line = &reader->address_lines[net - reader->guest->nets];
    struct properties properties;
    int r = *line ? nwf_pve_lines_error(&reader->lines, err, "%s is there twice", key)
                  : read_properties(reader, value, &properties, err);

    *line = reader->lines.number;
    for (size_t i = 0; !r && i < properties.n; i++) {
        const struct property *p = &properties.list[i];
        if (!strcmp(p->key, "ip") || !strcmp(p->key, "ip6")) {
            r = take_address(reader, net, p->key, p->value, err);
        }
    }
    return r;
}

/* ---- The description. ---- */

static int
digit(char c)
{
    return isdigit((unsigned char) c) ? c - '0' : tolower((unsigned char) c) - 'a' + 10;
}

/* Proxmox VE writes what it takes for special as %XX. */
static void
decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        if (*p == '%' && isxdigit((unsigned char) p[1]) && isxdigit((unsigned char) p[2])) {
            char c = (char) (digit(p[1]) << 4 | digit(p[2]));
            *to++ = c ? c : ' ';
            p += 2;
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
}

static int
ask_for(struct reader *reader, char **filter, unsigned int *line, const char *name,
        struct nwf_error *err)
{
    if (*filter) {
        return nwf_pve_lines_error(&reader->lines, err, "the description names a filter twice");
    }
    if (!nwf_text_is_name(name, "-_.", 80)) {
        return nwf_pve_lines_error(&reader->lines, err,
                                   "the description: \"%.80s\" is not a filter's name", name);
    }
    *filter = nwf_strdup(name);
    *line = reader->lines.number;
    return 0;
}

/* "nwfilter: NAME" is for all interfaces, "nwfilter-netN: NAME" for one. */
static int
read_described(struct reader *reader, char *text, struct nwf_error *err)
{
    char *line = nwf_pve_trim(text), *colon = strchr(line, ':');
    struct nwf_pve_net *net;

    if (!colon || strncmp(line, "nwfilter", strlen("nwfilter"))) {
        return 0;
    }
    *colon = '\0';
    char *key = nwf_pve_trim(line), *name = nwf_pve_trim(colon + 1);
    if (!strcmp(key, "nwfilter")) {
        return ask_for(reader, &reader->filter, &reader->filter_line, name, err);
    }
    int r = find_net(reader, key, "nwfilter-net", &net, err);
    return r || !net ? r : ask_for(reader, &net->filter, &net->filter_line, name, err);
}

static int
read_description(struct reader *reader, char *text, struct nwf_error *err)
{
    char *rest = text, *line;
    int r = 0;

    decode(text);
    while (!r && (line = strsep(&rest, "\n"))) {
        r = read_described(reader, line, err);
    }
    return r;
}

/* ---- The file. ---- */

/* Whether the line is one of a container's that go to LXC as they are: "lxc.key: value", also with
 * "=". */
static bool
is_raw(const struct reader *reader, const char *line)
{
    return reader->guest->is_container && !strncmp(line, "lxc.", 4);
}

static bool
is_key(const char *key)
{
    return islower((unsigned char) *key) && nwf_text_is_name(key, "_-", 80);
}

static int
take_pair(struct reader *reader, const char *key, char *value, struct nwf_error *err)
{
    struct nwf_pve_net *net;
    int r = find_net(reader, key, "net", &net, err);

    if (r || net) {
        if (r) {
            return r;
        }
        return take_net(reader, key, value, net, err);
    }
    if (!reader->guest->is_container
        && ((r = find_net(reader, key, "ipconfig", &net, err)) || net)) {
        if (r) {
            return r;
        }
        return take_ipconfig(reader, key, value, net, err);
    }
    return strcmp(key, "description") ? 0 : read_description(reader, value, err);
}

static int
read_line(struct reader *reader, struct nwf_error *err)
{
    char *line = reader->lines.line, *colon = strchr(line, ':');

    if (*line == '#') {
        return read_description(reader, line + 1, err);
    }
    if (is_raw(reader, line)) {
        return 0;
    }
    if (colon) {
        *colon = '\0';
    }
    if (!colon || !is_key(line)) {
        return nwf_pve_lines_error(&reader->lines, err, "not \"key: value\"");
    }
    return take_pair(reader, line, nwf_pve_trim(colon + 1), err);
}

/* What is in force ends where the first section begins. */
static bool
is_section(const char *line, bool *ret_good)
{
    *ret_good = line[strlen(line) - 1] == ']';
    return *line == '[';
}

static int
read_lines(struct reader *reader, struct nwf_error *err)
{
    bool is_good;
    int r;

    while (nwf_pve_lines_next(&reader->lines)) {
        if (is_section(reader->lines.line, &is_good)) {
            return is_good ? 0 : nwf_pve_lines_error(&reader->lines, err, "\"[\" without \"]\"");
        }
        if ((r = read_line(reader, err))) {
            return r;
        }
    }
    return 0;
}

/* Interfaces for which the description does not name one get the filter of all. */
static void
spread_filter(struct reader *reader)
{
    for (size_t i = 0; reader->filter && i < NWF_PVE_NETS_MAX; i++) {
        struct nwf_pve_net *net = &reader->guest->nets[i];
        if (net->line && !net->filter) {
            net->filter = nwf_strdup(reader->filter);
            net->filter_line = reader->filter_line;
        }
    }
}

int
nwf_pve_conf_parse(const char *file, const char *data, size_t size, bool is_container,
                   struct nwf_pve_guest *ret, struct nwf_error *err)
{
    struct reader reader = {.guest = ret};

    *ret = (struct nwf_pve_guest){.is_container = is_container};
    int r = nwf_pve_lines_begin(&reader.lines, file, data, size, err);
    if (!r) {
        r = read_lines(&reader, err);
    }
    if (r) {
        nwf_pve_guest_clear(ret);
    } else {
        spread_filter(&reader);
    }
    nwf_pve_lines_end(&reader.lines);
    free(reader.filter);
    return r;
}

void
nwf_pve_guest_clear(struct nwf_pve_guest *guest)
{
    for (size_t i = 0; i < NWF_PVE_NETS_MAX; i++) {
        struct nwf_pve_net *net = &guest->nets[i];

        free(net->mac);
        free(net->bridge);
        free(net->filter);
        nwf_pve_addresses_clear(&net->ip);
        nwf_pve_addresses_clear(&net->ip6);
    }
    memset(guest, 0, sizeof *guest);
}
