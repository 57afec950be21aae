/* SPDX-License-Identifier: Apache-2.0
 *
 * From what names a switch to a connection with it.
 *
 * The engine's connection (nwf/conn.h) is to a bridge of this host, in OpenFlow 1.3 and later; it
 * numbers its messages itself, answers probes, bounds every wait, and ends at what it does not
 * expect.  These commands are asked for any switch, at any address, in any version, and what they
 * send and print, down to the messages' numbers and the words of a failure, is what ovs-ofctl
 * does.  So they have the library's connection by itself, and wait; all of them go through this
 * file and exchange.c.  What both kinds of conversation are made of is in nwf/openflow.h. */
#include <config.h>

#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/openflow.h"
#include "nwf/text.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/vlog.h"

#include "lib/ofp-version-opt.h"
#include "lib/socket-util.h"
#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(ofctl);

#define UNIX "unix:"
#define MGMT ".mgmt"

/* A management socket's path ends in it; another path is no bridge's. */
static char *
bridge_of_path(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *suffix = strrchr(name, '.');

    return suffix && !strcmp(suffix, MGMT) ? nwf_strndup(name, (size_t) (suffix - name)) : NULL;
}

char *
ofctl_bridge_of(const char *target)
{
    const char *at = strchr(target, '@');

    if (!strncmp(target, UNIX, strlen(UNIX))) {
        return bridge_of_path(target + strlen(UNIX));
    }
    if (strchr(target, ':')) {
        return NULL;
    }
    char *bridge = bridge_of_path(target);
    if (!bridge && !strchr(target, '/')) {
        bridge = nwf_strdup(at ? at + 1 : target);
    }
    return bridge;
}

/* ---- Opening. ---- */

/* The connection to the socket of this name, "unix:PATH", or NULL if there is none. */
static struct vconn *
open_socket(const char *name)
{
    struct vconn *vconn;
    int error = vconn_open(name, get_allowed_ofp_versions(), DSCP_DEFAULT, &vconn);

    if (error && error != ENOENT) {
        ovs_fatal(0, "%s: failed to open socket (%s)", name + strlen(UNIX), ovs_strerror(error));
    }
    return error ? NULL : vconn;
}

static struct vconn *
open_path(const char *path)
{
    char *name CLEANUP_FREE = nwf_asprintf(UNIX "%s", path);

    return open_socket(name);
}

static struct vconn *
open_bridge(const char *bridge, const char *kind)
{
    char *name CLEANUP_FREE = nwf_bridge_socket(bridge, kind);

    return open_socket(name);
}

/* The name of a datapath is that of its bridge, but for the type that may stand before it. */
static const char *
datapath_name(const char *target)
{
    const char *at = strchr(target, '@');

    return at ? at + 1 : target;
}

static struct vconn *
open_target(const char *target, const char *kind)
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
    if ((vconn = open_path(target)) || (vconn = open_bridge(target, kind))
        || (vconn = open_bridge(datapath_name(target), kind))) {
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

enum ofputil_protocol
ofctl_require_usable(const struct ofctl *ofctl, enum ofputil_protocol usable)
{
    if (!(usable & ofctl->allowed)) {
        ovs_fatal(0, "none of the usable flow formats (%s) is among the allowed flow formats (%s)",
                  ofputil_protocols_to_string(usable), ofputil_protocols_to_string(ofctl->allowed));
    }
    return usable & ofctl->allowed;
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
    enum ofputil_protocol wanted = ofctl_require_usable(ofctl, usable);
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
    enum ofputil_protocol wanted = ofctl_require_usable(ofctl, usable);
    enum ofputil_protocol current = current_protocol(vconn);

    for (size_t i = 0; i < ofputil_n_flow_dump_protocols; i++) {
        enum ofputil_protocol p = ofputil_flow_dump_protocols[i];
        if ((p & wanted) && change_protocol(vconn, p, &current)) {
            *ret = current;
            return vconn;
        }
    }
    refuse_switch(usable);
}
