/* SPDX-License-Identifier: Apache-2.0
 *
 * See support.h. */
#include "support.h"

#include <errno.h>

#include "nwf/text.h"

void
expect_error_(int r, struct nwf_error *err, const char *text, const char *file, int line)
{
    bool as_expected = r < 0 && err->code == r && err->text && strstr(err->text, text);

    if (!as_expected) {
        print_error("%s:%d: expected an error with \"%s\", got %d, \"%s\"\n", file, line, text, r,
                    nwf_error_text(err));
    }
    nwf_error_clear(err);
    assert_true(as_expected);
}

static int
read_text(void *texts, const char *name, char **ret_path, char **ret_data, size_t *ret_size,
          struct nwf_error *err)
{
    for (const struct text_filter *t = texts; t->name; t++) {
        if (!strcmp(t->name, name)) {
            *ret_path = nwf_asprintf("%s.xml", name);
            *ret_data = nwf_strdup(t->xml);
            *ret_size = strlen(t->xml);
            return 0;
        }
    }
    return nwf_error_set(err, -ENOENT, "no such filter");
}

struct nwf_store *
store_of(const struct text_filter *texts)
{
    return nwf_store_new(read_text, (void *) texts);
}

static int
add_variable(const char *word, void *params)
{
    struct nwf_error err = NWF_ERROR_INIT;
    const char *equals = strchr(word, '=');
    char *name CLEANUP_FREE = nwf_strndup(word, equals ? (size_t) (equals - word) : strlen(word));

    expect_ok(nwf_params_add_list(params, name, equals ? equals + 1 : "", &err), &err);
    return 0;
}

void
params_of(const char *text, struct nwf_params *ret)
{
    memset(ret, 0, sizeof *ret);
    nwf_text_split(text, " ", add_variable, ret);
}

struct dice
dice_seed(uint64_t seed)
{
    /* Neighbouring seeds lead to different sequences, none of them to state 0. */
    return (struct dice){.state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1};
}

uint32_t
dice_roll(struct dice *dice, uint32_t n)
{
    dice->state ^= dice->state >> 12;
    dice->state ^= dice->state << 25;
    dice->state ^= dice->state >> 27;
    return (uint32_t) ((dice->state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % n);
}
