/* SPDX-License-Identifier: Apache-2.0
 *
 * From what names a switch to a connection with it.
 *
 * The engine's connection (nwf/conn.h) is to a bridge of this host, speaks OpenFlow 1.3 and
 * later, and never waits.  These commands are asked for any switch, at any address, in any
 * version down to 1.0, print every message as it comes, and have nothing to do but wait for it.
 * So they have their own, on the library's blocking functions; all of them go through this file
 * and exchange.c. */
#include <config.h>

#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/vlog.h"

#include "lib/dirs.h"
#include "lib/ofp-version-opt.h"
#include "lib/socket-util.h"
#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(ofctl);

/* The connection to the socket, or NULL if there is none of that name. */
static struct vconn *
open_socket(const char *path)
{
    char *name CLEANUP_FREE = nwf_asprintf("unix:%s", path);
    struct vconn *vconn;
    int error = vconn_open(name, get_allowed_ofp_versions(), DSCP_DEFAULT, &vconn);

    if (error && error != ENOENT) {
        ovs_fatal(0, "%s: failed to open socket (%s)", path, ovs_strerror(error));
    }
    return error ? NULL : vconn;
}

static struct vconn *
open_bridge(const char *bridge, const char *suffix)
{
    char *path CLEANUP_FREE = nwf_asprintf("%s/%s.%s", ovs_rundir(), bridge, suffix);

    return open_socket(path);
}

/* The name of a datapath is that of its bridge, but for the type that may stand before it. */
static const char *
datapath_name(const char *target)
{
    const char *at = strchr(target, '@');

    return at ? at + 1 : target;
}

static struct vconn *
open_target(const char *target, const char *suffix)
{
    struct vconn *vconn;
    int error;

    if (strchr(target, ':')) {
        error = vconn_open(target, get_allowed_ofp_versions(), DSCP_DEFAULT, &vconn);
        if (error) {
            ovs_fatal(error, "connecting to %s", target);
        }
        return vconn;
    }
    if ((vconn = open_socket(target)) || (vconn = open_bridge(target, suffix))
        || (vconn = open_bridge(datapath_name(target), suffix))) {
        return vconn;
    }
    ovs_fatal(0, "%s is not a bridge or a socket", target);
}

static void
complete(struct vconn *vconn, const char *target)
{
    int error = vconn_connect_block(vconn, -1);

    if (error) {
        ovs_fatal(0, "%s: failed to connect to socket (%s)", target, ovs_strerror(error));
    }
}

struct vconn *
ofctl_connect(const char *target)
{
    struct vconn *vconn = open_target(target, "mgmt");

    complete(vconn, target);
    return vconn;
}

struct vconn *
ofctl_connect_snoop(const char *target)
{
    struct vconn *vconn = open_target(target, "snoop");

    vconn_set_recv_any_version(vconn);
    complete(vconn, target);
    return vconn;
}

/* ---- Flow formats. ---- */

static enum ofputil_protocol
current_protocol(const struct vconn *vconn)
{
    return ofputil_protocol_from_ofp_version(ofctl_version(vconn));
}

/* Goes as far from *current to 'want' as one OpenFlow version allows; false: not all the way. */
static bool
change_protocol(struct vconn *vconn, enum ofputil_protocol want, enum ofputil_protocol *current)
{
    struct ofpbuf *request, *reply;
    enum ofputil_protocol next;

    while ((request = ofputil_encode_set_protocol(*current, want, &next))) {
        int error = vconn_transact_noreply(vconn, request, &reply);
        if (error) {
            ovs_fatal(error, "talking to %s", vconn_get_name(vconn));
        }
        if (reply) {
            char *text = ofp_to_string(reply->data, reply->size, NULL, NULL, 2);
            VLOG_DBG("%s: failed to set protocol, switch replied: %s", vconn_get_name(vconn), text);
            free(text);
            ofpbuf_delete(reply);
            return false;
        }
        *current = next;
    }
    return *current == want;
}

static _Noreturn void
refuse_usable(const struct ofctl *ofctl, enum ofputil_protocol usable)
{
    ovs_fatal(0, "none of the usable flow formats (%s) is among the allowed flow formats (%s)",
              ofputil_protocols_to_string(usable), ofputil_protocols_to_string(ofctl->allowed));
}

static _Noreturn void
refuse_switch(enum ofputil_protocol usable)
{
    ovs_fatal(0, "switch does not support any of the usable flow formats (%s)",
              ofputil_protocols_to_string(usable));
}

struct vconn *
ofctl_connect_for_mods(const struct ofctl *ofctl, const char *target, enum ofputil_protocol usable,
                       enum ofputil_protocol *ret)
{
    enum ofputil_protocol wanted = usable & ofctl->allowed;

    if (!wanted) {
        refuse_usable(ofctl, usable);
    }

    struct vconn *vconn = ofctl_connect(target);
    enum ofputil_protocol current = current_protocol(vconn);
    if (current & wanted) {
        *ret = current;
        return vconn;
    }
    for (enum ofputil_protocol p = 1; p & OFPUTIL_P_ANY; p <<= 1) {
        if ((p & wanted) && change_protocol(vconn, p, &current)) {
            *ret = current;
            return vconn;
        }
    }
    refuse_switch(usable);
}

struct vconn *
ofctl_connect_for_dump(const struct ofctl *ofctl, const char *target, enum ofputil_protocol usable,
                       enum ofputil_protocol *ret)
{
    struct vconn *vconn = ofctl_connect(target);
    enum ofputil_protocol wanted = usable & ofctl->allowed;
    enum ofputil_protocol current = current_protocol(vconn);

    if (!wanted) {
        refuse_usable(ofctl, usable);
    }
    for (size_t i = 0; i < ofputil_n_flow_dump_protocols; i++) {
        enum ofputil_protocol p = ofputil_flow_dump_protocols[i];
        if ((p & wanted) && change_protocol(vconn, p, &current)) {
            *ret = current;
            return vconn;
        }
    }
    refuse_switch(usable);
}
