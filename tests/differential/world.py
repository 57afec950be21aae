# SPDX-License-Identifier: Apache-2.0
"""Who is who: the hosts and addresses that filters, frames and both switches agree on."""

import collections

Host = collections.namedtuple("Host", "mac ip link_local ip6")

GUEST = Host("52:54:00:00:00:01", "10.0.0.5", "fe80::5054:ff:fe00:1", "2001:db8::5")
PEER = Host("52:54:00:00:00:02", "10.0.0.20", "fe80::5054:ff:fe00:2", "2001:db8::20")
OUTSIDE = Host("52:54:00:00:00:03", "10.0.0.1", "fe80::5054:ff:fe00:3", "2001:db8::1")
HOST = Host("52:54:00:00:00:04", "10.0.0.254", "fe80::5054:ff:fe00:4", "2001:db8::254")
STRANGER = Host("52:54:00:aa:00:09", "10.0.0.66", "fe80::5054:ff:feaa:9", "2001:db8:bad::9")

SECOND_IP = "10.0.0.6"  # the guest's
UNKNOWN_MAC = "52:54:00:00:99:99"  # nobody ever sends from it: flooded

# What stock and other filters need.  MAC is the guest's, by its port.
PARAMETERS = {
    "IP": [GUEST.ip, SECOND_IP],
    "IPV6": [GUEST.ip6, GUEST.link_local],
    "DHCPSERVER": [OUTSIDE.ip],
    "GATEWAY_MAC": [OUTSIDE.mac],
}
DHCPV6_SERVER = {"DHCPSERVER": [OUTSIDE.link_local]}
