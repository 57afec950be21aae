/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of options, for finding the command in a line of ovs-nwfilter. */
#ifndef NWF_CLI_OFCTL_OPTIONS_H
#define NWF_CLI_OFCTL_OPTIONS_H

#include <getopt.h>

extern const struct option ofctl_long_options[];

#endif
