/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of commands: names, operands, whether they change anything.  Help, lists and the
 * checks of a command line come from it. */
#include <config.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "ofctl.h"

#include "lib/util.h"

#define LINE_WIDTH 90

const struct ofctl_command ofctl_commands[] = {
    /* clang-format off */
    {{"show", "switch", 1, 1, ofctl_show, OVS_RO}, "features, ports and configuration"},
    {{"monitor", "switch [misslen] [invalid_ttl] [watch:[...]]", 1, 3, ofctl_monitor, OVS_RO},
     "print the messages that the switch sends"},
    {{"snoop", "switch", 1, 1, ofctl_snoop, OVS_RO},
     "print the messages between the switch and its controller"},
    {{"dump-desc", "switch", 1, 1, ofctl_dump_desc, OVS_RO}, "the switch's description"},
    {{"dump-tables", "switch", 1, 1, ofctl_dump_tables, OVS_RO}, "counters of tables"},
    {{"dump-table-features", "switch", 1, 1, ofctl_dump_table_features, OVS_RO},
     "what tables can do"},
    {{"dump-table-desc", "switch", 1, 1, ofctl_dump_table_desc, OVS_RO},
     "how tables are configured (OpenFlow 1.4)"},
    {{"dump-flows", "switch", 1, 2, ofctl_dump_flows, OVS_RO}, "all flows, or those that match"},
    {{"dump-aggregate", "switch", 1, 2, ofctl_dump_aggregate, OVS_RO},
     "counters of all flows, or those that match, together"},
    {{"queue-stats", "switch [port [queue]]", 1, 3, ofctl_queue_stats, OVS_RO},
     "counters of queues"},
    {{"queue-get-config", "switch [port [queue]]", 1, 3, ofctl_queue_get_config, OVS_RO},
     "how queues are configured"},
    {{"add-flow", "switch flow", 2, 2, ofctl_add_flow, OVS_RW}, "add a flow"},
    {{"add-flows", "switch file", 2, 2, ofctl_add_flows, OVS_RW}, "add a file's flows"},
    {{"mod-flows", "switch flow", 2, 2, ofctl_mod_flows, OVS_RW},
     "change the actions of the flows that match"},
    {{"del-flows", "switch [flow]", 1, 2, ofctl_del_flows, OVS_RW},
     "delete all flows, or those that match"},
    {{"replace-flows", "switch file", 2, 2, ofctl_replace_flows, OVS_RW},
     "make the flows those of a file"},
    {{"diff-flows", "source1 source2", 2, 2, ofctl_diff_flows, OVS_RW},
     "compare the flows of two switches or files"},
    {{"add-meter", "switch meter", 2, 2, ofctl_add_meter, OVS_RW}, "add a meter"},
    {{"mod-meter", "switch meter", 2, 2, ofctl_mod_meter, OVS_RW}, "change a meter"},
    {{"del-meter", "switch meter", 1, 2, ofctl_del_meters, OVS_RW}, "delete a meter"},
    {{"del-meters", "switch", 1, 2, ofctl_del_meters, OVS_RW}, "delete all meters"},
    {{"dump-meter", "switch meter", 1, 2, ofctl_dump_meters, OVS_RO}, "a meter"},
    {{"dump-meters", "switch", 1, 2, ofctl_dump_meters, OVS_RO}, "all meters"},
    {{"meter-stats", "switch [meter]", 1, 2, ofctl_meter_stats, OVS_RO}, "counters of meters"},
    {{"meter-features", "switch", 1, 1, ofctl_meter_features, OVS_RO}, "what meters can do"},
    {{"packet-out", "switch \"in_port=<port> packet=<hex data> actions=...\"", 2, INT_MAX,
      ofctl_packet_out, OVS_RW}, "have the switch send a packet"},
    {{"dump-ports", "switch [port]", 1, 2, ofctl_dump_ports, OVS_RO}, "counters of ports"},
    {{"dump-ports-desc", "switch [port]", 1, 2, ofctl_dump_ports_desc, OVS_RO},
     "ports and their state"},
    {{"mod-port", "switch iface act", 3, 3, ofctl_mod_port, OVS_RW}, "configure a port"},
    {{"mod-table", "switch mod", 3, 3, ofctl_mod_table, OVS_RW}, "configure a table"},
    {{"get-frags", "switch", 1, 1, ofctl_get_frags, OVS_RO}, "how fragments are handled"},
    {{"set-frags", "switch frag_mode", 2, 2, ofctl_set_frags, OVS_RW},
     "normal, drop, reassemble or nx-match"},
    {{"probe", "target", 1, 1, ofctl_probe, OVS_RO}, "whether the target answers"},
    {{"ping", "target [n]", 1, 2, ofctl_ping, OVS_RO}, "how fast echoes of n bytes come back"},
    {{"benchmark", "target n count", 3, 3, ofctl_benchmark, OVS_RO},
     "how fast many echoes of n bytes come back"},
    {{"dump-ipfix-bridge", "switch", 1, 1, ofctl_dump_ipfix_bridge, OVS_RO},
     "counters of the bridge's IPFIX"},
    {{"dump-ipfix-flow", "switch", 1, 1, ofctl_dump_ipfix_flow, OVS_RO},
     "counters of the flows' IPFIX"},
    {{"ct-flush-zone", "switch zone", 2, 2, ofctl_ct_flush_zone, OVS_RO},
     "forget a zone's connections"},
    {{"ct-flush", "switch [zone=N] [ct-orig-tuple [ct-reply-tuple]]", 1, 4, ofctl_ct_flush, OVS_RO},
     "forget the connections that match"},
    {{"ofp-parse", "file", 1, 1, ofctl_ofp_parse, OVS_RW}, "print a file's messages"},
    {{"ofp-parse-pcap", "pcap", 1, INT_MAX, ofctl_ofp_parse_pcap, OVS_RW},
     "print the messages in a capture"},
    {{"add-group", "switch group", 1, 2, ofctl_add_group, OVS_RW}, "add a group"},
    {{"add-groups", "switch file", 2, 2, ofctl_add_groups, OVS_RW}, "add a file's groups"},
    {{"mod-group", "switch group", 1, 2, ofctl_mod_group, OVS_RW}, "change a group"},
    {{"del-groups", "switch [group]", 1, 2, ofctl_del_groups, OVS_RW}, "delete groups"},
    {{"insert-buckets", "switch [group]", 1, 2, ofctl_insert_buckets, OVS_RW},
     "add buckets to a group"},
    {{"remove-buckets", "switch [group]", 1, 2, ofctl_remove_buckets, OVS_RW},
     "remove buckets from a group"},
    {{"dump-groups", "switch [group]", 1, 2, ofctl_dump_groups, OVS_RO}, "groups"},
    {{"dump-group-stats", "switch [group]", 1, 2, ofctl_dump_group_stats, OVS_RO},
     "counters of groups"},
    {{"dump-group-features", "switch", 1, 1, ofctl_dump_group_features, OVS_RO},
     "what groups can do"},
    {{"bundle", "switch file", 2, 2, ofctl_bundle, OVS_RW},
     "make a file's changes to flows and groups at once"},
    {{"add-tlv-map", "switch map", 2, 2, ofctl_add_tlv_map, OVS_RO},
     "give tunnel options to fields"},
    {{"del-tlv-map", "switch [map]", 1, 2, ofctl_del_tlv_map, OVS_RO},
     "take tunnel options from fields"},
    {{"dump-tlv-map", "switch", 1, 1, ofctl_dump_tlv_map, OVS_RO},
     "which field has which tunnel option"},
    {{"help", NULL, 0, INT_MAX, ofctl_help, OVS_RO}, NULL},
    {{"list-commands", NULL, 0, INT_MAX, ofctl_list_commands, OVS_RO}, NULL},

    /* For tests of Open vSwitch. */
    {{"parse-flow", NULL, 1, 1, ofctl_parse_flow, OVS_RW}, NULL},
    {{"parse-flows", NULL, 1, 1, ofctl_parse_flows, OVS_RW}, NULL},
    {{"parse-group", NULL, 1, 1, ofctl_parse_group, OVS_RW}, NULL},
    {{"parse-nx-match", NULL, 0, 0, ofctl_parse_nxm, OVS_RW}, NULL},
    {{"parse-nxm", NULL, 0, 0, ofctl_parse_nxm, OVS_RW}, NULL},
    {{"parse-oxm", NULL, 1, 1, ofctl_parse_oxm, OVS_RW}, NULL},
    {{"parse-actions", NULL, 1, 1, ofctl_parse_actions, OVS_RW}, NULL},
    {{"parse-instructions", NULL, 1, 1, ofctl_parse_instructions, OVS_RW}, NULL},
    {{"parse-ofp10-match", NULL, 0, 0, ofctl_parse_ofp10_match, OVS_RW}, NULL},
    {{"parse-ofp11-match", NULL, 0, 0, ofctl_parse_ofp11_match, OVS_RW}, NULL},
    {{"parse-pcap", NULL, 1, INT_MAX, ofctl_parse_pcap, OVS_RW}, NULL},
    {{"check-vlan", NULL, 2, 2, ofctl_check_vlan, OVS_RW}, NULL},
    {{"print-error", NULL, 1, 1, ofctl_print_error, OVS_RW}, NULL},
    {{"encode-error-reply", NULL, 2, 2, ofctl_encode_error_reply, OVS_RW}, NULL},
    {{"ofp-print", NULL, 1, 2, ofctl_ofp_print, OVS_RW}, NULL},
    {{"encode-hello", NULL, 1, 1, ofctl_encode_hello, OVS_RW}, NULL},
    {{"parse-key-value", NULL, 1, INT_MAX, ofctl_parse_key_value, OVS_RW}, NULL},
    {{"compose-packet", NULL, 1, 2, ofctl_compose_packet, OVS_RO}, NULL},
    {{"parse-packet", NULL, 0, 0, ofctl_parse_packet, OVS_RO}, NULL},
    /* clang-format on */
};

const size_t ofctl_n_commands = ARRAY_SIZE(ofctl_commands);

void
ofctl_print_commands_help(void)
{
    for (size_t i = 0; i < ofctl_n_commands; i++) {
        const struct ofctl_command *row = &ofctl_commands[i];
        if (row->help) {
            char *line CLEANUP_FREE = nwf_asprintf("%s %s", row->command.name, row->command.usage);
            printf("  %-38s %s\n", line, row->help);
        }
    }
}

void
ofctl_print_command_names(void)
{
    size_t column = 0;

    for (size_t i = 0; i < ofctl_n_commands; i++) {
        const char *name = ofctl_commands[i].command.name;
        if (!ofctl_commands[i].help) {
            continue;
        }
        if (column + strlen(name) + 2 > LINE_WIDTH) {
            putchar('\n');
            column = 0;
        }
        column += (size_t) printf("%s%s", column ? " " : "  ", name);
    }
    putchar('\n');
}
