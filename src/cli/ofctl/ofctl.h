/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of ovs-ofctl(8): what all of them share.
 *
 * They run once and end, and so does the library that they stand on: its options, its daemon
 * functions and its table of commands end the program with a line on stderr.  The commands do
 * the same (ovs_fatal()), which keeps the words, the program's name in front of them and the
 * exit code those of ovs-ofctl.  Nothing below this folder does that. */
#ifndef NWF_CLI_OFCTL_H
#define NWF_CLI_OFCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nwf/vec.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofp-table.h"

#include "lib/command-line.h"

struct mf_field;

/* A key that flows are sorted by; no field: the priority. */
struct ofctl_sort_key {
    const struct mf_field *field;
    bool descending;
};

/* Whether names of ports and tables stand for numbers: where the user has not said it, they
 * are taken, and shown on a terminal. */
enum ofctl_names { OFCTL_NAMES_AUTO, OFCTL_NAMES_ALWAYS, OFCTL_NAMES_NEVER };

/* The names that one switch has for its ports and tables, once they were asked for. */
struct ofctl_switch_names {
    char *target;
    bool has_ports, has_tables;
    struct ofputil_port_map ports;
    struct ofputil_table_map tables;
};

/* The options, and what was learned on the way. */
struct ofctl {
    enum ofputil_protocol allowed; /* Flow formats, of the OpenFlow versions that are allowed. */
    bool explain;                  /* Flows with where they come from, */
    const char *db, *filter_dir;   /* which is looked up there; NULL: the usual places. */
    bool force;                    /* Flows of network filters are as others'. */
    bool bundle, strict, readd, may_create, read_only, timestamp, hide_stats, pcap;
    int verbosity;
    enum ofctl_names names;
    int packet_in_format; /* -1: the best that the switch has. */
    const char *unixctl;
    NWF_VEC(struct ofctl_sort_key) sort_keys;
    NWF_VEC(struct ofctl_switch_names *) switches;
};

/* A command's options. */
static inline struct ofctl *
ofctl_of(const struct ovs_cmdl_context *ctx)
{
    return ctx->pvt;
}

/* Runs the command line of ovs-ofctl, or of ovs-nwfilter where it names one of these commands.
 * Returns the exit code; errors end the program. */
int ofctl_main(int argc, char *argv[]);

/* The bridge of this host that the target names, by its management socket, itself or its datapath,
 * in a new string; NULL if it names none. */
char *ofctl_bridge_of(const char *target);

/* Whether there is a command of this name, and no need to know more. */
bool ofctl_has_command(const char *name);

/* Finds the command that a line of ovs-nwfilter begins with, if that is one of these: options
 * may stand before it.  NULL: it is none. */
const char *ofctl_find_command(int argc, char *argv[]);

/* A line for each, in a help text, and only their names. */
void ofctl_print_commands_help(void);
void ofctl_print_command_names(void);

struct ofctl_command {
    struct ovs_cmdl_command command;
    const char *help; /* NULL: for tests of Open vSwitch, and not shown. */
};

/* The library's form of the table, with room for an end. */
void ofctl_fill_commands(struct ovs_cmdl_command *ret);

extern const struct ofctl_command ofctl_commands[];
extern const size_t ofctl_n_commands;

/* Reads the options into *ofctl; operands are from argv[optind] on. */
void ofctl_parse_options(struct ofctl *ofctl, int argc, char *argv[]);
void ofctl_usage(void);

/* A string from the library that says what is wrong, or NULL: ends the program with it. */
void ofctl_check(char *error);

/* ---- Names of ports and tables. ---- */

/* Those that may stand in what the user writes, and those to show: NULL for none.  Asks the
 * switch the first time. */
const struct ofputil_port_map *ofctl_ports_to_accept(struct ofctl *ofctl, const char *target);
const struct ofputil_table_map *ofctl_tables_to_accept(struct ofctl *ofctl, const char *target);
const struct ofputil_port_map *ofctl_ports_to_show(struct ofctl *ofctl, const char *target);
const struct ofputil_table_map *ofctl_tables_to_show(struct ofctl *ofctl, const char *target);

