/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests by rtnetlink; see netlink.h.  libmnl has the format; what is here is how an answer is
 * waited for, how a dump that the kernel calls inconsistent is made again, and that nothing is
 * read which a message does not have. */
#include <config.h>

#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "nwf/text.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

/* Of one datagram: the kernel makes none larger for a dump. */
#define DATAGRAM_MAX 65536

/* How much of notifications the kernel keeps for us, bytes: some thousands. */
#define MONITOR_BUFFER (4 << 20)

/* How often a dump is made anew because its table has changed meanwhile. */
#define DUMPS_MAX 10

/* Longest wait for an answer: the kernel owes it at once. */
#define TIMEOUT_S 5

/* Datagrams that are taken in at a time: whoever makes more is faster than we are. */
#define NOTIFICATIONS_MAX (1 << 20)

/* ---- Sockets. ---- */

/* Older kernels know less: they dump more than is asked for, and say less of errors. */
static void
set_options(struct mnl_socket *socket)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int on = 1;

    (void) mnl_socket_setsockopt(socket, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    (void) mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof on);
    (void) setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

static void
make_monitor(struct mnl_socket *socket)
{
    int fd = mnl_socket_get_fd(socket), size = MONITOR_BUFFER;

    (void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)) {
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
}

int
nwf_netlink_open(unsigned int groups, struct nwf_netlink *ret, struct nwf_error *err)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    if (!socket || mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID)) {
        int r = -errno;
        if (socket) {
            (void) mnl_socket_close(socket);
        }
        return nwf_error_set(err, r, "rtnetlink: %s", strerror(-r));
    }
    if (groups) {
        make_monitor(socket);
    } else {
        set_options(socket);
    }
    *ret = (struct nwf_netlink){
        .socket = socket,
        .buffer = nwf_zalloc(DATAGRAM_MAX),
        .seq = (unsigned int) time(NULL),
    };
    return 0;
}

void
nwf_netlink_close(struct nwf_netlink *nl)
{
    if (nl->socket) {
        (void) mnl_socket_close(nl->socket);
    }
    nl->socket = NULL;
    free(TAKE_PTR(nl->buffer));
}

int
nwf_netlink_fd(const struct nwf_netlink *nl)
{
    return mnl_socket_get_fd(nl->socket);
}

struct nlmsghdr *
nwf_netlink_begin(char *buffer, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    return request;
}

/* ---- Answers. ---- */

struct answer {
    const struct nwf_netlink *nl;
    unsigned int seq;
    nwf_netlink_fn *each;
    void *aux;
    bool is_done, is_interrupted;
    int result; /* The kernel's. */
    int failed; /* The caller's. */
    char *text; /* The kernel's of its result. */
};

static void
take_text(const struct nlattr *attribute, char **text)
{
    if (attribute && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0) {
        free(*text);
        *text = nwf_text_clean(mnl_attr_get_str(attribute), 200);
    }
}

/* The end of an answer, an error of 0 included. */
static void
take_error(struct answer *answer, const struct nlmsghdr *message)
{
    const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);
    size_t size = mnl_nlmsg_get_payload_len(message), offset = sizeof *error;

    answer->is_done = true;
    if (size < sizeof *error) {
        answer->result = -EBADMSG;
        return;
    }
    answer->result = error->error;
    if (!(message->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len >= sizeof error->msg) {
        offset += error->msg.nlmsg_len - sizeof error->msg;
    }
    const struct nlattr *attributes[NLMSGERR_ATTR_MSG + 1];
    if (message->nlmsg_flags & NLM_F_ACK_TLVS && offset < size
        && nwf_netlink_parse(message, offset, attributes, NLMSGERR_ATTR_MSG)) {
        take_text(attributes[NLMSGERR_ATTR_MSG], &answer->text);
    }
}

static void
take_done(struct answer *answer, const struct nlmsghdr *message)
{
    int result = 0;

    if (mnl_nlmsg_get_payload_len(message) >= sizeof result) {
        memcpy(&result, mnl_nlmsg_get_payload(message), sizeof result);
    }
    answer->result = result < 0 ? result : 0;
    answer->is_done = true;
}

static void
take_message(struct answer *answer, const struct nlmsghdr *message)
{
    if (!mnl_nlmsg_seq_ok(message, answer->seq)
        || !mnl_nlmsg_portid_ok(message, mnl_socket_get_portid(answer->nl->socket))) {
        return; /* Of a request before, whose answer did not come in time. */
    }
    answer->is_interrupted |= message->nlmsg_flags & NLM_F_DUMP_INTR;
    switch (message->nlmsg_type) {
    case NLMSG_ERROR:
        take_error(answer, message);
        break;
    case NLMSG_DONE:
        take_done(answer, message);
        break;
    case NLMSG_OVERRUN:
        answer->is_interrupted = true;
        break;
    case NLMSG_NOOP:
        break;
    default:
        if (answer->each && !answer->failed) {
            answer->failed = answer->each(message, answer->aux);
        }
    }
}

