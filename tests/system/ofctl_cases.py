# SPDX-License-Identifier: Apache-2.0
"""Command lines of ovs-ofctl, for ofctl.py: each is run with Open vSwitch's program and with ours.

"LINE <<< TEXT" gives TEXT as standard input, with \\n for a new line; @NAME stands for the path of
a file of FILES, or its content as standard input.  A case of several lines is a conversation with one switch.
"""

import struct

FILES = {
    "flows": "in_port=1,actions=2\n# a comment\n\ntable=3,priority=5,tcp,tp_dst=80 actions=drop\n"
             "table=1,reg0=5/0xff,idle_timeout=30,hard_timeout=40,cookie=0x7,actions=resubmit(,2)\n",
    "of10": "in_port=1,actions=2\nin_port=2,actions=output:1\npriority=3,ip,nw_src=10.0.0.0/8,"
            "actions=NORMAL\n",
    "more": "in_port=1,actions=3\nin_port=2,actions=output:1\npriority=3,ip,nw_src=10.0.0.0/8,"
            "idle_timeout=5,actions=NORMAL\npriority=9,udp,actions=drop\ncookie=9,arp,actions=2\n",
    "mods": "add in_port=1,actions=2\nmodify in_port=1,actions=3\nin_port=2,actions=drop\n"
            "delete_strict in_port=2\nmodify_strict in_port=4,actions=drop\ndelete in_port=9\n",
    "bad": "in_port=1,actions=2\nin_port=2,actions=foo\n",
    "refused": "in_port=1,actions=2\nin_port=2,actions=group:77\nin_port=3,actions=2\n",
    "empty": "",
    "flags": "in_port=7,send_flow_rem,check_overlap,reset_counts,no_packet_counts,no_byte_counts,"
             "importance=4,actions=drop\n",
    "named": "in_port=p1,actions=output:p2\n",
    "tunnel": "priority=0,tun_metadata0=0,actions=drop\n"
              "priority=1,tun_metadata1=0xef/0xff,tun_metadata0=0xabcd,actions=drop\n"
              "priority=2,tun_metadata0=0xffffffff,actions=drop\n",
    "tunnel2": "priority=2,tun_metadata0=0xffffffff,actions=drop\npriority=0,tun_metadata0=0,actions=drop\n"
               "priority=1,tun_metadata0=0xabcd,tun_metadata1=0xef/0xff,actions=2\n",
    "many": "".join(f"table={i % 3},priority={i % 7},in_port={i},dl_vlan={i % 5},actions=drop\n"
                    f"priority={i},ip,nw_dst=10.{i % 200}.0.0/{9 + i % 20},actions=output:{i % 9}\n"
                    for i in range(300)),
    "groups": "group_id=1,type=all,bucket=output:1\ngroup_id=2,type=select,bucket=weight:5,output:1,"
              "bucket=output:2\nmodify group_id=1,type=indirect,bucket=output:2\n",
    "bundle": "flow add in_port=1,actions=2\ngroup group_id=5,type=all,bucket=output:1\n"
              "flow in_port=2,actions=group:5\nflow delete_strict in_port=1\n"
              "packet-out in_port=1,packet=505400000001505400000002080045,actions=2\n",
    "bundle-bad": "flow add in_port=1,actions=2\nflow in_port=2,actions=group:99\n",
    "messages": b"\x01\x00\x00\x08\x12\x34\x56\x78\x04\x12\x00\x10\0\0\0\x05\0\0\0\0\0\0\0\0",
    "cut": b"\x01\x00\x00\x08\x12\x34\x56\x78\x04\x12\x00",
    "match10": "003820fe fffe xxxxxxxxxxxx xxxxxxxxxxxx xxxx xx xx xxxx xx xx xxxx xxxxxxxx xxxxxxxx xxxx xxxx\n\n"
               "0038208f xxxx xxxxxxxxxxxx xxxxxxxxxxxx xxxx xx xx 0800 xx 15 xxxx xxxxxxxx xxxxxxxx 01bb xxxx\n"
               "003820fe fffe 000000000000 000000000000 0000 03 02 0000 00 00 0000 00000000 00000000 0000 0000\n"
               "003820fe fffe\n",
    "match11": "".join(f"0000 0058 {start} 000000000000ffffffffffff 000000000000ffffffffffff 0000 03 00 0000 00 00 "
                       "00000000ffffffff 00000000ffffffff 0000 0000 00000000 00 000000 0000000000000000ffffffffffffffff\n"
                       for start in ("fffffffe 000003fe", "12345678 000003fe", "00000001 000003fa")) + "0000\n",
    "nxm": "<any>\n\n# in port\nNXM_OF_IN_PORT(0001) # one\nNXM_OF_IN_PORT(0001), NXM_OF_ETH_SRC(020898456ddb)\n"
           "NXM_OF_ETH_DST_W(ffffffffffff/010000000000)\nNXM_OF_IN_PORT(0001), NXM_OF_IN_PORT(0001)\n"
           "NXM_OF_IP_SRC(C0A80001)\nNXM_OF_IN_PORT(0001), 01020304(1111/3333), NXM_OF_ETH_TYPE(0800)\n"
           "OXM_OF_IN_PORT(00000001), OXM_OF_ETH_TYPE(0800)\nNXM_OF_VLAN_TCI_W(1fff/00ff)\n",
    "actions": "0000 0010 fffffffe 04d2 000000000000\n\n# foo\n 0000 0008 0001 04d2 # bar\n"
               "ffff 0010 00002320 0001 0005 0000 0000\n0001 0009\nzz\n",
    "instructions": "2,0001 0008 01 000000\n2,0001 0008 03 000000\n0001 0008 00 000000\n,0001 0008 01 000000\n"
                    "255,0001 0008 01 000000\n300,0001 0008 01 000000\n0001 0008 01 000000\n0004 0018 00000000 0000 0010 fffffffe 04d2 000000000000\n"
                    "0003 0018 00000000 0000 0010 fffffffe 04d2 000000000000\n"
                    "0001 0008 01 000000 0004 0018 00000000 0000 0010 fffffffe 04d2 000000000000\n0004 0009 01\n",
    "capture": None,  # capture() makes it.
    "short": b"\x01\x00\x00\x04\x12\x34\x56\x78",
}



