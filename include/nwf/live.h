/* SPDX-License-Identifier: Apache-2.0
 *
 * The live engine: follows the database, the switch and the host's filters and policy files, and
 * keeps every managed bridge as they say.
 *
 * It never blocks.  Its owner calls nwf_live_run() and nwf_live_wait() around poll_block(), and
 * holds the host's lock (nwf/lock.h) for as long as there is one. */
#ifndef NWF_LIVE_H
#define NWF_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "nwf/error.h"

struct ds;
struct nwf_live;
struct nwf_ticket;

struct nwf_live_options {
    const char *remote;      /* The database, as the OVS tools name it. */
    const char *filter_dir;  /* Searched for filters first; may be NULL. */
    unsigned int timeout_ms; /* Longest wait for one answer of the database or a switch. */
    uint32_t versions;       /* OpenFlow's, a bitmap. */
};

/* What 'options' point to is copied. */
struct nwf_live *nwf_live_new(const struct nwf_live_options *options);

/* What is in force stays in force. */
void nwf_live_free(struct nwf_live *live);

/* Does what can be done without waiting. */
void nwf_live_run(struct nwf_live *live);

/* Makes the next poll_block() wake up when nwf_live_run() has something to do. */
void nwf_live_wait(struct nwf_live *live);

/* Whether every managed bridge is enforced as the database and the files say.  A port that is
 * quarantined is no obstacle to that, a bridge that fails and is tried again is one. */
bool nwf_live_is_settled(const struct nwf_live *live);

/* Reads filters and policy files anew. */
void nwf_live_reload(struct nwf_live *live);

/* A request to settle 'bridge' or 'port', or everything if both are NULL.  Its ticket is done
 * when what the database and the files say now is enforced there; with 'resync' the switch is
 * read again first, and nothing is assumed of it. */
struct nwf_ticket *nwf_live_request(struct nwf_live *live, const char *bridge, const char *port,
                                    bool resync);

/* Whether the request is done, well or not.  Then its result is appended to *ret_reply as lines,
 * and *ret_exit is 0, or 1 if something is not in force as it should be. */
bool nwf_ticket_is_done(const struct nwf_ticket *ticket, struct ds *ret_reply, int *ret_exit);

/* Ends a request, done or not; before nwf_live_free(). */
void nwf_ticket_free(struct nwf_ticket *ticket);

/* Reports as text, appended to *s in whole lines.  The first line of the status sums up. */
void nwf_live_format_status(const struct nwf_live *live, struct ds *s);
void nwf_live_format_latency(const struct nwf_live *live, struct ds *s);

/* One bridge, or all of them if 'bridge' is NULL; one port.  -ENOENT: there is none. */
int nwf_live_format_bridge(const struct nwf_live *live, const char *bridge, struct ds *s,
                           struct nwf_error *err);
int nwf_live_format_port(const struct nwf_live *live, const char *port, struct ds *s,
                         struct nwf_error *err);

/* What takes memory, as words NAME:NUMBER with white space between them; memory/show and the
 * log have them with those of the library. */
void nwf_live_format_memory(const struct nwf_live *live, struct ds *s);

/* Computes everything from scratch and compares: lists the differences, and returns -EILSEQ if
 * there are any. */
int nwf_live_recompute(struct nwf_live *live, struct ds *s, struct nwf_error *err);

#endif
