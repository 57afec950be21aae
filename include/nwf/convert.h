/* SPDX-License-Identifier: Apache-2.0
 *
 * Moves the <filterref>s of a libvirt domain's Open vSwitch interfaces, which libvirt refuses
 * there, into the domain's metadata (nwf/domain.h). */
#ifndef NWF_CONVERT_H
#define NWF_CONVERT_H

#include <stddef.h>

#include "nwf/error.h"

/* A document that somebody has read; a NUL follows it. */
struct nwf_domain_text {
    const char *file; /* Stands for it in errors. */
    const char *data;
    size_t size;
};

struct nwf_convert_options {
    /* libvirt's networks that are on Open vSwitch.  An interface of another network is on it only
     * if it says so itself, by <virtualport type='openvswitch'>: a network's <virtualport> stands
     * in the network's own document. */
    char *const *networks;
    size_t n_networks;
    /* Called for each interface that keeps its <filterref> although its network may be on
     * Open vSwitch; may be NULL. */
    void (*note)(void *aux, const char *file, unsigned int line, const char *text);
    /* Called for each <filterref> that moves: its line, and which of the domain's interfaces it
     * was in, from 0; may be NULL. */
    void (*moved)(void *aux, size_t nic, unsigned int line);
    void *aux;
};

/* *ret is the document with the <filterref>s moved, and every other byte as it was: a new string
 * of *ret_size bytes.  One that needs no change comes back as it is. */
int nwf_domain_convert(const struct nwf_domain_text *text,
                       const struct nwf_convert_options *options, char **ret, size_t *ret_size,
                       struct nwf_error *err);

#endif
