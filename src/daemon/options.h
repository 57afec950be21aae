/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's command line.  What it shares with the daemons of Open vSwitch goes straight to
 * the library. */
#ifndef NWF_DAEMON_OPTIONS_H
#define NWF_DAEMON_OPTIONS_H

#include <stdint.h>

struct nwf_daemon_options {
    char *db;
    char *filter_dir; /* Absolute; may be NULL. */
    char *unixctl;    /* NULL: as the library has it. */
    unsigned int timeout_ms;
    uint32_t versions; /* OpenFlow's, a bitmap. */
};

/* Ends the program for --help and --version, and with one line if something is wrong. */
void nwf_daemon_options_parse(struct nwf_daemon_options *options, int argc, char **argv);
void nwf_daemon_options_finish(struct nwf_daemon_options *options);

#endif
