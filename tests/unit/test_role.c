/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bridge's tags say of its ports, and of the bridge; in doubt a port is a guest's. */
#include "support.h"

#include "nwf/cleanup.h"
#include "nwf/role.h"
#include "nwf/routed.h"
#include "nwf/text.h"

static bool
is_guest(const char *guests, const char *name)
{
    const struct nwf_tag tags[] = {{NWF_BRIDGE_TAG, "enforce"}, {NWF_BRIDGE_GUESTS, guests}};
    struct nwf_binding binding = {.port = nwf_strdup(name)};
    struct nwf_bridge_config config;

    nwf_bridge_config_read(tags, guests ? 2 : 1, &config);
    bool found = nwf_guest_reason(&config, &binding) != NULL;
    nwf_binding_clear(&binding);
    return found;
}

struct name_row {
    const char *guests; /* NULL: the tag is absent. */
    const char *name;
    bool is_guest;
};

static const struct name_row names[] = {
    {NULL, "vnet0", true},     {NULL, "vnet12", true},    {NULL, "vnet", false},
    {NULL, "xvnet0", false},   {NULL, "tap100i0", true},  {NULL, "tap100", false},
    {NULL, "veth101i0", true}, {NULL, "fwln102o0", true}, {NULL, "fwpr102p0", false},
    {NULL, "vif3.0", true},    {NULL, "vif3", false},     {NULL, "eth0", false},
    {NULL, "", false},         {"", "vnet0", false},      {",, ", "vnet0", false},
    {"vm-*", "vnet0", false},  {"vm-*", "vm-a", true},    {"eth*, vm-?", "vm-a", true},
    {"[", "[", true},          {"*", "", true},
};

static void
test_names(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(names); i++) {
        expect(is_guest(names[i].guests, names[i].name) == names[i].is_guest, "\"%s\" in \"%s\"",
               names[i].name, names[i].guests ? names[i].guests : "(absent)");
    }
}

/* Patterns that would be tried for years, and what is too long to try. */
static void
test_hostile(void **state)
{
    char *stars CLEANUP_FREE = nwf_zalloc(128), *as CLEANUP_FREE = nwf_zalloc(129);
    char *long_name CLEANUP_FREE = nwf_zalloc(100001), *long_pattern CLEANUP_FREE = nwf_zalloc(200);

    (void) state;
    for (size_t i = 0; i + 3 < 128; i += 2) {
        memcpy(stars + i, "*a", 2);
    }
    strcat(stars, "b");
    memset(as, 'a', 128);
    memset(long_name, 'x', 100000);
    memset(long_pattern, 'x', 199);
    expect(!is_guest(stars, as), "as without a b");
    expect(is_guest("eth*", long_name), "a name that is too long");
    expect(is_guest(long_pattern, "eth0"), "a pattern that is too long");
    expect(!is_guest("", long_name), "no patterns");
}

struct config_row {
    const char *key, *value;
    enum nwf_managed managed;
    bool quarantine;
    size_t n_doubts;
};

static const struct config_row configs[] = {
    {NWF_BRIDGE_TAG, "enforce", NWF_ENFORCED, false, 0},
    {NWF_BRIDGE_TAG, "audit", NWF_AUDITED, false, 0},
    {NWF_BRIDGE_TAG, "false", NWF_ENFORCED, false, 1},
    {NWF_BRIDGE_TAG, "", NWF_ENFORCED, false, 1},
    {NWF_BRIDGE_DEFAULT, "quarantine", NWF_UNMANAGED, true, 0},
    {NWF_BRIDGE_DEFAULT, "trusted", NWF_UNMANAGED, false, 0},
    {NWF_BRIDGE_DEFAULT, "Trusted", NWF_UNMANAGED, true, 1},
    {NWF_BRIDGE_TRUSTED, "a,b", NWF_UNMANAGED, false, 0},
    {NWF_BRIDGE_GUESTS, "", NWF_UNMANAGED, false, 0},
    {NWF_BRIDGE_FAIL_MODE, "", NWF_UNMANAGED, false, 0},
    {NWF_BRIDGE_UNKNOWN, "flood", NWF_UNMANAGED, false, 0},
    {NWF_BRIDGE_UNKNOWN, "trusted", NWF_UNMANAGED, false, 0},
    {NWF_BRIDGE_UNKNOWN, "Flood", NWF_UNMANAGED, false, 1},
    {NWF_BRIDGE_GUARD, "eth0", NWF_UNMANAGED, false, 0},
    {NWF_BRIDGE_SAVED "mtu", "1500", NWF_UNMANAGED, false, 1},
};

static void
count_doubt(const char *key, const char *value, const char *meaning, void *n)
{
    expect(*key && value && *meaning, "what a doubt is about");
    ++*(size_t *) n;
}

static void
test_config(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(configs); i++) {
        const struct config_row *row = &configs[i];
        const struct nwf_tag tag = {row->key, row->value};
        struct nwf_bridge_config config;
        size_t n = 0;

        nwf_bridge_config_read(&tag, 1, &config);
        nwf_bridge_config_doubts(&tag, 1, count_doubt, &n);
        expect(config.managed == row->managed && config.quarantine == row->quarantine
                   && n == row->n_doubts,
               "%s=%s", row->key, row->value);
    }
}

/* In doubt fewer ports get the frames. */
static void
test_unknown(void **state)
{
    static const struct {
        const char *value; /* NULL: the tag is absent. */
        enum nwf_unknown unknown;
    } rows[] = {
        {NULL, NWF_UNKNOWN_AUTO},         {"flood", NWF_UNKNOWN_FLOOD},
        {"trusted", NWF_UNKNOWN_TRUSTED}, {"", NWF_UNKNOWN_TRUSTED},
        {"floods", NWF_UNKNOWN_TRUSTED},
    };

    (void) state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        const struct nwf_tag tag = {NWF_BRIDGE_UNKNOWN, rows[i].value};
        struct nwf_bridge_config config;

        nwf_bridge_config_read(&tag, rows[i].value ? 1 : 0, &config);
        expect(config.unknown == rows[i].unknown, "%s", rows[i].value ? rows[i].value : "(absent)");
    }
}

/* A port that was to be isolated is no trusted one for want of a filter. */
static void
test_isolated(void **state)
{
    struct nwf_binding binding = {.port = nwf_strdup("eth0"), .isolated = true};
    struct nwf_bridge_config config;

    (void) state;
    nwf_bridge_config_read(NULL, 0, &config);
    const char *reason = nwf_guest_reason(&config, &binding);
    expect(reason && strstr(reason, NWF_TAG_ISOLATED), "isolated alone: %s", reason);
    nwf_binding_clear(&binding);
}

static void
test_trusted(void **state)
{
    const struct nwf_tag tag = {NWF_BRIDGE_TRUSTED, "eth0, bond0\teth1,,"};
    struct nwf_bridge_config config;

    (void) state;
    nwf_bridge_config_read(&tag, 1, &config);
    expect(nwf_is_named_trusted(&config, "eth0") && nwf_is_named_trusted(&config, "bond0")
               && nwf_is_named_trusted(&config, "eth1"),
           "names in the list");
    expect(!nwf_is_named_trusted(&config, "eth") && !nwf_is_named_trusted(&config, "")
               && !nwf_is_named_trusted(&config, "eth0,"),
           "names that are not");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_config),   cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_isolated), cmocka_unit_test(test_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
