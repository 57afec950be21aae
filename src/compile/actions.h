/* SPDX-License-Identifier: Apache-2.0
 *
 * Actions that the pipeline's flows are made of, put into an ofpbuf. */
#ifndef NWF_COMPILE_ACTIONS_H
#define NWF_COMPILE_ACTIONS_H

#include <stdint.h>

#include "openvswitch/meta-flow.h"
#include "openvswitch/ofpbuf.h"

/* Room for the actions of an ordinary flow; 'buf' lives as long as its block. */
#define NWF_ACTIONS(NAME)                                                                          \
    uint64_t NAME##_stub_[128];                                                                    \
    struct ofpbuf NAME CLEANUP(ofpbuf_uninit) = OFPBUF_STUB_INITIALIZER(NAME##_stub_)

void nwf_put_load(struct ofpbuf *actions, enum mf_field_id reg, uint32_t value);
void nwf_put_load_masked(struct ofpbuf *actions, enum mf_field_id reg, uint32_t value,
                         uint32_t mask);
void nwf_put_output(struct ofpbuf *actions, uint16_t ofport);
void nwf_put_output_receiver(struct ofpbuf *actions); /* To the port in reg0. */
void nwf_put_resubmit(struct ofpbuf *actions, uint8_t table);
void nwf_put_goto(struct ofpbuf *actions, uint8_t table);
/* reg1 := the frame's tag, as it arrived. */
void nwf_put_save_tag(struct ofpbuf *actions);
/* The frame's tag := reg1. */
void nwf_put_restore_tag(struct ofpbuf *actions);
void nwf_put_no_tag(struct ofpbuf *actions);
/* The priority in reg1 := the frame's. */
void nwf_put_save_priority(struct ofpbuf *actions);
/* A frame that NORMAL takes for one of no port of the bridge. */
void nwf_put_from_nowhere(struct ofpbuf *actions);

/* Appends actions written in ovs-ofctl's syntax, which must be valid. */
void nwf_put_text(struct ofpbuf *actions, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
