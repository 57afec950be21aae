# SPDX-License-Identifier: Apache-2.0
"""A private laboratory for tests: real daemons and real frames, nothing of the host's touched.

netns      private namespaces, processes, bounded waits
ovs        ovsdb-server and ovs-vswitchd
libvirt    libvirtd and Linux bridges: the reference implementation of network filters
vm         virtual machines, whose only program is guest.c
hosts      several hosts, each with a network and daemons of its own
host       the host itself as one more party on the wire
provider   a provider of rented servers: its router, the world behind it, and its switch port, which
           keeps a list of frames that it complains about (provider_node, provider_port)
routed     such a server, its bridge and guests; who reaches whom (routed_probe, routed_monitor),
           guests that forge (routed_spoof), what a host is set up like (routed_state)
netfilter  the kernel's connections and rules, shown and forgotten
wire       ports (veth pairs), and the exchange of frames between them
frames     frames, byte by byte
decode     a frame in one line of text
lab        all of the above under one roof; what most tests import

Only the standard library is used.  A test puts the folder above this one first in its
sys.path (instead of its own), and starts with

    from lab.lab import Lab, main
"""