static int
take_datagram(struct answer *answer, struct nwf_error *err)
{
    const char *buffer = answer->nl->buffer;
    ssize_t n = mnl_socket_recvfrom(answer->nl->socket, answer->nl->buffer, DATAGRAM_MAX);
    int left = (int) n;

    if (n < 0 && errno == EINTR) {
        return 0;
    }
    if (n <= 0) {
        int r = n ? -errno : -EPIPE;
        return nwf_error_set(err, r, "rtnetlink: no answer: %s", strerror(-r));
    }
    for (const struct nlmsghdr *message = (const struct nlmsghdr *) buffer;
         mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        take_message(answer, message);
    }
    return 0;
}

static int
take_answer(struct answer *answer, struct nwf_error *err)
{
    int r = 0;

    while (!answer->is_done && !r) {
        r = take_datagram(answer, err);
    }
    if (!r && answer->result) {
        r = nwf_error_set(err, answer->result, "%s%s%s", strerror(-answer->result),
                          answer->text ? ": " : "", answer->text ? answer->text : "");
    }
    free(answer->text);
    return r ? r : answer->failed;
}

static int
ask(struct nwf_netlink *nl, struct nlmsghdr *request, struct answer *answer, struct nwf_error *err)
{
    answer->nl = nl;
    answer->seq = request->nlmsg_seq = ++nl->seq;
    if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0) {
        int r = -errno;
        return nwf_error_set(err, r, "rtnetlink: %s", strerror(-r));
    }
    return take_answer(answer, err);
}

int
nwf_netlink_ask(struct nwf_netlink *nl, struct nlmsghdr *request, nwf_netlink_fn *each, void *aux,
                struct nwf_error *err)
{
    struct answer answer = {.each = each, .aux = aux};

    return ask(nl, request, &answer, err);
}

int
nwf_netlink_dump(struct nwf_netlink *nl, struct nlmsghdr *request, nwf_netlink_fn *each, void *aux,
                 struct nwf_error *err)
{
    for (int i = 0; i < DUMPS_MAX; i++) {
        struct answer answer = {.each = each, .aux = aux};

        request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        int r = ask(nl, request, &answer, err);
        if (r || !answer.is_interrupted) {
            return r;
        }
    }
    return nwf_error_set(err, -EAGAIN, "rtnetlink: the table changes faster than it can be read");
}

/* ---- Notifications. ---- */

/* The kernel says once that some are lost, and loses more until all that it has kept are read. */
int
nwf_netlink_listen(struct nwf_netlink *nl, nwf_netlink_fn *each, void *aux)
{
    int lost = 0;

    for (int i = 0; i < NOTIFICATIONS_MAX; i++) {
        ssize_t n = mnl_socket_recvfrom(nl->socket, nl->buffer, DATAGRAM_MAX);
        int left = (int) n;

        if (n < 0 && errno == ENOBUFS) {
            lost = -ENOBUFS;
            continue;
        }
        if (n <= 0) {
            return n && errno != EAGAIN && errno != EINTR ? -errno : lost;
        }
        for (const struct nlmsghdr *message = (const struct nlmsghdr *) nl->buffer;
             mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_type >= NLMSG_MIN_TYPE) {
                (void) each(message, aux);
            }
        }
    }
    return -ENOBUFS;
}

/* ---- Messages. ---- */

bool
nwf_netlink_parse(const struct nlmsghdr *message, size_t offset, const struct nlattr **attributes,
                  uint16_t max)
{
    const char *end = (const char *) message + message->nlmsg_len;
    const struct nlattr *attribute = mnl_nlmsg_get_payload_offset(message, MNL_ALIGN(offset));

    memset(attributes, 0, (max + 1u) * sizeof *attributes);
    if (mnl_nlmsg_get_payload_len(message) < offset) {
        return false;
    }
    /* libmnl's own loop takes a message for a multiple of four bytes long. */
    for (; mnl_attr_ok(attribute, (int) (end - (const char *) attribute));
         attribute = mnl_attr_next(attribute)) {
        if (mnl_attr_get_type(attribute) <= max) {
            attributes[mnl_attr_get_type(attribute)] = attribute;
        }
    }
    return true;
}

const void *
nwf_netlink_data(const struct nlattr *attribute, size_t size)
{
    return attribute && mnl_attr_get_payload_len(attribute) == size
               ? mnl_attr_get_payload(attribute)
               : NULL;
}

size_t
nwf_ip_size(int family)
{
    return family == AF_INET ? 4 : 16;
}
