/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that a switch has for its ports and tables.  Each is asked for once, when it is
 * first needed, on a connection of its own: that may be before it is known what format the
 * flows want, or in the middle of what another connection does. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link.h"
#include "nwf/text.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-switch.h"
#include "ports.h"

#include "lib/util.h"

static struct ofctl_switch_names *
names_of(struct ofctl *ofctl, const char *target)
{
    nwf_vec_foreach (known, &ofctl->switches) {
        if (!strcmp((*known)->target, target)) {
            return *known;
        }
    }

    struct ofctl_switch_names *names = nwf_zalloc(sizeof *names);
    names->target = nwf_strdup(target);
    ofputil_port_map_init(&names->ports);
    ofputil_table_map_init(&names->tables);
    nwf_vec_push(&ofctl->switches, names);
    return names;
}

static const struct ofputil_port_map *
ports_of(struct ofctl *ofctl, const char *target)
{
    struct ofctl_switch_names *names = names_of(ofctl, target);

    if (!names->has_ports) {
        struct ofctl_port_walk walk;
        struct ofputil_phy_port port;

        names->has_ports = true;
        struct vconn *vconn = ofctl_connect(target);
        ofctl_ports_begin(&walk, vconn);
        while (ofctl_ports_next(&walk, &port)) {
            ofputil_port_map_put(&names->ports, port.port_no, port.name);
        }
        ofctl_ports_end(&walk);
        vconn_close(vconn);
    }
    return &names->ports;
}

static const struct ofputil_table_map *
tables_of(struct ofctl *ofctl, const char *target)
{
    struct ofctl_switch_names *names = names_of(ofctl, target);

    if (!names->has_tables) {
        struct ofctl_table_walk walk;
        const struct ofputil_table_features *table;

        names->has_tables = true;
        struct vconn *vconn = ofctl_connect(target);
        ofctl_tables_begin(&walk, vconn, OFCTL_TABLE_FEATURES);
        while ((table = ofctl_tables_next(&walk))) {
            if (table->name[0]) {
                ofputil_table_map_put(&names->tables, table->table_id, table->name);
            }
        }
        ofctl_tables_end(&walk);
        vconn_close(vconn);
    }
    return &names->tables;
}

bool
ofctl_shows_names(const struct ofctl *ofctl)
{
    return ofctl->names == OFCTL_NAMES_ALWAYS
           || (ofctl->names == OFCTL_NAMES_AUTO && isatty(STDOUT_FILENO));
}

static bool
accepts_names(const struct ofctl *ofctl)
{
    return ofctl->names != OFCTL_NAMES_NEVER;
}

const struct ofputil_port_map *
ofctl_ports_to_accept(struct ofctl *ofctl, const char *target)
{
    return accepts_names(ofctl) ? ports_of(ofctl, target) : NULL;
}

const struct ofputil_table_map *
ofctl_tables_to_accept(struct ofctl *ofctl, const char *target)
{
    return accepts_names(ofctl) ? tables_of(ofctl, target) : NULL;
}

const struct ofputil_port_map *
ofctl_ports_to_show(struct ofctl *ofctl, const char *target)
{
    return ofctl_shows_names(ofctl) ? ports_of(ofctl, target) : NULL;
}

const struct ofputil_table_map *
ofctl_tables_to_show(struct ofctl *ofctl, const char *target)
{
    return ofctl_shows_names(ofctl) ? tables_of(ofctl, target) : NULL;
}

struct ofctl_words
ofctl_words_to_accept(struct ofctl *ofctl, const char *target)
{
    struct ofctl_words words;

    /* Which is asked for first shows in the messages' numbers. */
    words.tables = ofctl_tables_to_accept(ofctl, target);
    words.ports = ofctl_ports_to_accept(ofctl, target);
    return words;
}

void
ofctl_print_message(struct ofctl *ofctl, const char *target, FILE *file,
                    const struct ofpbuf *message, int verbosity)
{
    const struct ofputil_table_map *tables = ofctl_tables_to_show(ofctl, target);
    const struct ofputil_port_map *ports = ofctl_ports_to_show(ofctl, target);

    ofp_print(file, message->data, message->size, ports, tables, ofctl->verbosity + verbosity);
}

ofp_port_t
ofctl_port_number(struct ofctl *ofctl, const char *target, const char *text)
{
    ofp_port_t number;

    if (!ofputil_port_from_string(text, NULL, &number)
        && !ofputil_port_from_string(text, ofctl_ports_to_accept(ofctl, target), &number)) {
        ovs_fatal(0, "%s: unknown port `%s'", target, text);
    }
    return number;
}
