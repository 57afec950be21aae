/* SPDX-License-Identifier: Apache-2.0
 *
 * Proxmox VE's files as "qm", "pct" and the web interface write them: what is in force is read,
 * what is pending or a snapshot's is not, and what cannot be understood is an error with its
 * line. */
#include "support.h"

#include <stdio.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "pve_conf.h"

static void
append(char **text, const char *more)
{
    char *old CLEANUP_FREE = *text;

    *text = nwf_asprintf("%s%s", old, more);
}

static void
append_addresses(char **text, const char *name, const struct nwf_pve_addresses *addresses)
{
    if (addresses->n) {
        append(text, name);
    }
    nwf_vec_foreach (address, addresses) {
        append(text, address > addresses->data ? "," : "");
        append(text, *address);
    }
}

/* "net0 BC:24:11:00:00:01 vmbr0 firewall ip=10.0.0.5 set filter=web; ...": a new string. */
static char *
describe(const struct nwf_pve_guest *guest)
{
    char *text = nwf_strdup("");

    for (size_t i = 0; i < NWF_PVE_NETS_MAX; i++) {
        const struct nwf_pve_net *net = &guest->nets[i];
        if (net->line) {
            char *head CLEANUP_FREE =
                nwf_asprintf("%snet%zu %s %s%s", *text ? "; " : "", i, net->mac ? net->mac : "-",
                             net->bridge ? net->bridge : "-", net->firewall ? " firewall" : "");
            append(&text, head);
            append_addresses(&text, " ip=", &net->ip);
            append_addresses(&text, " ip6=", &net->ip6);
            append(&text, net->has_set ? " set" : "");
            append(&text, net->filter ? " filter=" : "");
            append(&text, net->filter ? net->filter : "");
        }
    }
    append(&text, guest->ipfilter ? "; ipfilter" : "");
    append(&text, guest->no_macfilter ? "; no macfilter" : "");
    return text;
}

struct row {
    const char *what, *text;
    const char *expected; /* What it says; or, with 'bad', the error. */
    bool bad;
};

/* ---- Virtual machines. ---- */

#define M1 "BC:24:11:00:00:01"
#define M2 "BC:24:11:00:00:02"

