/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of the second lock, as libnftables reads it, and what the kernel then has of it. */
#ifndef NWF_HOST_NIC_LOCK_TEXT_H
#define NWF_HOST_NIC_LOCK_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "nwf/nic_lock.h"

/* Room for a name in nftables: a prefix and 15 characters of which each may take three. */
#define NIC_LOCK_NAME_MAX 80

/* Sets of a NIC: untagged and tagged offenders.  The counter of all others bears the NIC's name
 * behind "rest-".  An element is gone after this many seconds without a frame. */
#define NIC_LOCK_UNTAGGED "untagged-"
#define NIC_LOCK_TAGGED "tagged-"
#define NIC_LOCK_REST "rest-"
#define NIC_LOCK_FORGET 86400

struct nic_lock_text {
    char *objects;            /* Sets and counters. */
    char *chains;             /* Chains and rules; each rule's comment is "FINGERPRINT-NUMBER". */
    char fingerprint[17];     /* Of both. */
    NWF_VEC(char *) names;    /* The chains. */
    NWF_VEC(size_t) chain_of; /* The chain of each rule, an index into 'names'. */
    char table[NIC_LOCK_NAME_MAX];
};

/* Whether 'name' can stand in quotes in nftables' language: an interface of Linux mostly can. */
bool nic_lock_name_is_valid(const char *name);

/* Writes 'prefix' and 'name' as an identifier of nftables; no two names give the same. */
void nic_lock_identifier(const char *prefix, const char *name, char ret[NIC_LOCK_NAME_MAX]);

/* The reverse: the name behind 'prefix'.  Returns NULL if 'identifier' is none of ours; else a new
 * string. */
char *nic_lock_name_of(const char *prefix, const char *identifier);

/* Builds the text of what 'bridge' shall have. */
int nic_lock_text_init(struct nic_lock_text *text, const char *bridge,
                       const struct nwf_nic_locks *locks, struct nwf_error *err);
void nic_lock_text_finish(struct nic_lock_text *text);

#endif
