/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's commands; see commands.h. */
#include <config.h>

#include "commands.h"

#include <errno.h>
#include <string.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"

#include "lib/unixctl.h"
#include "lib/util.h"

VLOG_DEFINE_THIS_MODULE(nwf_commands);

/* Every answer that is not a ticket's goes through here. */
static void
reply(struct nwf_server *server, struct unixctl_conn *conn, bool good, const char *text)
{
    if (good) {
        unixctl_command_reply(conn, text);
    } else {
        unixctl_command_reply_error(conn, text);
    }
    nwf_requests_note_answer(&server->requests, conn);
}

/* A report, and why it is none or a bad one. */
static void
reply_report(struct nwf_server *server, struct unixctl_conn *conn, struct ds *report, int r,
             struct nwf_error *err)
{
    if (r) {
        ds_put_cstr(report, nwf_error_text(err));
    }
    reply(server, conn, !r, ds_cstr(report));
    nwf_error_clear(err);
}

/* ---- Reports. ---- */

/* 'aux' of commands that have nothing else to know. */
static struct nwf_server *the_server;

typedef void format_fn(const struct nwf_live *live, struct ds *s);

struct report {
    const char *name;
    format_fn *format;
};

static void
show_report(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
            void *report_)
{
    const struct report *report = report_;
    struct ds s CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;

    report->format(the_server->live, &s);
    reply(the_server, conn, true, ds_cstr(&s));
}

static void
show_bridge(struct unixctl_conn *conn, int argc, const char *argv[], void *server_)
{
    struct nwf_server *server = server_;
    struct ds s CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_live_format_bridge(server->live, argc > 1 ? argv[1] : NULL, &s, &err);

    reply_report(server, conn, &s, r, &err);
}

static void
show_port(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[], void *server_)
{
    struct nwf_server *server = server_;
    struct ds s CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_live_format_port(server->live, argv[1], &s, &err);

    reply_report(server, conn, &s, r, &err);
}

static void
recompute(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[] OVS_UNUSED,
          void *server_)
{
    struct nwf_server *server = server_;
    struct ds s CLEANUP(ds_destroy) = DS_EMPTY_INITIALIZER;
    struct nwf_error err = NWF_ERROR_INIT;
    int r = nwf_live_recompute(server->live, &s, &err);

    if (r) {
        VLOG_WARN("recompute: %s", nwf_error_text(&err));
    }
    reply_report(server, conn, &s, r, &err);
}

/* ---- Requests. ---- */

struct scope {
    const char *bridge, *port; /* NULL: all. */
    unsigned int patience_ms;
};

/* The option's value if 'word' is "--NAME=VALUE", else NULL. */
static const char *
option_value(const char *word, const char *name)
{
    size_t n = strlen(name);

    return !strncmp(word, name, n) && word[n] == '=' ? word + n + 1 : NULL;
}

static int
parse_word(const char *word, const char **bare, struct scope *scope, struct nwf_error *err)
{
    const char *value;
    int64_t seconds;

    if ((value = option_value(word, "--bridge"))) {
        scope->bridge = value;
    } else if ((value = option_value(word, "--port"))) {
        scope->port = value;
    } else if ((value = option_value(word, "--timeout"))) {
        if (!nwf_parse_int(value, 1, 86400, &seconds)) {
            return nwf_error_set(err, -EINVAL, "--timeout: \"%.80s\" is not a number of seconds",
                                 value);
        }
        scope->patience_ms = (unsigned int) seconds * 1000;
    } else if (bare && !*bare && *word != '-') {
        *bare = word;
    } else {
        return nwf_error_set(err, -EINVAL, "\"%.80s\": not an option of this command", word);
    }
    return 0;
}

/* One bare word is the bridge, if 'bare_bridge'. */
static int
parse_scope(const struct nwf_server *server, int argc, const char *argv[], bool bare_bridge,
            struct scope *scope, struct nwf_error *err)
{
    int r;

    *scope = (struct scope){.patience_ms = server->patience_ms};
    for (int i = 1; i < argc; i++) {
        if ((r = parse_word(argv[i], bare_bridge ? &scope->bridge : NULL, scope, err))) {
            return r;
        }
    }
    return 0;
}

/* Whoever asks has written what it wants in force before: the database is the engine's to catch
 * up with, the files are ours. */
static void
request(struct nwf_server *server, struct unixctl_conn *conn, const struct scope *scope,
        bool resync)
{
    nwf_files_flush(server->files);
    nwf_requests_add(&server->requests, conn,
                     nwf_live_request(server->live, scope->bridge, scope->port, resync),
                     scope->patience_ms);
}

static void
parse_and_request(struct nwf_server *server, struct unixctl_conn *conn, int argc,
                  const char *argv[], bool resync)
{
    struct nwf_error err = NWF_ERROR_INIT;
    struct scope scope;

    if (parse_scope(server, argc, argv, resync, &scope, &err)) {
        reply(server, conn, false, nwf_error_text(&err));
        nwf_error_clear(&err);
        return;
    }
    request(server, conn, &scope, resync);
}

static void
resync(struct unixctl_conn *conn, int argc, const char *argv[], void *server)
{
    parse_and_request(server, conn, argc, argv, true);
}

static void
settle(struct unixctl_conn *conn, int argc, const char *argv[], void *server)
{
    parse_and_request(server, conn, argc, argv, false);
}

static void
reload(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[] OVS_UNUSED, void *server_)
{
    struct nwf_server *server = server_;
    struct scope all = {.patience_ms = server->patience_ms};

    nwf_live_reload(server->live);
    request(server, conn, &all, false);
}

static void
exit_(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[] OVS_UNUSED, void *server_)
{
    struct nwf_server *server = server_;

    server->exiting = true;
    reply(server, conn, true, NULL);
}

void
nwf_commands_register(struct nwf_server *server)
{
    static struct report reports[] = {
        {"status", nwf_live_format_status},
        {"latency/show", nwf_live_format_latency},
    };

    the_server = server;
    for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
        unixctl_command_register(reports[i].name, "", 0, 0, show_report, &reports[i]);
    }
    unixctl_command_register("bridge/show", "[BRIDGE]", 0, 1, show_bridge, server);
    unixctl_command_register("port/show", "PORT", 1, 1, show_port, server);
    unixctl_command_register("recompute", "", 0, 0, recompute, server);
    unixctl_command_register("resync", "[BRIDGE] [--timeout=SECONDS]", 0, 2, resync, server);
    unixctl_command_register("settle", "[--bridge=BRIDGE] [--port=PORT] [--timeout=SECONDS]", 0, 3,
                             settle, server);
    unixctl_command_register("filter/reload", "", 0, 0, reload, server);
    unixctl_command_register("exit", "", 0, 0, exit_, server);
}