def capture():
    """A capture of connections that speak OpenFlow, more or less, and of one that does not."""
    hello, echo = b"\x04\0\0\x08\0\0\0\x01", b"\x04\x02\0\x0c\0\0\0\x02abcd"
    here, there = b"\x0a\0\0\x01", b"\x0a\0\0\x02"
    segments = ((here, there, 5555, 6653, 100, 2, b""), (here, there, 5555, 6653, 101, 24, hello + echo[:5]),
                (here, there, 5555, 6653, 114, 24, echo[5:] + hello), (there, here, 6653, 5555, 300, 24, hello),
                (there, here, 7777, 5555, 300, 24, hello), (here, there, 5556, 6633, 500, 2, b""),
                (here, there, 5556, 6633, 501, 24, b"\x04\0\0\x04\0\0\0\x01" + hello),
                (here, there, 5557, 6633, 600, 2, b""),
                (here, there, 5557, 6633, 601, 24, b"\x99\x99\0\x08zzzz" + hello))
    records = []
    for number, (source, target, from_port, to_port, sequence, flags, data) in enumerate(segments):
        tcp = struct.pack("!HHIIBBHHH", from_port, to_port, sequence, 0, 5 << 4, flags, 100, 0, 0) + data
        packet = bytes(12) + b"\x08\0" + struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0,
                                                    source, target) + tcp
        records.append(struct.pack("<IIII", 1700000000 + number, number, len(packet), len(packet)) + packet)
    return struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b"".join(records)


FILES["capture"] = capture()
PACKET = "505400000001505400000002080045000028000000004006f97cc0a80001c0a800020000000000000000"

