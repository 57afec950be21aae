/* SPDX-License-Identifier: Apache-2.0
 *
 * What a domain would get, as text or JSON. */
#include <config.h>

#include "check.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "nwf/text.h"

/* A rule where it is evaluated. */
typedef void rule_fn(void *aux, enum nwf_direction direction, const char *chain,
                     const struct nwf_rule_instance *rule);

static void
each_of_direction(const struct nwf_program *program, enum nwf_direction direction, rule_fn *each,
                  void *aux)
{
    static const char *const families[] = {[NWF_FAMILY_IPV4] = "IPv4", [NWF_FAMILY_IPV6] = "IPv6"};
    const struct nwf_side *side = &program->side[direction];

    nwf_vec_foreach (item, &side->root) {
        if (!item->is_chain) {
            each(aux, direction, "root", &side->rules.data[item->index]);
            continue;
        }
        const struct nwf_pchain *chain = &side->chains.data[item->index];
        nwf_vec_foreach (id, &chain->rules) {
            each(aux, direction, chain->name, &side->rules.data[*id]);
        }
    }
    for (int family = 0; family < NWF_N_FAMILIES; family++) {
        nwf_vec_foreach (id, &side->ip[family]) {
            each(aux, direction, families[family], &side->rules.data[*id]);
        }
    }
}

static void
each_rule(const struct nwf_program *program, rule_fn *each, void *aux)
{
    each_of_direction(program, NWF_OUT, each, aux);
    each_of_direction(program, NWF_IN, each, aux);
}

static char *
place_of(const struct nwf_rule *rule)
{
    char *place CLEANUP_FREE = nwf_asprintf("%s:%u", rule->filter->file, rule->line);

    return nwf_text_clean(place, NWF_ERROR_MAX);
}

/* ---- Text. ---- */

static void
add_row(void *rows, enum nwf_direction direction, const char *chain,
        const struct nwf_rule_instance *instance)
{
    char *place CLEANUP_FREE = place_of(instance->rule);
    char *match CLEANUP_FREE = nwf_rule_instance_format(instance);

    nwf_rows_add(rows, nwf_direction_to_string(direction));
    nwf_rows_add(rows, chain);
    nwf_rows_add(rows, place);
    nwf_rows_add(rows, nwf_action_to_string(instance->rule->action));
    nwf_rows_add(rows, match);
}

static void
print_text(const struct nwf_hook_verdict *verdict)
{
    static const char *const headings[] = {"direction", "chain", "rule", "action", "match"};
    char *params CLEANUP_FREE = nwf_params_format(&verdict->binding.params);
    char *what CLEANUP_FREE = verdict->remark ? nwf_strdup(verdict->remark)
                              : !verdict->program
                                  ? nwf_asprintf("error: %s", nwf_error_text(&verdict->error))
                                  : nwf_asprintf("filter %s from %s; %s", verdict->binding.filter,
                                                 verdict->source, params);
    char *line CLEANUP_FREE =
        nwf_asprintf("%s (line %u): %s", verdict->name, verdict->nic->line, what);
    char *clean CLEANUP_FREE = nwf_text_clean(line, strlen(line) * 4);
    struct nwf_rows rows;

    puts(clean);
    if (verdict->program) {
        nwf_rows_init(&rows, headings, sizeof headings / sizeof headings[0]);
        each_rule(verdict->program, add_row, &rows);
        nwf_rows_print(&rows, false);
    }
}

/* ---- JSON. ---- */

static void
set_text(json_t *object, const char *key, const char *text)
{
    char *clean CLEANUP_FREE = text ? nwf_text_clean(text, NWF_ERROR_MAX) : NULL;

    if (clean) {
        json_object_set_new(object, key, json_string(clean));
    }
}

static void
add_object(void *array, enum nwf_direction direction, const char *chain,
           const struct nwf_rule_instance *instance)
{
    char *place CLEANUP_FREE = place_of(instance->rule);
    char *match CLEANUP_FREE = nwf_rule_instance_format(instance);
    json_t *object = json_object();

    set_text(object, "direction", nwf_direction_to_string(direction));
    set_text(object, "chain", chain);
    set_text(object, "rule", place);
    set_text(object, "action", nwf_action_to_string(instance->rule->action));
    set_text(object, "match", match);
    json_array_append_new(array, object);
}

static json_t *
params_to_json(const struct nwf_params *params)
{
    json_t *object = json_object();

    nwf_vec_foreach (param, &params->list) {
        json_t *values = json_array();
        nwf_vec_foreach (value, &param->values) {
            json_array_append_new(values, json_string(*value));
        }
        json_object_set_new(object, param->name, values);
    }
    return object;
}

static json_t *
verdict_to_json(const struct nwf_hook_verdict *verdict)
{
    json_t *object = json_object();

    set_text(object, "interface", verdict->name);
    json_object_set_new(object, "line", json_integer(verdict->nic->line));
    set_text(object, "remark", verdict->remark);
    set_text(object, "error", verdict->error.text);
    set_text(object, "filter", verdict->binding.filter);
    set_text(object, "source", verdict->source);
    if (verdict->program) {
        json_t *rules = json_array();
        each_rule(verdict->program, add_object, rules);
        json_object_set_new(object, "parameters", params_to_json(&verdict->binding.params));
        json_object_set_new(object, "rules", rules);
    }
    return object;
}

static void
print_json(const struct nwf_hook_verdicts *verdicts)
{
    json_t *array = json_array();

    nwf_vec_foreach (verdict, verdicts) {
        json_array_append_new(array, verdict_to_json(verdict));
    }
    char *text = json_dumps(array, JSON_INDENT(2));
    puts(text);
    free(text);
    json_decref(array);
}

void
nwf_hook_print_verdicts(const struct nwf_hook_verdicts *verdicts, bool json)
{
    if (json) {
        print_json(verdicts);
        return;
    }
    nwf_vec_foreach (verdict, verdicts) {
        print_text(verdict);
    }
}
