/* SPDX-License-Identifier: Apache-2.0
 *
 * Bridges of random ports; see world.h. */
#include <config.h>

#include "world.h"

#include <errno.h>

#include "nwf/file.h"
#include "nwf/filter_path.h"
#include "nwf/text.h"

/* ---- Filters. ---- */

static const struct text_filter own_filters[] = {
    {"open", "<filter name='open'/>"},
    {"shut", "<filter name='shut'><rule action='drop' direction='inout'/></filter>"},
    {"some", "<filter name='some'><rule action='drop' direction='inout'>"
             "<mac srcmacaddr='02:00:00:00:00:99'/></rule>"
             "<rule action='drop' direction='in'><ip match='no' srcipaddr='10.0.0.1'/></rule>"
             "<rule action='accept' direction='in'><mac match='no' protocolid='ipv4'/></rule>"
             "</filter>"},
    {"no-arp", "<filter name='no-arp'><rule action='drop' direction='in'><arp/></rule></filter>"},
    {"web", "<filter name='web'><filterref filter='clean-traffic'/>"
            "<rule action='accept' direction='in'><tcp dstportstart='80'/></rule>"
            "<rule action='accept' direction='out'><all/></rule>"
            "<rule action='drop' direction='inout'><all/></rule></filter>"},
    {"stateless", "<filter name='stateless'>"
                  "<rule action='accept' direction='in' statematch='false'>"
                  "<tcp dstportstart='22'/></rule>"
                  "<rule action='drop' direction='in' statematch='false'><udp/></rule></filter>"},
    {"variable", "<filter name='variable'><rule action='drop' direction='out'>"
                 "<ip match='no' srcipaddr='$NOBODY'/></rule></filter>"},
    {"broken", "<filter name='broken'><rule/></filter>"},
};

const char *const world_filters[N_WORLD_FILTERS] = {
    "open",       "shut",           "some",          "no-arp",           "web",    "web",
    "web",        "stateless",      "clean-traffic", "clean-traffic",    "broken", "variable",
    "allow-ipv4", "no-ip-spoofing", "absent",        "no-mac-broadcast", "open",   "some",
};

int
world_read_filter(void *aux, const char *name, char **ret_path, char **ret_data, size_t *ret_size,
                  struct nwf_error *err)
{
    char *file CLEANUP_FREE = nwf_asprintf("filters/%s.xml", name);

    (void) aux;
    for (size_t i = 0; i < N_ROWS(own_filters); i++) {
        if (!strcmp(own_filters[i].name, name)) {
            *ret_path = nwf_asprintf("%s.xml", name);
            *ret_data = nwf_strdup(own_filters[i].xml);
            *ret_size = strlen(own_filters[i].xml);
            return 0;
        }
    }
    *ret_path = nwf_data_file(file);
    return nwf_file_read(*ret_path, 65536, ret_data, ret_size, err);
}

/* ---- A bridge, its plan, and its switch. ---- */

uint32_t
world_roll(struct world *w, uint32_t n)
{
    return dice_roll(&w->dice, n);
}

void
world_init(struct world *w, struct nwf_store *store, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->what = "nothing";
    w->dice = dice_seed(seed);
    w->sources.store = store;
    nwf_plan_init(&w->plan, "br0");
    w->plan.zones = w->zones;
    nwf_image_init(&w->image);
    w->plan.installed = &w->image;
    nwf_flow_set_init(&w->installed);
}

void
world_finish(struct world *w)
{
    nwf_plan_finish(&w->plan);
    nwf_image_finish(&w->image);
    nwf_flow_set_finish(&w->installed);
}

/* ---- Random ports. ---- */

static uint16_t
roll_number(struct world *w)
{
    /* Seldom none, or that of the bridge's own port. */
    return world_roll(w, 20)  ? (uint16_t) (1 + world_roll(w, N_NUMBERS))
           : world_roll(w, 3) ? NWF_OFPORT_LOCAL
                              : 0;
}

static bool
is_taken(const struct world *w, uint16_t number)
{
    nwf_vec_foreach (port, &w->plan.ports) {
        if ((*port)->config.ofport == number) {
            return true;
        }
    }
    return false;
}

/* Seldom one that is another's. */
uint16_t
world_roll_free_number(struct world *w)
{
    uint16_t number = roll_number(w);

    for (int i = 0; i < 20 && is_taken(w, number) && world_roll(w, 8); i++) {
        number = roll_number(w);
    }
    return number;
}