bool ofctl_shows_names(const struct ofctl *ofctl);

/* Prints a message as the library does, with that much more than the user has asked for. */
struct ofpbuf;
void ofctl_print_message(struct ofctl *ofctl, const char *target, FILE *file,
                         const struct ofpbuf *message, int verbosity);

/* Both that may stand in what the user writes about a switch. */
struct ofctl_words {
    const struct ofputil_table_map *tables;
    const struct ofputil_port_map *ports;
};

struct ofctl_words ofctl_words_to_accept(struct ofctl *ofctl, const char *target);

/* The port's number, from a number, a keyword or a name that the switch has. */
ofp_port_t ofctl_port_number(struct ofctl *ofctl, const char *target, const char *text);

/* ---- Changes. ---- */

/* Of a file with flows or groups: any of add, delete and so on at the beginning of each; add where
 * there is none. */
#define OFCTL_ANY_COMMAND (-2)

/* How flows, or groups, are changed: by one in the command line, or many in a file. */
struct ofctl_changes {
    int add; /* The command that adds one. */
    void (*by_text)(struct ovs_cmdl_context *ctx, const char *text, int command);
    void (*by_file)(struct ovs_cmdl_context *ctx, const char *file, int command);
};

/* As the command's operand has it: "-" is for standard input. */
void ofctl_change(struct ovs_cmdl_context *ctx, int command, const struct ofctl_changes *changes);

/* The command's flow, group or match; where it has none, all are meant. */
static inline const char *
ofctl_text(const struct ovs_cmdl_context *ctx)
{
    return ctx->argc > 2 ? ctx->argv[2] : "";
}

struct ofputil_flow_mod;

/* Bundles need OpenFlow 1.3: where none that has them is allowed, 1.4 is. */
void ofctl_require_bundles(struct ofctl *ofctl);

/* Sends flow mods one after the other, each with a barrier, or as one bundle: the one way by
 * which add-flow(s), mod-flows and del-flows change a switch. */
void ofctl_send_flow_mods(struct ofctl *ofctl, const char *target, struct ofputil_flow_mod *mods,
                          size_t n, enum ofputil_protocol usable);

/* ---- The commands, in the order of the table. ---- */