# With or without a switch, and without a change.
READ = r"""
show br0
-O OpenFlow11 show br0
-O OpenFlow13 show br0
-O OpenFlow15 show br0
--names show br0
--names -O OpenFlow14 show br0
-m show br0
show unix:/run/openvswitch/br0.mgmt
show /run/openvswitch/br0.mgmt
show dummy@br0
show br9
show netdev@br9
show /nowhere
show unix:/nowhere
show tcp:127.0.0.1:1
show tcp:

show a:b
show unix:
show ""
show "@@"
show a@b@br0
show ../../run/openvswitch/br0.mgmt
show /run/openvswitch
show ptcp:1234
show /run/openvswitch/db.sock
show br1
-O OpenFlow11 show br1
-O OpenFlow10,OpenFlow13 dump-flows br1
-O OpenFlow10,OpenFlow13 -F NXM dump-flows br1
-O OpenFlow10,OpenFlow13 add-flow br1 actions=meter:1
--bundle add-flow br1 actions=drop
-t 1 probe unix:@hanging
OVS_CTL_TIMEOUT=1 probe unix:@hanging
--detach dump-desc br0
--syslog-method=bad dump-desc br0
--syslog-method=null dump-desc br0
--log-file=/nowhere/log dump-desc br0
--user=nosuch dump-desc br0
-vbad dump-desc br0
-vconsole:off dump-flows br9
-vPATTERN:console:%m dump-flows br0 foo
--times=5 dump-desc br0
--n dump-desc br0
--strict=x dump-desc br0
show
show br0 br0
dump-desc br0
-O OpenFlow13 dump-desc br0
dump-tables br0
-O OpenFlow11 dump-tables br0
-O OpenFlow13 dump-tables br0
--names dump-tables br0
dump-table-features br0
-O OpenFlow13 dump-table-features br0
-O OpenFlow15 dump-table-features br0
dump-table-desc br0
-O OpenFlow14 dump-table-desc br0
-O OpenFlow15 --names dump-table-desc br0
dump-ports br0
dump-ports br0 1
dump-ports br0 p1
dump-ports br0 LOCAL
dump-ports br0 any
dump-ports br0 nosuch
dump-ports br0 70000
dump-ports br0 ""
--no-names dump-ports br0 p1
--names dump-ports br0
-O OpenFlow14 dump-ports br0
dump-ports-desc br0
dump-ports-desc br0 p2
-O OpenFlow15 dump-ports-desc br0 p2
-O OpenFlow15 dump-ports-desc br0 1
-O OpenFlow15 dump-ports-desc br0 ANY
dump-ports-desc br0 nosuch
get-frags br0
-O OpenFlow13 get-frags br0
queue-stats br0
queue-stats br0 1
queue-stats br0 p1 0
queue-stats br0 ALL
queue-stats br0 any any
queue-stats br0 "" ""
queue-stats br0 nosuch
queue-stats br0 9
queue-stats br0 1 77
queue-stats br0 1 x
-O OpenFlow13 queue-stats br0
queue-get-config br0
queue-get-config br0 1
queue-get-config br0 p1 0
queue-get-config br0 ALL
queue-get-config br0 any any
queue-get-config br0 nosuch
-O OpenFlow12 queue-get-config br0
-O OpenFlow13 queue-get-config br0 1
-O OpenFlow15 queue-get-config br0
-O OpenFlow15 queue-get-config br0 1 0
dump-ipfix-bridge br0
dump-ipfix-flow br0
-O OpenFlow13 dump-ipfix-flow br0
dump-groups br0
dump-groups br0 1
dump-groups br0 all
dump-groups br0 any
dump-groups br0 foo
-O OpenFlow13 dump-groups br0
-O OpenFlow15 dump-groups br0 1
dump-group-stats br0
dump-group-stats br0 group_id=1
dump-group-stats br0 all
dump-group-features br0
-O OpenFlow13 dump-group-features br0
dump-meters br0
-O OpenFlow13 dump-meters br0
-O OpenFlow13 dump-meters br0 meter=1
-O OpenFlow13 dump-meters br0 foo
-O OpenFlow13 dump-meter br0 meter=all
-O OpenFlow15 meter-stats br0
-O OpenFlow13 meter-stats br0 meter=1
-O OpenFlow13 meter-features br0
meter-features br0
dump-tlv-map br0
-O OpenFlow15 dump-tlv-map br0
dump-flows br0
dump-flows br0 table=0
dump-flows br0 table=255
dump-flows br0 table=nosuch
dump-flows br0 table=999
dump-flows br0 in_port=1
dump-flows br0 in_port=p1
dump-flows br0 in_port=nosuch
dump-flows br0 cookie=7/-1
dump-flows br0 cookie=7
dump-flows br0 out_port=2
dump-flows br0 out_group=2
dump-flows br0 priority=3
dump-flows br0 foo
dump-flows br0 ""
-O OpenFlow11 dump-flows br0
-O OpenFlow11 dump-flows br0 out_group=2
-O OpenFlow13 dump-flows br0
-O OpenFlow15 dump-flows br0 table=1
-O OpenFlow10,OpenFlow13 dump-flows br0
--names dump-flows br0
--names -O OpenFlow15 dump-flows br0
--no-names dump-flows br0
--no-names dump-flows br0 in_port=p1
--stats dump-flows br0
--no-stats dump-flows br0
--no-stats --stats dump-flows br0
--sort dump-flows br0
--rsort dump-flows br0
--sort=priority dump-flows br0
--sort=in_port dump-flows br0
--rsort=in_port dump-flows br0
--sort=nw_src --rsort dump-flows br0
--sort=tp_dst --no-stats dump-flows br0
--sort=reg0 --names dump-flows br0
--rsort=NXM_OF_IN_PORT dump-flows br0
--sort=nosuch dump-flows br0
--color=always dump-flows br0
--color=always --no-stats dump-flows br0
--color=always --sort dump-flows br0
--color dump-flows br0
--color=auto dump-flows br0
--color=NEVER dump-flows br0
--color=bad dump-flows br0
-m dump-flows br0
-mm dump-flows br0
-mmm dump-flows br0
-mmm -O OpenFlow13 dump-flows br0
--timestamp dump-flows br0
-F any dump-flows br0
-F NXM dump-flows br0
-F OpenFlow10 dump-flows br0
-F OpenFlow10+table_id dump-flows br0
-F NXM,OXM dump-flows br0
-F nxm+table_id dump-flows br0
-F OXM dump-flows br0
-F OXM -O OpenFlow12 dump-flows br0
-F NXM -O OpenFlow13 dump-flows br0
-F bad dump-flows br0
-F "" dump-flows br0
-O bad dump-flows br0
-O OpenFlow10,bad dump-flows br0
-O "" dump-flows br0
-t 5 dump-flows br0
--timeout=5 dump-flows br0
-t x dump-flows br0
-t 0 dump-flows br0
--read-only dump-flows br0
--read-only add-flow br0 actions=drop
--read-only diff-flows @flows @more
-P bad monitor br0
dump-flows br0 -O OpenFlow13
dump-flows -- br0
--nosuch dump-flows br0
-O
dump-aggregate br0
dump-aggregate br0 table=0
dump-aggregate br0 in_port=p1
-O OpenFlow13 dump-aggregate br0
--names dump-aggregate br0
dump-aggregate br0 foo
diff-flows br0 @of10
diff-flows @of10 br0
diff-flows @flows @more
diff-flows @of10 @of10
diff-flows @more @of10
diff-flows @many @flows
diff-flows @flows @many
diff-flows @many @empty
diff-flows @empty @empty
diff-flows br0 br0
diff-flows br0 br9
diff-flows /nowhere br0
diff-flows @bad br0
diff-flows br0 @named
diff-flows . br0
--names diff-flows br0 @named
--names diff-flows @named br0
--names diff-flows br0 @flows
--color=always diff-flows br0 @flows
-O OpenFlow13 diff-flows br0 @flows
-F OXM diff-flows br0 @flows
probe br0
-O OpenFlow13 probe br0
probe br9
ping br0
ping br0 10
-O OpenFlow13 ping br0 0
ping br0 99999
ping br0 x
benchmark br0 10 5
benchmark br0 0 1
benchmark br0 70000 5
benchmark br9 1 1
parse-flow in_port=1,tcp,actions=2
parse-flow table=3,in_port=1,reg0=3,actions=2
parse-flow nw_src=1.2.3.4,actions=drop
parse-flow actions=meter:3
parse-flow add,actions=drop
parse-flow ""
-m parse-flow in_port=1,reg0=3,actions=2
-F nxm -mmm parse-flow in_port=1,reg0=3,actions=2
-O OpenFlow13 -mmm parse-flow in_port=1,reg0=3,actions=2
-O OpenFlow15 parse-flow in_port=1,actions=write_actions(output:3),goto_table:4
parse-flows @flows
parse-flows @of10
parse-flows @many
-O OpenFlow12 parse-flows @flows
-F nxm parse-flows @flows
-F OpenFlow10 parse-flows @flows
parse-flows @bad
parse-flows @mods
parse-flows @empty
parse-flows /nowhere
parse-flows - <<< in_port=1,actions=2\nin_port=2,actions=3\n
parse-group group_id=1,type=all,bucket=output:1
-O OpenFlow11,OpenFlow15 parse-group group_id=1,type=all,bucket=output:1
-O OpenFlow15 parse-group group_id=1,type=select,selection_method=hash,fields(ip_dst),bucket=output:1
-O OpenFlow11 parse-group group_id=1,type=select,selection_method=hash,bucket=output:1
parse-group group_id=1,type=bad
parse-group foo
parse-key-value a:b a=b a:b,c=d "a=b c" a(b) "" a:(b,c) a(b(c),d)e=f
ofp-print 0100000812345678
ofp-print 010e006800000011 3
ofp-print 010d001a00000003ffffffffffff000000000000000000001122 0
ofp-print 010d001a00000003ffffffffffff000000000000000000001122 3
ofp-print 01000008123456780100
ofp-print zz
ofp-print ""
ofp-print - <<< 0100000812345678\n0100000812345679\n
ofp-print - <<<
ofp-parse @messages
-m ofp-parse @messages
-mmm ofp-parse @messages
-mmm show br0
-mmmm dump-flows br0
-mmm ofp-parse-pcap @capture
-mmm parse-group group_id=1,type=all
-mmm encode-hello 2
ofp-parse @cut
ofp-parse @short
ofp-parse @empty
ofp-parse /nowhere
encode-hello 0x2
encode-hello 0x7e
-m encode-hello 62
print-error OFPBIC_BAD_EXPERIMENTER
print-error NXBRC_UNENCODABLE_ERROR
print-error foo
encode-error-reply OFPRRFC_BAD_ROLE 0100000812345678
encode-error-reply OFPRRFC_BAD_ROLE 0300000812345678
encode-error-reply OFPRRFC_BAD_ROLE 01
encode-error-reply OFPRRFC_BAD_ROLE 0100000912345678
encode-error-reply OFPRRFC_BAD_ROLE 0100000812345678zz
encode-error-reply foo 0100000812345678
ofp-parse-pcap @capture
--timestamp ofp-parse-pcap @capture
-m ofp-parse-pcap @capture 7777
ofp-parse-pcap @capture 6633 foo
ofp-parse-pcap /nowhere
ofp-parse-pcap @empty
parse-pcap @capture
parse-pcap @capture /nowhere
parse-pcap @empty
parse-packet <<< 0123456789abcdefghijklmn
parse-packet <<<
compose-packet tcp
compose-packet in_port=1,tcp,nw_src=1.2.3.4,tcp_dst=80
compose-packet udp,nw_ttl=3 0102
compose-packet udp 010
compose-packet ""
compose-packet ipv6,dl_vlan=5
compose-packet tcp,nw_src=1.2.3.0/24
compose-packet foo
parse-nxm <<< @nxm
--strict parse-nxm <<< @nxm
-m --strict parse-nx-match <<< @nxm
parse-oxm OpenFlow12 <<< @nxm
-m --strict parse-oxm OpenFlow15 <<< @nxm
parse-oxm OpenFlow10
parse-oxm foo
parse-nxm <<< foo(1)\n
parse-ofp10-match <<< @match10
parse-ofp11-match <<< @match11
parse-actions OpenFlow10 <<< @actions
parse-actions OpenFlow11 <<< @actions
parse-actions OpenFlow15 <<< @actions
parse-actions foo
parse-instructions OpenFlow10 <<< @instructions
parse-instructions OpenFlow11 <<< @instructions
parse-instructions OpenFlow15 <<< @instructions
check-vlan 0 0
check-vlan 0 ffff
check-vlan 1abc 1fff
check-vlan b000 f000
check-vlan babc ffff
check-vlan 0 fff
check-vlan 1001 1001
check-vlan 3000 3000
check-vlan 0 1fff
check-vlan xyz 0
monitor br0 foo
monitor br0 watch:foo
-O OpenFlow13 monitor br0 invalid_ttl
monitor br9
snoop br9
list-commands
--option
--version
-V
nosuch
""
"""