static const struct row machine_rows[] = {
    {"an empty file", "", "", false},
    {"a whole machine",
     "#a web server\n"
     "agent: 1\nargs: -no-hpet -cpu 'host,+x'\nboot: order=scsi0;ide2;net0\ncores: 2\n"
     "cipassword: $5$abc$def:ghi\nciuser: me\nipconfig0: ip=10.0.0.5/24,gw=10.0.0.1\n"
     "ide2: none,media=cdrom\nlock: backup\nmemory: 2048\nmeta: creation-qemu=8.1.5,ctime=17\n"
     "name: web\nnet0: virtio=" M1 ",bridge=vmbr0,firewall=1\nnuma: 0\nostype: l26\n"
     "parent: before\nscsi0: local-lvm:vm-100-disk-0,iothread=1,size=32G\nscsihw: virtio-scsi\n"
     "smbios1: uuid=7f1a7ff4-1d4b-4b1b-bb0a-6a4d6f4f4a3e\nsockets: 1\ntags: a;b\n"
     "vmgenid: c605bcf9-3648-57e3-8d84-5060ded851e8\n",
     "net0 " M1 " vmbr0 firewall ip=10.0.0.5", false},
    {"every property of a net",
     "net3: e1000=" M1 ",bridge=vmbr1,firewall=0,link_down=1,mtu=1500,queues=4,rate=12.5,tag=5,"
     "trunks=1;2;10-20\n",
     "net3 " M1 " vmbr1", false},
    {"a model with a hyphen", "net0: e1000-82545em=" M1 ",bridge=vmbr0", "net0 " M1 " vmbr0",
     false},
    {"the long form", "net0: model=virtio,macaddr=" M1 ",bridge=vmbr0\n", "net0 " M1 " vmbr0",
     false},
    {"the short form of the model", "net0: virtio,macaddr=" M1 ",bridge=vmbr0\n",
     "net0 " M1 " vmbr0", false},
    {"another order of properties", "net0: firewall=1,bridge=vmbr0,virtio=" M1 "\n",
     "net0 " M1 " vmbr0 firewall", false},
    {"booleans in words", "net0: virtio=" M1 ",bridge=vmbr0,firewall=on",
     "net0 " M1 " vmbr0 "
     "firewall",
     false},
    {"small letters", "net0: virtio=bc:24:11:00:00:0a,bridge=vmbr0", "net0 bc:24:11:00:00:0a vmbr0",
     false},
    {"no bridge", "net0: virtio=" M1 "\n", "net0 " M1 " -", false},
    {"spaces, an empty property", "net0:   virtio=" M1 " , bridge=vmbr0 ,,  \n",
     "net0 " M1 " vmbr0", false},
    {"several nets, the last one",
     "net31: virtio=" M2 ",bridge=vmbr0\nnet0: vmxnet3=" M1 ",bridge=vnet1\n",
     "net0 " M1 " vnet1; net31 " M2 " vmbr0", false},
    {"carriage returns", "net0: virtio=" M1 ",bridge=vmbr0\r\nipconfig0: ip=10.0.0.5/24\r\n\r\n",
     "net0 " M1 " vmbr0 ip=10.0.0.5", false},
    {"no line feed at the end", "ostype: l26\nnet0: virtio=" M1 ",bridge=vmbr0,firewall=1",
     "net0 " M1 " vmbr0 firewall", false},
    {"both families",
     "net0: virtio=" M1 ",bridge=vmbr0\n"
     "ipconfig0: gw=10.0.0.1,gw6=2001:db8::1,ip=10.0.0.5/24,ip6=2001:DB8:0::5/64\n",
     "net0 " M1 " vmbr0 ip=10.0.0.5 ip6=2001:db8::5", false},
    {"addresses before the net", "ipconfig0: ip=10.0.0.5/32\nnet0: virtio=" M1 ",bridge=vmbr0\n",
     "net0 " M1 " vmbr0 ip=10.0.0.5", false},
    {"addresses that come by themselves",
     "net0: virtio=" M1 ",bridge=vmbr0\nnet1: virtio=" M2 ",bridge=vmbr0\n"
     "ipconfig0: ip=dhcp,ip6=auto\nipconfig1: ip6=dhcp\n",
     "net0 " M1 " vmbr0; net1 " M2 " vmbr0", false},
    {"addresses without a net", "ipconfig5: ip=10.0.0.5/24\n", "", false},
    {"what is pending and snapshots are not in force",
     "net0: virtio=" M1 ",bridge=vmbr0\n\n[PENDING]\nnet0: virtio=" M2 ",bridge=vmbr9\n"
     "delete: net1\n\n[before]\n#what it was\nnet1: virtio=" M2 ",bridge=vmbr0\nsnaptime: 1\n"
     "!!\n[special:cloudinit]\nnet0: virtio=" M2 "\n",
     "net0 " M1 " vmbr0", false},
    {"a snapshot alone", "[a-b_1]\nnet0: virtio=" M1 ",bridge=vmbr0\n", "", false},
    {"keys that only look alike",
     "net: x\nnetwork0: y\nnets0: z\nipconfig: w\nnet0x: v\nnet00: u\n", "", false},
    {"a key without a value", "tags: \nnet0: virtio=" M1 ",bridge=vmbr0", "net0 " M1 " vmbr0",
     false},
    {"properties of other keys are others'", "scsi0: a,a,=,=b\nargs: -x ,=,\n", "", false},
    /* The description. */
    {"a filter for all nets",
     "#nwfilter%3A web\nnet0: virtio=" M1 ",bridge=vmbr0\nnet1: virtio=" M2 ",bridge=vmbr0\n",
     "net0 " M1 " vmbr0 filter=web; net1 " M2 " vmbr0 filter=web", false},
    {"a filter for one net, in one line of an old description",
     "description: What it%0Ais for%0A nwfilter-net1 %3A a-b_c.d %0Ais this%3A nwfilter\n"
     "net0: virtio=" M1 ",bridge=vmbr0\nnet1: virtio=" M2 ",bridge=vmbr0\n",
     "net0 " M1 " vmbr0; net1 " M2 " vmbr0 filter=a-b_c.d", false},
    {"a filter for one net and one for the others",
     "# %E2%82%AC %zz %4 %\n#nwfilter: all\n# \n#nwfilter-net0: one\nnet0: virtio=" M1
     ",bridge=vmbr0\nnet1: virtio=" M2 ",bridge=vmbr0\n",
     "net0 " M1 " vmbr0 filter=one; net1 " M2 " vmbr0 filter=all", false},
    {"words that only look alike",
     "#nwfilters: x\n#the nwfilter: y\n#nwfilter z\n#nwfilter-net: w\n"
     "#nwfilter-net0x: v\nnet0: virtio=" M1 ",bridge=vmbr0\n",
     "net0 " M1 " vmbr0", false},
    {"the description of a snapshot", "net0: virtio=" M1 ",bridge=vmbr0\n[s]\n#nwfilter%3A web\n",
     "net0 " M1 " vmbr0", false},
    /* What cannot be understood. */
    {"no key", "net0: virtio=" M1 ",bridge=vmbr0\nfoo\n", "100.conf:2: not \"key: value\"", true},
    {"a key in capitals", "Net0: virtio=" M1 "\n", "100.conf:1: not \"key: value\"", true},
    {"a key of spaces", "\n\nne t0: virtio\n", "100.conf:3: not \"key: value\"", true},
    {"half a section", "[PENDING\n", "100.conf:1: \"[\" without \"]\"", true},
    {"an interface twice", "net0: virtio=" M1 ",bridge=vmbr0\nnet0: virtio=" M1 ",bridge=vmbr0\n",
     "100.conf:2: net0 is there twice", true},
    {"addresses twice", "ipconfig0: ip=dhcp\nipconfig0: ip=10.0.0.5/24\n",
     "100.conf:2: ipconfig0 is there twice", true},
    {"too many nets", "net32: virtio=" M1 ",bridge=vmbr0\n", "100.conf:1: net32: there are 32",
     true},
    {"far too many nets", "net99999999999: virtio=" M1 "\n", "", false},
    {"an empty net", "net0:\n", "100.conf:1: net0 has no value", true},
    {"no MAC address", "net0: virtio,bridge=vmbr0\n", "100.conf:1: net0 has no MAC address", true},
    {"a bad MAC address", "net0: virtio=BC:24:11:00:00:0g,bridge=vmbr0\n",
     "100.conf:1: net0 has no MAC address", true},
    {"a bad macaddr", "net0: virtio,macaddr=BC:24:11:00:00,bridge=vmbr0\n",
     "100.conf:1: \"BC:24:11:00:00\" is not a MAC address", true},
    {"a group's address", "net0: virtio=01:00:5e:00:00:01,bridge=vmbr0\n",
     "100.conf:1: MAC address 01:00:5e:00:00:01 is a group's", true},
    {"two MAC addresses", "net0: virtio=" M1 ",e1000=" M2 ",bridge=vmbr0\n",
     "100.conf:1: two MAC addresses", true},
    {"a property twice", "net0: virtio=" M1 ",bridge=vmbr0,bridge=vmbr1\n",
     "100.conf:1: property \"bridge\" is there twice", true},
    {"a property without a value", "net0: virtio=" M1 ",bridge=\n",
     "100.conf:1: a property has no value", true},
    {"a property without a name", "net0: virtio=" M1 ",=vmbr0\n",
     "100.conf:1: a property has no name", true},
    {"no bridge's name", "net0: virtio=" M1 ",bridge=a/b\n",
     "100.conf:1: \"a/b\" is not a bridge's name", true},
    {"a long bridge's name", "net0: virtio=" M1 ",bridge=abcdefghijklmnop\n", "is not a bridge's",
     true},
    {"half a firewall", "net0: virtio=" M1 ",bridge=vmbr0,firewall=2\n",
     "100.conf:1: firewall is 0 or 1, not \"2\"", true},
    {"no address", "ipconfig0: ip=10.0.0/24\n", "100.conf:1: ip: \"10.0.0/24\" is not an address",
     true},
    {"no length", "ipconfig0: ip=10.0.0.5/33\n", "is not an address", true},
    {"a length in hexadecimal", "ipconfig0: ip=10.0.0.5/0x8\n", "is not an address", true},
    {"an empty length", "ipconfig0: ip6=2001:db8::5/\n", "is not an address", true},
    {"the other family", "ipconfig0: ip=2001:db8::5/64\n",
     "100.conf:1: ip: \"2001:db8::5/64\" is "
     "of the other family",
     true},
    {"the other family again", "ipconfig0: ip6=10.0.0.5/24\n", "is of the other family", true},
    {"a filter twice", "#nwfilter: a\n#nwfilter: b\n",
     "100.conf:2: the description names a filter "
     "twice",
     true},
    {"no filter's name", "#nwfilter: ../a\n",
     "100.conf:1: the description: \"../a\" is not a "
     "filter's name",
     true},
    {"an empty filter's name", "#nwfilter:\n", "\"\" is not a filter's name", true},
    {"a filter for too many nets", "#nwfilter-net32: a\n", "nwfilter-net32: there are 32", true},
};

