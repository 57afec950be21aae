/* SPDX-License-Identifier: Apache-2.0
 *
 * A rule with its variables filled in, for people: "ip srcipaddr=10.0.0.5 dstportstart!=25". */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "nwf/program.h"
#include "nwf/text.h"

/* Values of a list that are shown. */
#define SHOWN_MAX 4

static bool
is_contiguous(const struct nwf_value *mask, unsigned int *ret_length)
{
    unsigned int n_bits = 8u * mask->len, length = 0;

    while (length < n_bits && mask->bytes[length / 8] & 0x80 >> length % 8) {
        length++;
    }
    *ret_length = length;
    for (unsigned int i = length; i < n_bits; i++) {
        if (mask->bytes[i / 8] & 0x80 >> i % 8) {
            return false;
        }
    }
    return true;
}

static void
put_value(FILE *out, const struct nwf_value *value)
{
    char text[INET6_ADDRSTRLEN];

    switch (value->len) {
    case 6:
        for (int i = 0; i < 6; i++) {
            fprintf(out, "%s%02x", i ? ":" : "", value->bytes[i]);
        }
        return;
    case 16:
        fputs(inet_ntop(AF_INET6, value->bytes, text, sizeof text), out);
        return;
    default:
        fprintf(out, "%u", nwf_value_to_int(value));
    }
}

static bool
is_address(const struct nwf_cond *cond)
{
    return cond->def->type == NWF_T_IP4 || cond->def->type == NWF_T_IP6;
}

static void
put_ip4(FILE *out, const struct nwf_value *value)
{
    char text[INET_ADDRSTRLEN];

    fputs(inet_ntop(AF_INET, value->bytes, text, sizeof text), out);
}

static void
put(FILE *out, const struct nwf_cond *cond, const struct nwf_value *value)
{
    if (cond->def->type == NWF_T_IP4) {
        put_ip4(out, value);
    } else {
        put_value(out, value);
    }
}

static void
put_masked(FILE *out, const struct nwf_cond *cond, const struct nwf_value *value,
           const struct nwf_value *mask)
{
    struct nwf_value ones = nwf_value_ones(value->len);
    unsigned int length;

    put(out, cond, value);
    if (nwf_value_equal(mask, &ones)) {
        return;
    }
    fputc('/', out);
    if (is_address(cond) && is_contiguous(mask, &length)) {
        fprintf(out, "%u", length);
    } else {
        put(out, cond, mask);
    }
}

static void
put_list(FILE *out, const struct nwf_cond *cond)
{
    for (size_t i = 0; i < cond->list.n && i < SHOWN_MAX; i++) {
        const struct nwf_masked *one = &cond->list.data[i];
        fputs(i ? "," : "", out);
        put_masked(out, cond, &one->value, &one->mask);
    }
    if (cond->list.n > SHOWN_MAX) {
        fprintf(out, ",... (%zu)", cond->list.n);
    }
}

/* The attribute for what is compared.  That is another one than the rule has where it is seen from
 * the other side. */
static const char *
name_of(const struct nwf_protocol *protocol, const struct nwf_cond *cond)
{
    const struct nwf_attr_def *def = protocol->attrs;

    if (cond->field == cond->def->field) {
        return cond->def->name;
    }
    while (def->name && (def->field != cond->field || def->role != NWF_ROLE_VALUE)) {
        def++;
    }
    return def->name ? def->name : cond->def->name;
}

static void
put_cond(FILE *out, const struct nwf_protocol *protocol, const struct nwf_cond *cond)
{
    if (!cond->def) {
        return; /* What the element itself says. */
    }
    fprintf(out, " %s%s", name_of(protocol, cond), cond->negated ? "!=" : "=");
    if (cond->text) {
        fputs(cond->text, out);
    } else if (cond->list.n) {
        put_list(out, cond);
    } else if (cond->is_range) {
        put(out, cond, &cond->value);
        fputc('-', out);
        put(out, cond, &cond->last);
    } else {
        put_masked(out, cond, &cond->value, &cond->mask);
    }
}

static void
put_states(FILE *out, const struct nwf_rule_instance *instance)
{
    static const char *const names[] = {"NEW", "ESTABLISHED", "RELATED", "INVALID"};
    const char *before = " state=";

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (instance->states & 1u << i) {
            fprintf(out, "%s%s", before, names[i]);
            before = ",";
        }
    }
}

char *
nwf_rule_instance_format(const struct nwf_rule_instance *instance)
{
    const struct nwf_protocol *protocol = instance->rule->protocol;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        abort();
    }
    fputs(protocol ? protocol->name : "all", out);
    nwf_vec_foreach (cond, &instance->conds) {
        put_cond(out, protocol, cond);
    }
    put_states(out, instance);
    fclose(out);
    return text;
}