# What may change the switch.  Each line is a case; those that end with a backslash go on.
CHANGE = r"""
add-flow br0 in_port=1,actions=2
add-flow br0 table=3,reg0=1,actions=2
add-flow br0 in_port=p1,actions=output:p2
--no-names add-flow br0 in_port=p1,actions=2
--names add-flow br0 in_port=p1,actions=group:7
add-flow br0 nw_src=1.2.3.4,actions=drop
add-flow br0 foo
add-flow br0 actions=foo
add-flow br0 "delete in_port=1"
add-flow br0
add-flow br0 in_port=1,actions=group:77
-m add-flow br0 in_port=1,actions=group:77
-mmmm add-flow br0 in_port=1,actions=2
-mmmmm add-flow br0 in_port=1,actions=2
-mmmmmm -O OpenFlow13 del-flows br0 in_port=1
--bundle -mmmmmm add-flow br0 in_port=1,actions=2
-mmm add-flow br0 in_port=1,actions=group:77
-mmm --bundle add-flow br0 in_port=1,actions=group:77
-mmm -O OpenFlow14 mod-table br0 254 evict
-mmm packet-out br0 1 group:77 @P
-mmmmm add-flow br0 in_port=1,actions=2
-mmmmmm add-flows br0 @mods
-O OpenFlow13 add-flow br0 in_port=1,actions=group:77
-O OpenFlow11 add-flow br0 in_port=1,actions=goto_table:3
-O OpenFlow15 add-flow br0 in_port=1,importance=5,actions=write_metadata:3,goto_table:3
add-flow br0 importance=5,actions=drop
add-flow br0 actions=meter:1
-F OpenFlow10 add-flow br0 reg0=1,actions=2
-F OpenFlow10-table_id add-flow br0 table=3,actions=2
-F OXM add-flow br0 actions=2
-F NXM add-flow br0 actions=2
-F NXM -O OpenFlow10,OpenFlow13 add-flow br0 actions=set_field:3->reg3
-O OpenFlow10,OpenFlow13 add-flow br0 actions=set_field:3->reg3
--bundle add-flow br0 in_port=1,actions=2
--bundle add-flow br0 in_port=1,actions=group:77
-O OpenFlow13 --bundle add-flow br0 in_port=1,actions=2
-O OpenFlow10 --bundle add-flow br0 in_port=1,actions=2
-O OpenFlow10,OpenFlow15 --bundle add-flow br0 in_port=1,actions=2
-F NXM --bundle add-flow br0 in_port=1,actions=2
add-flow br0 - <<< in_port=1,actions=2\nadd in_port=3,actions=drop\ndelete in_port=1\n
add-flow br0 - <<<
add-flow br9 in_port=1,actions=2
add-flows br0 @flows
add-flows br0 @mods
add-flows br0 @bad
add-flows br0 @refused
add-flows br0 @many
add-flows br0 @empty
add-flows br0 @named
add-flows br0 /nowhere
add-flows br0 - <<< in_port=1,actions=2\n
--bundle add-flows br0 @flows
--bundle add-flows br0 @mods
--bundle add-flows br0 @bad
--bundle add-flows br0 @refused
--bundle -m add-flows br0 @refused
--bundle --names add-flows br0 @refused
-O OpenFlow13 --bundle add-flows br0 @many
-O OpenFlow15 add-flows br0 @many
-O OpenFlow14 add-flows br0 @flags
add-flows br0 @flows \ mod-flows br0 in_port=1,actions=3
add-flows br0 @flows \ mod-flows br0 in_port=5,actions=3
add-flows br0 @flows \ --strict mod-flows br0 in_port=1,actions=3
add-flows br0 @flows \ --strict mod-flows br0 table=3,tcp,tp_dst=80,actions=3
add-flows br0 @flows \ --bundle mod-flows br0 cookie=7/-1,cookie=9,actions=3
add-flows br0 @flows \ mod-flows br0 - <<< table=3,tcp,actions=2\n
mod-flows br0 foo
add-flows br0 @flows \ del-flows br0
add-flows br0 @flows \ --strict del-flows br0
add-flows br0 @flows \ --bundle del-flows br0
add-flows br0 @flows \ -O OpenFlow11 del-flows br0
add-flows br0 @flows \ -O OpenFlow13 del-flows br0
add-flows br0 @flows \ -O OpenFlow10 del-flows br0 in_port=1
add-flows br0 @flows \ del-flows br0 table=3
add-flows br0 @flows \ --strict del-flows br0 table=3,tcp,tp_dst=80
add-flows br0 @flows \ --strict del-flows br0 table=3,priority=5,tcp,tp_dst=80
add-flows br0 @flows \ del-flows br0 cookie=7/-1
add-flows br0 @flows \ del-flows br0 out_port=2
add-flows br0 @flows \ del-flows br0 - <<< in_port=1\ntable=3\n
del-flows br0 cookie=7
del-flows br0 priority=5
del-flows br0 in_port=1,actions=2
del-flows br0 out_group=3
-O OpenFlow13 del-flows br0 out_group=3
del-flows br9
replace-flows br0 @of10
replace-flows br0 @flows
-O OpenFlow13 replace-flows br0 @flows
-O OpenFlow14 replace-flows br0 @flags
-O OpenFlow13 replace-flows br0 @many \ -O OpenFlow13 replace-flows br0 @flows
-O OpenFlow13 replace-flows br0 @many \ -O OpenFlow13 --bundle replace-flows br0 @more
replace-flows br0 @of10 \ replace-flows br0 @more \ diff-flows br0 @of10 \ diff-flows @more br0
replace-flows br0 @of10 \ --readd replace-flows br0 @more
replace-flows br0 @of10 \ --bundle replace-flows br0 @more
replace-flows br0 @of10 \ --bundle --readd replace-flows br0 @of10
--bundle replace-flows br0 @refused
replace-flows br0 @of10 \ replace-flows br0 @refused
replace-flows br0 @bad
replace-flows br0 @mods
replace-flows br0 @named
replace-flows br0 /nowhere
replace-flows br0 @of10 \ replace-flows br0 - <<< in_port=1,actions=2\n
add-flows br0 @many \ dump-flows br0 \ -O OpenFlow15 dump-flows br0 \ --sort=nw_dst dump-flows br0 \ --rsort=in_port --sort=dl_vlan --no-stats dump-flows br0 \ --sort dump-flows br0 table=1 \ diff-flows br0 @flows
add-group br0 group_id=1,type=all,bucket=output:1
add-group br0 group_id=1,type=all,bucket=output:1 \ add-group br0 group_id=1,type=all
add-group br0 group_id=1,type=bad
add-group br0 foo
add-group br0
-O OpenFlow15 add-group br0 group_id=1,type=select,selection_method=hash,fields(ip_dst),bucket=output:1
-O OpenFlow11 add-group br0 group_id=1,type=select,selection_method=hash,bucket=output:1
add-groups br0 @groups
--bundle add-groups br0 @groups
-O OpenFlow13 add-groups br0 @groups \ dump-groups br0 \ dump-group-stats br0 group_id=2
add-groups br0 - <<< group_id=1,type=all\ngroup_id=1,type=all\n
--bundle add-groups br0 - <<< group_id=1,type=all\ngroup_id=1,type=all\n
add-groups br0 /nowhere
add-group br0 - <<< group_id=1,type=all\nmodify group_id=1,type=indirect,bucket=output:1\n
mod-group br0 group_id=1,type=all,bucket=output:1
--may-create mod-group br0 group_id=1,type=all,bucket=output:1
-O OpenFlow13 --may-create mod-group br0 group_id=1,type=all,bucket=output:1
mod-group br0 - <<< group_id=1,type=all\nmodify group_id=1,type=all\n
add-groups br0 @groups \ del-groups br0 group_id=1
add-groups br0 @groups \ del-groups br0
add-groups br0 @groups \ -O OpenFlow15 del-groups br0 group_id=all
add-groups br0 @groups \ --bundle del-groups br0 - <<< group_id=1\ngroup_id=2\n
del-groups br0 group_id=any
del-groups br0 group_id=1,type=all
add-groups br0 @groups \ insert-buckets br0 group_id=2,command_bucket_id=last,bucket=bucket_id:9,output:3
add-groups br0 @groups \ -O OpenFlow15 --bundle insert-buckets br0 group_id=2,command_bucket_id=first,bucket=bucket_id:9,output:3
add-groups br0 @groups \ -O OpenFlow15 remove-buckets br0 group_id=2,command_bucket_id=0
add-groups br0 @groups \ -O OpenFlow11 insert-buckets br0 group_id=2,command_bucket_id=last,bucket=bucket_id:9,output:3
remove-buckets br0 group_id=2,command_bucket_id=all
insert-buckets br0
-O OpenFlow13 add-meter br0 meter=1,kbps,band=type=drop,rate=1000
-O OpenFlow13 add-meter br0 meter=1,pktps,burst,stats,bands=type=drop,rate=1000,burst_size=10
add-meter br0 meter=1,kbps,band=type=drop,rate=1000
-O OpenFlow13 add-meter br0 foo
-O OpenFlow13 add-meter br0 meter=1,kbps,band=type=drop,rate=1 \ -O OpenFlow13 add-meter br0 meter=1,kbps,band=type=drop,rate=1
-O OpenFlow13 mod-meter br0 meter=9,kbps,band=type=drop,rate=1000
-O OpenFlow15 add-meter br0 meter=1,kbps,band=type=drop,rate=1 \ -O OpenFlow14 mod-meter br0 meter=1,kbps,band=type=drop,rate=2 \ -O OpenFlow14 dump-meters br0 \ -O OpenFlow13 del-meter br0 meter=1
-O OpenFlow15 add-meter br0 meter=1,kbps,band=type=drop,rate=1 \ -O OpenFlow13 add-flow br0 actions=meter:1,2 \ -O OpenFlow13 del-meters br0
-O OpenFlow13 del-meters br0 foo
del-meters br0
bundle br0 @bundle
-O OpenFlow13 bundle br0 @bundle
-O OpenFlow10,OpenFlow15 bundle br0 @bundle
-F NXM bundle br0 @bundle
-F OXM-OpenFlow13 -O OpenFlow13,OpenFlow14 bundle br0 @bundle
bundle br0 @bundle-bad
bundle br0 @flows
bundle br0 /nowhere
bundle br0 - <<< flow in_port=1,actions=2\n
bundle br0 @empty
packet-out br0 in_port=1,packet=@P,actions=2
packet-out br0 "in_port=p1 packet=@P actions=output:p2"
packet-out br0 1 2 @P
packet-out br0 p1 p2 @P @P
packet-out br0 none output:1,2 @P
-O OpenFlow15 packet-out br0 in_port=1,reg0=3,packet=@P,actions=2
-O OpenFlow13 packet-out br0 1 set_field:1->reg0,2 @P
packet-out br0 in_port=1,reg0=3,packet=@P,actions=2
packet-out br0 1 group:77 @P
packet-out br0 1 2
packet-out br0 1 2 zz
packet-out br0 1 2 5054
packet-out br0 1 foo @P
packet-out br0 nosuch 2 @P
packet-out br0 9999999 2 @P
packet-out br0 1 goto_table:2 @P
packet-out br0 foo
packet-out br0 in_port=all,packet=@P,actions=2
packet-out br0 ""
mod-port br0 p1 down
mod-port br0 1 up
mod-port br0 p1 no-flood
mod-port br0 p1 flood
mod-port br0 p1 noflood
mod-port br0 p1 NOreceive
mod-port br0 p1 non-receive
mod-port br0 1 No-Receive
mod-port br0 1 no-down
mod-port br0 1 noflood
mod-port br0 1 NOup
mod-port br0 1 no--flood
mod-port br0 1 no
mod-port br0 1 no-packet-in
mod-port br0 1 no-forward \ mod-port br0 1 forward
-O OpenFlow14 mod-port br0 p2 no-receive
-O OpenFlow13 mod-port br0 p2 no-flood
mod-port br0 LOCAL down
mod-port br0 br0 no-flood
mod-port br0 1 stp
mod-port br0 1 no-stp
mod-port br0 1 no-receive-stp
mod-port br0 9 up
mod-port br0 nosuch up
mod-port br0 1 foo
mod-port br0 1 no-
mod-table br0 0 drop
-O OpenFlow11 mod-table br0 0 drop
-O OpenFlow12 mod-table br0 ALL continue
-O OpenFlow11 mod-table br0 254 controller
-O OpenFlow14 mod-table br0 0 evict
-O OpenFlow15 mod-table br0 0 vacancy:20,80
-O OpenFlow15 mod-table br0 0 vacancy:20,80 \ -O OpenFlow15 mod-table br0 0 evict \ -O OpenFlow15 mod-table br0 0 novacancy
-O OpenFlow14 mod-table br0 all evict
-O OpenFlow14 mod-table br0 254 evict
-O OpenFlow14 mod-table br0 300 evict
-O OpenFlow14 mod-table br0 0 foo
-O OpenFlow14 mod-table br0 0 vacancy:90,80
-O OpenFlow10,OpenFlow14 mod-table br0 0 evict
-O OpenFlow15 mod-table br0 3 name:three \ -O OpenFlow15 add-flow br0 table=three,actions=drop \ --names dump-flows br0 \ -O OpenFlow15 --names dump-table-features br0
-O OpenFlow13 mod-table br0 3 name:three \ -O OpenFlow14 mod-table br0 three name:trois \ --names dump-flows br0 table=trois
-O OpenFlow15 mod-table br0 254 name:foo
-O OpenFlow15 mod-table br0 all name:foo
mod-table br0 0 name:foo
set-frags br0 nx-match
set-frags br0 drop \ set-frags br0 drop \ get-frags br0
set-frags br0 reassemble
set-frags br0 foo
-O OpenFlow13 set-frags br0 drop \ -O OpenFlow13 show br0
ct-flush-zone br0 1
ct-flush-zone br0 0x10
ct-flush-zone br0 70000
ct-flush-zone br0 x
ct-flush br0
ct-flush br0 zone=5
ct-flush br0 zone=5 ct_nw_src=1.2.3.4,ct_nw_proto=6
ct-flush br0 ct_nw_src=1.2.3.4,ct_nw_proto=6,ct_tp_dst=80 ct_nw_src=1.2.3.4,ct_nw_proto=6
ct-flush br0 ""
ct-flush br0 "" ct_ipv6_src=fe80::1,ct_nw_proto=17
ct-flush br0 zone=x
ct-flush br0 zone=5x
ct-flush br0 foo
ct-flush br0 ct_nw_src=1.2.3.4,ct_nw_proto=6 zone=5
add-tlv-map br0 {class=0xffff,type=0,len=4}->tun_metadata0 \ dump-tlv-map br0
add-tlv-map br0 {class=0xffff,type=0,len=4}->tun_metadata0 \ add-flow br0 tun_metadata0=5,actions=set_field:7->tun_metadata0,2 \ dump-flows br0 \ -O OpenFlow13 dump-flows br0 \ --no-stats dump-flows br0 \ diff-flows br0 @empty
-O OpenFlow13 add-tlv-map br0 {class=0xffff,type=0,len=4}->tun_metadata0,{class=0xffff,type=1,len=4}->tun_metadata1 \ del-tlv-map br0 {class=0xffff,type=0,len=4}->tun_metadata0 \ dump-tlv-map br0
add-tlv-map br0 {class=0xffff,type=0,len=4}->tun_metadata0,{class=0xffff,type=1,len=8}->tun_metadata1 \ add-flows br0 @tunnel \ diff-flows br0 @tunnel \ diff-flows br0 @tunnel2 \ diff-flows @tunnel2 br0 \ diff-flows br0 @of10 \ replace-flows br0 @tunnel2 \ dump-flows br0 \ --sort=tun_metadata0 dump-flows br0 \ --rsort=tun_metadata1 dump-flows br0
add-tlv-map br0 foo
add-tlv-map br0 {class=0xffff,type=0,len=4}->tun_metadata99
del-tlv-map br0 foo
del-tlv-map br0
-F OpenFlow10 add-tlv-map br0 {class=0xffff,type=0,len=4}->tun_metadata0
"""