/* ---- Containers. ---- */

static const struct row container_rows[] = {
    {"a whole container",
     "#<b>DNS</b>\narch: amd64\ncores: 1\nfeatures: nesting=1\nhostname: dns\nmemory: 512\n"
     "mp0: local:subvol,mp=/x,size=8G\nnet0: name=eth0,bridge=vmbr0,firewall=1,gw=10.0.0.1,"
     "gw6=2001:db8::1,hwaddr=" M1 ",ip=10.0.0.5/24,ip6=2001:db8::5/64,tag=5,type=veth\n"
     "onboot: 1\nostype: debian\nrootfs: local-lvm:vm-101-disk-0,size=8G\nswap: 512\n"
     "unprivileged: 1\nlxc.apparmor.profile: unconfined\nlxc.cgroup2.devices.allow = c 10:200 rwm\n"
     "lxc.idmap: u 0 100000 1000\n",
     "net0 " M1 " vmbr0 firewall ip=10.0.0.5 ip6=2001:db8::5", false},
    {"every property of a net",
     "net1: name=eth1,bridge=vmbr0,hwaddr=" M2 ",ip=dhcp,ip6=auto,link_down=1,mtu=1400,rate=5,"
     "tag=7,trunks=1;2,type=veth,host-managed=1\n",
     "net1 " M2 " vmbr0", false},
    {"addresses by hand", "net0: name=eth0,bridge=vmbr0,hwaddr=" M1 ",ip=manual,ip6=manual\n",
     "net0 " M1 " vmbr0", false},
    {"no machine's property is its own",
     "net0: name=eth0,bridge=vmbr0,hwaddr=" M1 ",virtio=" M2 "\nipconfig0: ip=10.0.0.5/24\n",
     "net0 " M1 " vmbr0", false},
    {"pending and snapshots",
     "net0: name=eth0,bridge=vmbr0,hwaddr=" M1 "\n[pve:pending]\nnet0: x\n"
     "[vzdump]\nlxc.x = y\n",
     "net0 " M1 " vmbr0", false},
    {"no MAC address", "net0: name=eth0,bridge=vmbr0,ip=dhcp\n", "100.conf:1: net0 has no MAC",
     true},
    {"a bad address", "net0: name=eth0,bridge=vmbr0,hwaddr=" M1 ",ip=10.0.0.5.6/24\n",
     "100.conf:1: ip: \"10.0.0.5.6/24\" is not an address", true},
};

