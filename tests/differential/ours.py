# SPDX-License-Identifier: Apache-2.0
"""ovs-nwfilter's side of the comparison of L3/L4 rules: as sides.OvsSide, with the host as one more
party, and with a peer that is a guest too, filtered by a filter that has nothing against anything.
"""

from lab.host import SwitchHost
from parties import Parties
from sides import LEARNED_TABLE, OvsSide
from world import GUEST, HOST, OUTSIDE, PEER

OPEN = "<filter name='open'><rule action='accept' direction='inout'/></filter>\n"
LOCAL = 65534  # the bridge's own port


class StatefulOvsSide(OvsSide):
    def plug(self):
        ovs = self.ovs
        self.trio = Parties({"guest": ovs.add_guest("obr", "oguest", mac=GUEST.mac),
                             "peer": ovs.add_guest("obr", "opeer", mac=PEER.mac),
                             "outside": ovs.add_guest("obr", "oout"),
                             "host": SwitchHost("obr")}, self.flush)
        self.setup_complaint = (self.write("open", OPEN)
                                or self.nwfilter("manage", "obr", "--trusted=oout",
                                                 "--unknown-unicast=flood")
                                or self.nwfilter("bind", "opeer", "open"))
        self.settle(OUTSIDE.mac, ovs.ofport("oout"))
        self.settle(HOST.mac, LOCAL)

    def bind(self, case):
        bound = super().bind(case)
        self.trio.hear("guest", GUEST)
        self.trio.hear("peer", PEER)
        return bound

    def flush(self):
        self.ovs.appctl("dpctl/flush-conntrack")
