/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the guard share; guard.c says what it is for. */
#ifndef NWF_COMPILE_GUARD_PARTS_H
#define NWF_COMPILE_GUARD_PARTS_H

#include "compare.h"
#include "nwf/stages.h"

#define NWF_GUARD_TYPES_MAX 8

/* Stages in front: by source, by type, for each kind, for IPv4, for IPv6, for destinations. */
#define NWF_GUARD_FRONT_MAX 13

/* Two fields that frames of one kind have, in the order in which they are looked at; and one that
 * is looked at before. */
enum {
    NWF_GUARD_ARP,
    NWF_GUARD_RARP,
    NWF_GUARD_TCP,
    NWF_GUARD_UDP,
    NWF_GUARD_NS,
    NWF_GUARD_NA,
    NWF_GUARD_TCP6,
    NWF_GUARD_UDP6,
    NWF_N_GUARD_KINDS,
};
extern const enum nwf_compared nwf_guard_kinds[NWF_N_GUARD_KINDS][2];

/* What rows compare a field with. */
struct nwf_guard_values {
    struct nwf_operand list[NWF_COMPARED_VALUES_MAX];
    bool is_dropped[NWF_COMPARED_VALUES_MAX]; /* By all rows that ask for the value. */
    size_t n;                                 /* 0: the field is not compared bit by bit. */
    const struct nwf_row *drop; /* Decides on frames that have none of them; NULL: many rows do. */
};

struct nwf_guard {
    struct nwf_stages *stages;
    struct nwf_guard_values of[NWF_N_COMPARED];
    const struct nwf_row *drop_tagged; /* Decides on frames with a tag; NULL: many rows do. */
    uint16_t types[NWF_GUARD_TYPES_MAX];
    size_t n_types;
    struct nwf_stages front; /* What comes before the stages; see guard_front.c. */
};

/* ---- guard_values.c: the values that rows ask for, and the bits in their place. ---- */

/* The bit of NWF_REG_COMPARED for a field's value by its number, and those of all its values. */
uint32_t nwf_guard_bit(enum nwf_compared field, size_t value);
uint32_t nwf_guard_bits(const struct nwf_guard *g, enum nwf_compared field);

/* Narrows 'match' to frames whose bits are, as far as 'mask' says, 'bits'. */
void nwf_guard_ask(struct match *match, uint32_t bits, uint32_t mask);

/* Whether all that has the value of 'a' has that of 'b'. */
bool nwf_operand_is_inside(const struct nwf_operand *a, const struct nwf_operand *b);

/* Finds the values that rows compare the field with: none if they are too many, of another kind,
 * or overlap, or if it is of no use to compare them. */
void nwf_guard_find_values(struct nwf_guard *g, enum nwf_compared field);

/* Sorts them, what is inside of something else first, and has rows ask for their bits. */
void nwf_guard_replace_values(struct nwf_guard *g, enum nwf_compared field);

/* ---- guard_drops.c ---- */

/* Finds what drops frames that have none of a field's values, or a tag, whatever the rest of them
 * is. */
void nwf_guard_find_drops(struct nwf_guard *g);

/* ---- guard_front.c ---- */

/* Has rows about one type and an address ask for a bit of the type as well. */
void nwf_guard_note_types(struct nwf_guard *g);

/* Makes the stages in front, and puts them there. */
void nwf_guard_build_front(struct nwf_guard *g);
void nwf_guard_put_front(struct nwf_guard *g);

#endif