static void
check_rows(const struct row *rows, size_t n, bool is_container)
{
    for (size_t i = 0; i < n; i++) {
        struct nwf_pve_guest guest CLEANUP(nwf_pve_guest_clear);
        struct nwf_error err = NWF_ERROR_INIT;
        int r = nwf_pve_conf_parse("100.conf", rows[i].text, strlen(rows[i].text), is_container,
                                   &guest, &err);

        expect(rows[i].bad == (r < 0), "%s: %s", rows[i].what, nwf_error_text(&err));
        if (rows[i].bad) {
            expect_error(r, &err, rows[i].expected);
        } else {
            char *text CLEANUP_FREE = describe(&guest);
            expect(!strcmp(text, rows[i].expected), "%s: \"%s\"", rows[i].what, text);
        }
    }
}

static void
test_machines(void **state)
{
    (void) state;
    check_rows(machine_rows, N_ROWS(machine_rows), false);
}

static void
test_containers(void **state)
{
    (void) state;
    check_rows(container_rows, N_ROWS(container_rows), true);
}

static void
expect_file_error(const char *data, size_t size, const char *text)
{
    struct nwf_pve_guest guest CLEANUP(nwf_pve_guest_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    expect_error(nwf_pve_conf_parse("100.conf", data, size, false, &guest, &err), &err, text);
}

static void
test_sizes(void **state)
{
    size_t size = NWF_PVE_FILE_MAX;
    char *text CLEANUP_FREE = nwf_zalloc(size + 2);
    struct nwf_pve_guest guest CLEANUP(nwf_pve_guest_clear);
    struct nwf_error err = NWF_ERROR_INIT;
    static const char properties[] = "net0: ";

    (void) state;
    memset(text, 'x', size);
    memcpy(text, "name: ", 6);
    expect_ok(nwf_pve_conf_parse("100.conf", text, size, false, &guest, &err), &err);
    text[size] = 'x';
    expect_file_error(text, size + 1, "100.conf: larger than 1048576 bytes");
    expect_file_error("a: b\nc\0d", 8, "100.conf:2: not a text");
    strcpy(text, properties);
    for (size_t i = 0; i <= 64; i++) {
        sprintf(text + strlen(text), "p%zu=1,", i);
    }
    expect_file_error(text, strlen(text), "100.conf:1: more than 64 properties");
}

/* ---- The firewall's files. ---- */

#define CONF                                                                                       \
    "net0: virtio=" M1 ",bridge=vmbr0,firewall=1\nnet1: virtio=" M2 ",bridge=vmbr0\n"              \
    "ipconfig0: ip=10.0.0.5/24,ip6=2001:db8::5/64\nipconfig1: ip=10.0.0.6/24\n"
#define NET0 "net0 " M1 " vmbr0 firewall"
#define NET1 "net1 " M2 " vmbr0 ip=10.0.0.6"

static const struct row firewall_rows[] = {
    {"an empty file", "", NET0 " ip=10.0.0.5 ip6=2001:db8::5; " NET1, false},
    {"a whole file",
     "[OPTIONS]\n\nenable: 1\nipfilter: 1\nmacfilter: 0\ndhcp: 1\nndp: 0\nlog_level_in: nolog\n"
     "policy_in: DROP\n\n[ALIASES]\n\ngate 10.0.0.1 # the gateway\n\n"
     "[IPSET ipfilter-net0] # may send\n\n10.0.0.7 # a comment\n10.0.1.0/24\ngate\n"
     "2001:db8:1::/48\n\n[IPSET other]\n\n!10.0.0.9\n\n[RULES]\n\n|IN ACCEPT -p tcp\n"
     "IN ACCEPT -source +ipfilter-net0 -log nolog\nGROUP web -i net0\n",
     NET0 " ip=10.0.0.7,10.0.1.0/24,10.0.0.1 ip6=2001:db8:1::/48 set; " NET1
          "; ipfilter; no macfilter",
     false},
    {"an empty set", "[IPSET ipfilter-net0]\n", NET0 " set; " NET1, false},
    {"small letters", "[ipset ipfilter-net0]\n10.0.0.7\n[options]\nIPFILTER: 0\n",
     NET0 " ip=10.0.0.7 set; " NET1, false},
    {"great letters", "[IPSET IPFilter-NET0]\n10.0.0.7\n", NET0 " ip=10.0.0.7 set; " NET1, false},
    {"an alias twice: the last counts",
     "[ALIASES]\nx 10.0.0.7\n[IPSET ipfilter-net0]\nx\n[ALIASES]\nX 10.0.0.8\n",
     NET0 " ip=10.0.0.8 set; " NET1, false},
    {"bits of a host are no part of a network",
     "[IPSET ipfilter-net0]\n10.0.0.77/28\n"
     "2001:db8::ffff/121\n10.0.0.9/32\n2001:db8::1/128\n10.0.0.9\n",
     NET0 " ip=10.0.0.64/28,10.0.0.9 ip6=2001:db8::ff80/121,2001:db8::1 set; " NET1, false},
    {"aliases by where they are",
     "[IPSET ipfilter-net0]\nguest/a\ndc/a\nB\ndc/b\n[ALIASES]\na 10.0.0.7\n",
     NET0 " ip=10.0.0.7,10.9.0.1,10.9.0.2 set; " NET1, false},
    {"a set of an interface that is not there", "[IPSET ipfilter-net2]\n10.0.0.7\n",
     NET0 " ip=10.0.0.5 ip6=2001:db8::5; " NET1, false},
    {"an exception", "[IPSET ipfilter-net0]\n10.0.0.0/24\n!10.0.0.3\n",
     "100.fw:3: an exception (\"!\") cannot be said in a variable", true},
    {"no alias", "[IPSET ipfilter-net0]\nnobody\n", "100.fw:2: no alias \"nobody\"", true},
    {"no alias of the guest's", "[IPSET ipfilter-net0]\nguest/b\n", "100.fw:2: no alias", true},
    {"no address", "[IPSET ipfilter-net0]\n10.0.0\n", "100.fw:2: \"10.0.0\" is not an address",
     true},
    {"a range", "[IPSET ipfilter-net0]\n10.0.0.1-10.0.0.9\n", "is not an address", true},
    {"an alias that is no address", "[ALIASES]\na b\n[IPSET ipfilter-net0]\na\n",
     "100.fw:4: \"b\" is not an address", true},
    {"half an alias", "[ALIASES]\na\n", "100.fw:2: not \"NAME ADDRESS\"", true},
    {"a set twice", "[IPSET ipfilter-net0]\n[IPSET ipfilter-net0]\n",
     "100.fw:2: the set ipfilter-net0 is there twice", true},
    {"a set twice, in other letters", "[IPSET ipfilter-net0]\n[ipset IPFILTER-net0]\n",
     "100.fw:2: the set ipfilter-net0 is there twice", true},
    {"a set too many", "[IPSET ipfilter-net32]\n", "100.fw:1: there are 32 interfaces", true},
    {"half a section", "[IPSET ipfilter-net0\n", "100.fw:1: \"[\" without \"]\"", true},
    {"half an option", "[OPTIONS]\nipfilter: maybe\n", "100.fw:2: ipfilter is 0 or 1", true},
    {"no value", "[OPTIONS]\nmacfilter\n", "100.fw:2: macfilter is 0 or 1", true},
};

static const char cluster_text[] = "[OPTIONS]\nenable: 1\n[ALIASES]\na 10.9.0.1\nb 10.9.0.2 # c\n"
                                   "[IPSET ipfilter-net0]\n!x\n[group g]\nIN ACCEPT\n";

static int
parse_firewall(const char *conf, bool is_container, const char *text, struct nwf_pve_guest *guest,
               struct nwf_error *err)
{
    struct nwf_pve_aliases cluster CLEANUP(nwf_pve_aliases_clear) = {.data = NULL};

    expect_ok(nwf_pve_conf_parse("100.conf", conf, strlen(conf), is_container, guest, err), err);
    expect_ok(
        nwf_pve_aliases_parse("cluster.fw", cluster_text, strlen(cluster_text), &cluster, err),
        err);
    assert_int_equal(cluster.n, 2);
    return nwf_pve_firewall_parse("100.fw", text, strlen(text), &cluster, guest, err);
}

static void
test_firewalls(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ROWS(firewall_rows); i++) {
        const struct row *row = &firewall_rows[i];
        struct nwf_pve_guest guest CLEANUP(nwf_pve_guest_clear);
        struct nwf_error err = NWF_ERROR_INIT;
        int r = parse_firewall(CONF, false, row->text, &guest, &err);

        expect(row->bad == (r < 0), "%s: %s", row->what, nwf_error_text(&err));
        if (row->bad) {
            expect_error(r, &err, row->expected);
        } else {
            char *text CLEANUP_FREE = describe(&guest);
            expect(!strcmp(text, row->expected), "%s: \"%s\"", row->what, text);
        }
    }
}

