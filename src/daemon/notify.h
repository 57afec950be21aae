/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells the service manager how the daemon fares, as sd_notify(3) does. */
#ifndef NWF_DAEMON_NOTIFY_H
#define NWF_DAEMON_NOTIFY_H

/* Sends lines such as "READY=1" to whoever has set NOTIFY_SOCKET.  Returns 0, also if nobody
 * has, or a negative errno; -EAGAIN: not now, later.  Never blocks. */
int nwf_notify(const char *lines);

#endif
