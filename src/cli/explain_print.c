/* SPDX-License-Identifier: Apache-2.0
 *
 * An explanation as text or JSON. */
#include <config.h>

#include <jansson.h>
#include <stdio.h>

#include "cli.h"
#include "explain.h"
#include "nwf/text.h"

static const char *
verdict_of(const struct nwf_cli_explanation *e)
{
    return e->explanation->accepted ? "passes" : "dropped";
}

/* ---- Text. ---- */

static void
print_steps(const struct nwf_explanation *explanation)
{
    static const char *const headings[] = {"table", "chain", "rule", "action", "result"};
    struct nwf_rows rows;

    nwf_rows_init(&rows, headings, sizeof headings / sizeof headings[0]);
    nwf_vec_foreach (step, &explanation->steps) {
        char *table CLEANUP_FREE = nwf_asprintf("%u", step->table);

        nwf_rows_add(&rows, table);
        nwf_rows_add(&rows, step->chain);
        nwf_rows_add(&rows, step->place);
        nwf_rows_add(&rows, step->action);
        nwf_rows_add(&rows, step->result);
    }
    nwf_rows_print(&rows, false);
}

static void
print_switch(const struct nwf_cli_explanation *e)
{
    if (e->agrees) {
        puts(e->is_spared ? "the switch agrees: it gives the port all frames of this kind"
                          : "the switch agrees");
        return;
    }
    printf("the switch does not agree: ");
    if (!e->trace->flows.n) {
        puts("it does not bring the packet to this filter");
        return;
    }
    printf("there the packet meets");
    nwf_vec_foreach (flow, &e->trace->flows) {
        printf(" %u:0x%016llx", flow->table, (unsigned long long) flow->cookie);
    }
    putchar('\n');
}

/* ---- JSON. ---- */

static void
set_text(json_t *object, const char *key, const char *text)
{
    char *clean CLEANUP_FREE = nwf_text_clean(text, NWF_ERROR_MAX);

    json_object_set_new(object, key, json_string(clean));
}

static void
set_cookie(json_t *object, uint64_t cookie)
{
    char *text CLEANUP_FREE = nwf_asprintf("0x%016llx", (unsigned long long) cookie);

    json_object_set_new(object, "cookie", json_string(text));
}

static json_t *
steps_to_json(const struct nwf_explanation *explanation)
{
    json_t *array = json_array();

    nwf_vec_foreach (step, &explanation->steps) {
        json_t *object = json_object();
        json_object_set_new(object, "table", json_integer(step->table));
        set_cookie(object, step->cookie);
        set_text(object, "chain", step->chain);
        set_text(object, "rule", step->place);
        set_text(object, "action", step->action);
        set_text(object, "result", step->result);
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *
switch_to_json(const struct nwf_cli_explanation *e)
{
    json_t *object = json_object(), *flows = json_array();

    json_object_set_new(object, "agrees", json_boolean(e->agrees));
    nwf_vec_foreach (flow, &e->trace->flows) {
        json_t *item = json_object();
        json_object_set_new(item, "table", json_integer(flow->table));
        set_cookie(item, flow->cookie);
        json_array_append_new(flows, item);
    }
    json_object_set_new(object, "flows", flows);
    json_object_set_new(object, "all-of-kind", json_boolean(e->is_spared));
    return object;
}

static void
print_json(const struct nwf_cli_explanation *e)
{
    json_t *object = json_object();

    set_text(object, "port", e->port);
    set_text(object, "direction", nwf_direction_to_string(e->direction));
    set_text(object, "verdict", verdict_of(e));
    json_object_set_new(object, "steps", steps_to_json(e->explanation));
    if (e->trace) {
        json_object_set_new(object, "switch", switch_to_json(e));
    }
    char *text = json_dumps(object, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(object);
}

void
nwf_cli_print_explanation(const struct nwf_cli_explanation *e, bool json)
{
    if (json) {
        print_json(e);
        return;
    }
    char *port CLEANUP_FREE = nwf_text_clean(e->port, NWF_ERROR_MAX);
    printf("%s %s: %s\n", port, nwf_direction_to_string(e->direction), verdict_of(e));
    print_steps(e->explanation);
    if (e->trace) {
        print_switch(e);
    }
}