/* Its addresses stay in force beside the set. */
static void
test_firewall_of_container(void **state)
{
    struct nwf_pve_guest guest CLEANUP(nwf_pve_guest_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    expect_ok(parse_firewall("net0: name=eth0,bridge=vmbr0,hwaddr=" M1 ",ip=10.0.0.5/24\n", true,
                             "[IPSET ipfilter-net0]\n10.0.0.7\n10.0.0.5\n", &guest, &err),
              &err);
    char *text CLEANUP_FREE = describe(&guest);
    assert_string_equal(text, "net0 " M1 " vmbr0 ip=10.0.0.5,10.0.0.7 set");
}

static void
test_many_addresses(void **state)
{
    char *text CLEANUP_FREE = nwf_strdup("[IPSET ipfilter-net0]\n");
    struct nwf_pve_guest guest CLEANUP(nwf_pve_guest_clear);
    struct nwf_error err = NWF_ERROR_INIT;

    (void) state;
    for (size_t i = 0; i <= NWF_PVE_ADDRESSES_MAX; i++) {
        char line[32];
        snprintf(line, sizeof line, "10.0.%zu.%zu\n", i / 256, i % 256);
        append(&text, line);
    }
    expect_error(parse_firewall(CONF, false, text, &guest, &err), &err,
                 "100.fw:1026: more than 1024 addresses");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_firewalls),
        cmocka_unit_test(test_firewall_of_container),
        cmocka_unit_test(test_many_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
