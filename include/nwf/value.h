/* SPDX-License-Identifier: Apache-2.0
 *
 * The values that rule attributes take, parsed and in network byte order. */
#ifndef NWF_VALUE_H
#define NWF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nwf/error.h"
#include "nwf/mac.h"

/* Up to an IPv6 address, most significant byte first, left-aligned. */
struct nwf_value {
    uint8_t bytes[16];
    uint8_t len; /* Bytes in use: 1, 2, 4, 6 or 16. */
};

/* What an attribute accepts.  Masks accept a length or the address form and
 * must be contiguous, as in libvirt. */
enum nwf_type {
    NWF_T_U8,
    NWF_T_U16,
    NWF_T_U32,
    NWF_T_MAC,
    NWF_T_MACMASK,
    NWF_T_IP4,
    NWF_T_IP4MASK,
    NWF_T_IP6,
    NWF_T_IP6MASK,
    NWF_T_BOOL,
    NWF_T_TCP_FLAGS, /* "MASK/FLAGS", lists of names; 2 bytes. */
    NWF_T_STATES,    /* A list of connection states; 1 byte of enum nwf_state bits. */
    NWF_T_TEXT,
    NWF_T_MATCH, /* Text with variables anywhere in it. */
};

/* Of a connection, as iptables' conntrack match names them (iptables-extensions(8)). */
enum nwf_state {
    NWF_STATE_NEW = 1,
    NWF_STATE_ESTABLISHED = 2,
    NWF_STATE_RELATED = 4,
    NWF_STATE_INVALID = 8,
    NWF_STATE_NONE = 16, /* Whatever it is. */
};

struct nwf_name {
    const char *name; /* Compared without case; NULL ends a table. */
    uint16_t value;
};

/* Which numbers an integer may be. */
struct nwf_numbers {
    int64_t min, max;
    const struct nwf_name *names; /* Words for some of them; NULL for none. */
};

/* A value and the bits of it that count. */
struct nwf_masked {
    struct nwf_value value;
    struct nwf_value mask;
};

struct nwf_masked_list {
    struct nwf_masked *data;
    size_t n, allocated;
};

/* Parses 'text' as 'type'.  Integers must be one of 'numbers', which other types do not look at
 * (NULL will do).  An address may end in "/LENGTH" if it has no bits behind that length;
 * everything else gets an exact mask.  Returns 0 or -EINVAL with a cause that quotes the
 * text. */
int nwf_value_parse(enum nwf_type type, const struct nwf_numbers *numbers, const char *text,
                    struct nwf_masked *ret, struct nwf_error *err);

/* An integer of 'len' bytes. */
struct nwf_value nwf_value_from_int(uint32_t value, uint8_t len);
uint32_t nwf_value_to_int(const struct nwf_value *value);

/* All ones in 'len' bytes. */
struct nwf_value nwf_value_ones(uint8_t len);

bool nwf_value_equal(const struct nwf_value *a, const struct nwf_value *b);

/* Parses an Ethernet address without a mask.  -EINVAL with a cause that quotes the text. */
int nwf_mac_parse(const char *text, struct nwf_mac *ret, struct nwf_error *err);

#endif
