/* SPDX-License-Identifier: Apache-2.0
 *
 * Signals as something to read.  The library's handler would end the daemon at SIGTERM and
 * SIGHUP, where it next waits, by the signal itself: nobody who waits for an answer would be
 * told. */
#ifndef NWF_DAEMON_SIGNALS_H
#define NWF_DAEMON_SIGNALS_H

#include <stdbool.h>

/* From here on signals wait to be read.  To be called in the process that serves, while it has
 * one thread: --monitor's other process goes on with the library's handler. */
void nwf_signals_init(void);

/* What has come since the last call. */
void nwf_signals_run(bool *ret_terminate, bool *ret_hang_up);
void nwf_signals_wait(void);

#endif
