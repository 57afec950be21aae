/* SPDX-License-Identifier: Apache-2.0
 *
 * A libvirt domain's policy: its network interfaces, and the bindings that its metadata names
 * for them (libvirt's formatdomain; the metadata's schema is src/policy/domain.rng). */
#ifndef NWF_DOMAIN_H
#define NWF_DOMAIN_H

#include "nwf/binding.h"
#include "nwf/mac.h"

/* The namespace of our element <ports> in a domain's <metadata>. */
#define NWF_DOMAIN_NAMESPACE "urn:ovs-nwfilter:domain:1"

/* Interfaces of one domain, and the largest document, bytes: others put their metadata there. */
#define NWF_DOMAIN_NICS_MAX 256
#define NWF_DOMAIN_MAX (8 * 1024 * 1024)

/* An <interface> of the domain.  Strings are owned; NULL: absent. */
struct nwf_domain_nic {
    unsigned int line;
    bool has_mac;
    struct nwf_mac mac;
    char *alias;   /* <alias name=>. */
    char *dev;     /* <target dev=>: the Interface of the switch. */
    char *bridge;  /* <source bridge=>: also of a network, in the XML that a hook gets. */
    char *profile; /* <virtualport><parameters profileid=>. */
    bool is_ovs;   /* <virtualport type='openvswitch'>. */
    /* <virtualport><parameters interfaceid=>. */
    char *interface_id;
    bool is_tap;     /* type='ethernet' or 'vhostuser': whose port somebody else may make. */
    bool is_network; /* type='network': of which nothing is known that has been released. */
};

/* A <port> of the metadata. */
struct nwf_domain_port {
    unsigned int line;
    bool has_mac;
    struct nwf_mac mac;
    char *alias;                /* One of both is given. */
    struct nwf_binding binding; /* Filter, parameters and isolated. */
};

struct nwf_domain {
    char *name, *uuid;
    NWF_VEC(struct nwf_domain_nic) nics;
    NWF_VEC(struct nwf_domain_port) ports;
};

void nwf_domain_clear(struct nwf_domain *domain);

/* Reads a <domain> document; 'file' stands for it in errors.  Metadata of our namespace that the
 * schema does not know is an error with line and element; so are two entries for one interface,
 * an entry for none or for two, and two interfaces of one name. */
int nwf_domain_parse(const char *file, const char *data, size_t size, struct nwf_domain *ret,
                     struct nwf_error *err);

/* The two halves of that: reads, whatever the entries are for, as where an interface may have been
 * unplugged since; and checks that each entry is the only one for some interface.  Where the
 * metadata alone is broken, *ret has the rest in spite of the error, entries that are in order
 * included, and is to be cleared. */
int nwf_domain_read(const char *file, const char *data, size_t size, struct nwf_domain *ret,
                    struct nwf_error *err);
int nwf_domain_check(const char *file, const struct nwf_domain *domain, struct nwf_error *err);

/* The metadata's entry for an interface; NULL: there is none, or two, or it is for two. */
const struct nwf_domain_port *nwf_domain_find_port(const struct nwf_domain *domain,
                                                   const struct nwf_domain_nic *nic);

#endif
