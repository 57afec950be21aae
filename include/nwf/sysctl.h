/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of the kernel, as sysctl(8) knows them. */
#ifndef NWF_SYSCTL_H
#define NWF_SYSCTL_H

#include <stdbool.h>

#include "nwf/error.h"

/* Longest value, bytes. */
#define NWF_SYSCTL_MAX 64

/* 'path' is a setting's below /proc/sys, such as "net/ipv4/conf/eth0/forwarding": names of devices
 * may have dots.  *ret_value is a new string. */
int nwf_sysctl_read(const char *path, char **ret_value, struct nwf_error *err);
int nwf_sysctl_write(const char *path, const char *value, struct nwf_error *err);

/* Whether the setting has that value. */
bool nwf_sysctl_equals(const char *path, const char *value);

#endif