void ofctl_show(struct ovs_cmdl_context *ctx);
void ofctl_monitor(struct ovs_cmdl_context *ctx);
void ofctl_snoop(struct ovs_cmdl_context *ctx);
void ofctl_dump_desc(struct ovs_cmdl_context *ctx);
void ofctl_dump_tables(struct ovs_cmdl_context *ctx);
void ofctl_dump_table_features(struct ovs_cmdl_context *ctx);
void ofctl_dump_table_desc(struct ovs_cmdl_context *ctx);
void ofctl_dump_flows(struct ovs_cmdl_context *ctx);
void ofctl_dump_aggregate(struct ovs_cmdl_context *ctx);
void ofctl_queue_stats(struct ovs_cmdl_context *ctx);
void ofctl_queue_get_config(struct ovs_cmdl_context *ctx);
void ofctl_add_flow(struct ovs_cmdl_context *ctx);
void ofctl_add_flows(struct ovs_cmdl_context *ctx);
void ofctl_mod_flows(struct ovs_cmdl_context *ctx);
void ofctl_del_flows(struct ovs_cmdl_context *ctx);
void ofctl_replace_flows(struct ovs_cmdl_context *ctx);
void ofctl_diff_flows(struct ovs_cmdl_context *ctx);
void ofctl_add_meter(struct ovs_cmdl_context *ctx);
void ofctl_mod_meter(struct ovs_cmdl_context *ctx);
void ofctl_del_meters(struct ovs_cmdl_context *ctx);
void ofctl_dump_meters(struct ovs_cmdl_context *ctx);
void ofctl_meter_stats(struct ovs_cmdl_context *ctx);
void ofctl_meter_features(struct ovs_cmdl_context *ctx);
void ofctl_packet_out(struct ovs_cmdl_context *ctx);
void ofctl_dump_ports(struct ovs_cmdl_context *ctx);
void ofctl_dump_ports_desc(struct ovs_cmdl_context *ctx);
void ofctl_mod_port(struct ovs_cmdl_context *ctx);
void ofctl_mod_table(struct ovs_cmdl_context *ctx);
void ofctl_get_frags(struct ovs_cmdl_context *ctx);
void ofctl_set_frags(struct ovs_cmdl_context *ctx);
void ofctl_probe(struct ovs_cmdl_context *ctx);
void ofctl_ping(struct ovs_cmdl_context *ctx);
void ofctl_benchmark(struct ovs_cmdl_context *ctx);
void ofctl_dump_ipfix_bridge(struct ovs_cmdl_context *ctx);
void ofctl_dump_ipfix_flow(struct ovs_cmdl_context *ctx);
void ofctl_ct_flush_zone(struct ovs_cmdl_context *ctx);
void ofctl_ct_flush(struct ovs_cmdl_context *ctx);
void ofctl_ofp_parse(struct ovs_cmdl_context *ctx);
void ofctl_ofp_parse_pcap(struct ovs_cmdl_context *ctx);
void ofctl_add_group(struct ovs_cmdl_context *ctx);
void ofctl_add_groups(struct ovs_cmdl_context *ctx);
void ofctl_mod_group(struct ovs_cmdl_context *ctx);
void ofctl_del_groups(struct ovs_cmdl_context *ctx);
void ofctl_insert_buckets(struct ovs_cmdl_context *ctx);
void ofctl_remove_buckets(struct ovs_cmdl_context *ctx);
void ofctl_dump_groups(struct ovs_cmdl_context *ctx);
void ofctl_dump_group_stats(struct ovs_cmdl_context *ctx);
void ofctl_dump_group_features(struct ovs_cmdl_context *ctx);
void ofctl_bundle(struct ovs_cmdl_context *ctx);
void ofctl_add_tlv_map(struct ovs_cmdl_context *ctx);
void ofctl_del_tlv_map(struct ovs_cmdl_context *ctx);
void ofctl_dump_tlv_map(struct ovs_cmdl_context *ctx);
void ofctl_help(struct ovs_cmdl_context *ctx);
void ofctl_list_commands(struct ovs_cmdl_context *ctx);
void ofctl_parse_flow(struct ovs_cmdl_context *ctx);
void ofctl_parse_flows(struct ovs_cmdl_context *ctx);
void ofctl_parse_group(struct ovs_cmdl_context *ctx);
void ofctl_parse_nxm(struct ovs_cmdl_context *ctx);
void ofctl_parse_oxm(struct ovs_cmdl_context *ctx);
void ofctl_parse_actions(struct ovs_cmdl_context *ctx);
void ofctl_parse_instructions(struct ovs_cmdl_context *ctx);
void ofctl_parse_ofp10_match(struct ovs_cmdl_context *ctx);
void ofctl_parse_ofp11_match(struct ovs_cmdl_context *ctx);
void ofctl_parse_pcap(struct ovs_cmdl_context *ctx);
void ofctl_check_vlan(struct ovs_cmdl_context *ctx);
void ofctl_print_error(struct ovs_cmdl_context *ctx);
void ofctl_encode_error_reply(struct ovs_cmdl_context *ctx);
void ofctl_ofp_print(struct ovs_cmdl_context *ctx);
void ofctl_encode_hello(struct ovs_cmdl_context *ctx);
void ofctl_parse_key_value(struct ovs_cmdl_context *ctx);
void ofctl_compose_packet(struct ovs_cmdl_context *ctx);
void ofctl_parse_packet(struct ovs_cmdl_context *ctx);

#endif
