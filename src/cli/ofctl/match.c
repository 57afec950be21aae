/* SPDX-License-Identifier: Apache-2.0
 *
 * Matches in the forms of each OpenFlow version, read and written again. */
#include <config.h>

#include "openvswitch/match.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "nwf/cleanup.h"
#include "ofctl.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-match.h"

#include "lib/byte-order.h"
#include "lib/nx-match.h"
#include "lib/packets.h"
#include "lib/random.h"
#include "lib/util.h"

/* ---- NXM and OXM. ---- */

static enum ofperr
pull_oxm(struct ofpbuf *in, bool strict, struct match *match)
{
    return strict ? oxm_pull_match(in, false, NULL, NULL, match)
                  : oxm_pull_match_loose(in, false, NULL, match);
}

/* NXM has the cookie among the fields, and does not say where it ends. */
static enum ofperr
pull_nxm(struct ofpbuf *in, unsigned int length, bool strict, struct match *match, ovs_be64 *cookie,
         ovs_be64 *cookie_mask)
{
    return strict ? nx_pull_match(in, length, match, cookie, cookie_mask, false, NULL, NULL)
                  : nx_pull_match_loose(in, length, match, cookie, cookie_mask, false, NULL);
}

/* ---- Lines: of OXM in some version, or with version 0 of NXM. ---- */

/* Writes the match again, and prints it as text and, if asked, as bytes. */
static void
print_match(const struct match *match, ovs_be64 cookie, ovs_be64 cookie_mask,
            enum ofp_version version, bool with_bytes)
{
    struct ofpbuf out;

    ofpbuf_init(&out, 0);
    int length = version ? oxm_put_match(&out, match, version)
                         : nx_put_match(&out, match, cookie, cookie_mask);
    char *text CLEANUP_FREE = version ? oxm_match_to_string(&out, (unsigned int) length)
                                      : nx_match_to_string(out.data, (unsigned int) length);
    puts(text);
    if (with_bytes) {
        ovs_hex_dump(stdout, out.data, out.size, 0, false);
    }
    ofpbuf_uninit(&out);
}

static void
parse_line(const struct ofctl *ofctl, const char *line, enum ofp_version version)
{
    ovs_be64 cookie = 0, cookie_mask = 0;
    struct match match;
    struct ofpbuf in;

    ofpbuf_init(&in, 0);
    int length = version ? oxm_match_from_string(line, &in) : nx_match_from_string(line, &in);
    enum ofperr error = version ? pull_oxm(&in, ofctl->strict, &match)
                                : pull_nxm(&in, (unsigned int) length, ofctl->strict, &match,
                                           &cookie, &cookie_mask);
    if (error) {
        printf("nx_pull_match() returned error %s\n", ofperr_get_name(error));
    } else {
        print_match(&match, cookie, cookie_mask, version, ofctl->verbosity > 0);
    }
    ofpbuf_uninit(&in);
}

static void
parse_lines(const struct ofctl *ofctl, enum ofp_version version)
{
    struct ds line = DS_EMPTY_INITIALIZER;

    while (!ds_get_test_line(&line, stdin)) {
        parse_line(ofctl, ds_cstr(&line), version);
    }
    ds_destroy(&line);
}

void
ofctl_parse_nxm(struct ovs_cmdl_context *ctx)
{
    parse_lines(ofctl_of(ctx), 0);
}

void
ofctl_parse_oxm(struct ovs_cmdl_context *ctx)
{
    enum ofp_version version = ofputil_version_from_string(ctx->argv[1]);

    if (version < OFP12_VERSION) {
        ovs_fatal(0, "%s: not a valid version for OXM", ctx->argv[1]);
    }
    parse_lines(ofctl_of(ctx), version);
}

/* ---- The match structures of OpenFlow 1.0 and 1.1. ---- */

/* A copy of the text, where each 'x' is what pick() says. */
static void
put_digits(struct ofpbuf *bytes, const char *text, char (*pick)(void))
{
    char *copy CLEANUP_FREE = xstrdup(text);

    for (char *p = copy; *p; p++) {
        if (*p == 'x') {
            *p = pick();
        }
    }
    ofctl_put_hex(bytes, copy);
}

static char
pick_zero(void)
{
    return '0';
}

static char
pick_any(void)
{
    return "0123456789abcdef"[random_uint32() & 0xf];
}

static void
check_size(const struct ofpbuf *bytes, size_t expected)
{
    if (bytes->size != expected) {
        ovs_fatal(0, "Input is %u bytes, expected %zu", bytes->size, expected);
    }
}

static void
print_text(const struct match *match)
{
    char *text CLEANUP_FREE = match_to_string(match, NULL, OFP_DEFAULT_PRIORITY);

    puts(text);
}

/* An 'x' may be any digit: it is to be ignored, and to come back as a zero. */
static void
parse_ofp10_line(const char *line)
{
    struct ofpbuf expected, in;
    struct ofp10_match out;
    struct match match;

    ofpbuf_init(&expected, 0);
    ofpbuf_init(&in, 0);
    put_digits(&expected, line, pick_zero);
    put_digits(&in, line, pick_any);
    check_size(&expected, sizeof out);

    ofputil_match_from_ofp10_match(in.data, &match);
    print_text(&match);
    ofputil_match_to_ofp10_match(&match, &out);
    ofctl_print_differences("", expected.data, expected.size, &out, sizeof out);

    ofputil_normalize_match(&match);
    struct ofp10_match normal;
    ofputil_match_to_ofp10_match(&match, &normal);
    ofctl_print_differences("normal: ", &out, sizeof out, &normal, sizeof normal);
    putchar('\n');
    ofpbuf_uninit(&in);
    ofpbuf_uninit(&expected);
}

static void
parse_ofp11_line(const char *line)
{
    struct ofp11_match out;
    struct match match;
    struct ofpbuf in;

    ofpbuf_init(&in, 0);
    ofctl_put_hex(&in, line);
    check_size(&in, sizeof out);

    enum ofperr error = ofputil_match_from_ofp11_match(in.data, &match);
    if (error) {
        printf("bad ofp11_match: %s\n\n", ofperr_get_name(error));
    } else {
        print_text(&match);
        ofputil_match_to_ofp11_match(&match, &out);
        ofctl_print_differences("", in.data, in.size, &out, sizeof out);
        putchar('\n');
    }
    ofpbuf_uninit(&in);
}

static void
each_line(void (*parse)(const char *line))
{
    struct ds line = DS_EMPTY_INITIALIZER;

    while (!ds_get_preprocessed_line(&line, stdin, NULL)) {
        parse(ds_cstr(&line));
    }
    ds_destroy(&line);
}

void
ofctl_parse_ofp10_match(struct ovs_cmdl_context *ctx)
{
    (void) ctx;
    each_line(parse_ofp10_line);
}

void
ofctl_parse_ofp11_match(struct ovs_cmdl_context *ctx)
{
    (void) ctx;
    each_line(parse_ofp11_line);
}
