/* SPDX-License-Identifier: Apache-2.0
 *
 * The other end of a socket that the program connects to: it says whatever the input says. */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include <stddef.h>
#include <stdint.h>

/* Makes a folder for the sockets the run directory, at the first call; it goes at the end. */
const char *peer_rundir(void);

/* Listens at this file of the run directory; the listening socket. */
int peer_listen(const char *file);

/* Who has connected; -1: nobody has. */
int peer_accept(int listener);

/* Sends what the socket takes. */
void peer_send(int fd, const void *data, size_t size);

/* Reads, and forgets, what has been said. */
void peer_drain(int fd);

#endif