static void
roll_vlan(struct world *w, bool is_guest, struct nwf_vlan *ret)
{
    memset(ret, 0, sizeof *ret);
    if (world_roll(w, 2)) {
        return;
    }
    ret->mode =
        (enum nwf_vlan_mode) world_roll(w, is_guest ? NWF_VLAN_TUNNEL : NWF_VLAN_TUNNEL + 1);
    if (ret->mode != NWF_VLAN_TRUNK) {
        ret->tag = (uint16_t) (5 + world_roll(w, 2));
    }
    if (ret->mode == NWF_VLAN_TUNNEL) {
        ret->tpid = 0x88a8;
    }
    while (ret->mode != NWF_VLAN_ACCESS && !world_roll(w, 2)) {
        nwf_vlan_add_trunk(ret, (uint16_t) world_roll(w, 9));
    }
}

char *
world_roll_mac(struct world *w)
{
    return world_roll(w, 40) ? nwf_asprintf("52:54:00:00:00:%02x", 1 + world_roll(w, 24))
                             : nwf_strdup("53:00:00:00:00:01"); /* A group's. */
}

void
add_variable(struct nwf_params *params, const char *name, const char *value)
{
    struct nwf_error err = NWF_ERROR_INIT;

    expect_ok(nwf_params_add(params, name, value, &err), &err);
}

void
world_roll_guest(struct world *w, struct nwf_port_config *config)
{
    struct nwf_binding *binding = &config->binding;

    binding->port = nwf_strdup(config->name);
    binding->filter = nwf_strdup(world_filters[world_roll(w, N_ROWS(world_filters))]);
    for (uint32_t n = world_roll(w, 12) ? 1 + !world_roll(w, 3) : 0; n; n--) {
        char *mac CLEANUP_FREE = world_roll_mac(w);
        add_variable(&binding->params, "MAC", mac);
    }
    for (uint32_t n = world_roll(w, 12) ? 1 + !world_roll(w, 3) : 0; n; n--) {
        char *ip CLEANUP_FREE = nwf_asprintf("10.0.0.%u", 1 + world_roll(w, 20));
        add_variable(&binding->params, "IP", ip);
    }
    if (!world_roll(w, 6)) {
        binding->own_mac = world_roll_mac(w);
    }
}

static void
roll_trusted(struct world *w, struct nwf_port_config *config)
{
    if (config->ofport && !world_roll(w, 3)) {
        uint16_t other = (uint16_t) (1 + world_roll(w, N_NUMBERS));
        nwf_vec_push(&config->bond, config->ofport);
        if (other != config->ofport) {
            nwf_vec_push(&config->bond, other);
        }
    }
    config->needs_normal = config->bond.n || config->vlan.mode == NWF_VLAN_TUNNEL;
    config->is_patch = !world_roll(w, 10);
    config->has_own_mac = !world_roll(w, 4);
    if (config->has_own_mac) {
        config->own_mac =
            (struct nwf_mac){{0x52, 0x54, 0, 0, 0, (uint8_t) (1 + world_roll(w, 24))}};
    }
}

void
world_roll_config(struct world *w, const char *name, struct nwf_port_config *ret)
{
    uint32_t kind = world_roll(w, 20);

    memset(ret, 0, sizeof *ret);
    ret->name = nwf_strdup(name);
    ret->ofport = world_roll_free_number(w);
    ret->role = kind < 14 ? NWF_GUEST : kind < 18 ? NWF_TRUSTED : NWF_QUARANTINED;
    roll_vlan(w, ret->role != NWF_TRUSTED, &ret->vlan);
    if (ret->role == NWF_GUEST) {
        world_roll_guest(w, ret);
    } else if (ret->role == NWF_TRUSTED) {
        roll_trusted(w, ret);
    } else {
        nwf_error_set(&ret->error, -EINVAL, "broken tags");
    }
}

char *
copy_text(const char *text)
{
    return text ? nwf_strdup(text) : NULL;
}

static void
copy_binding(const struct nwf_binding *from, struct nwf_binding *ret)
{
    ret->port = copy_text(from->port);
    ret->filter = copy_text(from->filter);
    ret->own_mac = copy_text(from->own_mac);
    ret->has_identity = from->has_identity;
    memset(&ret->params, 0, sizeof ret->params);
    nwf_vec_foreach (param, &from->params.list) {
        nwf_vec_foreach (value, &param->values) {
            add_variable(&ret->params, param->name, *value);
        }
    }
}

void
copy_error(const struct nwf_error *from, struct nwf_error *ret)
{
    *ret = (struct nwf_error){.text = copy_text(from->text), .code = from->code};
}

void
copy_config(const struct nwf_port_config *from, struct nwf_port_config *ret)
{
    *ret = *from;
    ret->name = nwf_strdup(from->name);
    copy_error(&from->error, &ret->error);
    copy_binding(&from->binding, &ret->binding);
    ret->vlan = nwf_vlan_copy(&from->vlan);
    memset(&ret->bond, 0, sizeof ret->bond);
    nwf_vec_foreach (member, &from->bond) {
        nwf_vec_push(&ret->bond, *member);
    }
    expect(nwf_port_config_equals(from, ret), "%s: a copy differs", from->name);
}
