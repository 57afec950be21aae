/* SPDX-License-Identifier: Apache-2.0
 *
 * Watched directories: every change of a file in them is told, once it is whole; they may come,
 * go and be replaced; and what happens beside them is not told. */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"
#include "nwf/watch.h"

struct world {
    char root[64];
    struct nwf_watch *watch;
};

static void
shell(struct world *world, const char *command)
{
    char *line CLEANUP_FREE = nwf_asprintf("cd %s && %s", world->root, command);

    expect(system(line) == 0, "%s failed", line);
}

/* Does it, and says whether that was seen, and seen once. */
static bool
sees(struct world *world, const char *command)
{
    struct pollfd poll_fd = {.events = POLLIN};

    shell(world, command);
    poll_fd.fd = nwf_watch_fd(world->watch);
    bool wakes = poll(&poll_fd, 1, 0) > 0;
    bool seen = nwf_watch_run(world->watch);
    expect(!seen || wakes, "%s: seen, and nobody would have been woken", command);
    expect(!nwf_watch_run(world->watch), "%s: seen twice", command);
    return seen;
}

static void
check_rows(struct world *world, const char *const *commands, size_t n, bool seen)
{
    for (size_t i = 0; i < n; i++) {
        expect(sees(world, commands[i]) == seen, "%s: %s", commands[i], seen ? "not seen" : "seen");
    }
}

static void
watch(struct world *world, const char *first, const char *second)
{
    char *a CLEANUP_FREE = nwf_asprintf("%s/%s", world->root, first);
    char *b CLEANUP_FREE = nwf_asprintf("%s/%s", world->root, second);
    const char *paths[] = {a, b};

    world->watch = nwf_watch_new(paths, 2);
    assert_true(nwf_watch_fd(world->watch) >= 0);
    assert_false(nwf_watch_run(world->watch));
}

static int
set_up(void **state)
{
    struct world *world = nwf_zalloc(sizeof *world);

    strcpy(world->root, "/tmp/nwf-watch.XXXXXX");
    *state = world;
    return mkdtemp(world->root) ? 0 : -1;
}

static int
tear_down(void **state)
{
    struct world *world = *state;
    char *line CLEANUP_FREE = nwf_asprintf("rm -rf %s", world->root);

    if (world->watch) {
        nwf_watch_free(world->watch);
    }
    int r = system(line);
    free(world);
    return r;
}

static void
test_files(void **state)
{
    static const char *const commands[] = {
        "echo 1 > a/x",   "echo 2 >> a/x",  ": > b/y",         "mv a/x a/z",  "chmod 600 a/z",
        "ln -s ../x a/l", "ln a/z a/hard",  "mv a/z .",        "mv z b/",     "rm a/l",
        "mkdir a/folder", "rmdir a/folder", "touch -d @1 b/y", "chmod 700 a", "rm -r b/y b/z",
    };

    shell(*state, "mkdir a b");
    watch(*state, "a", "b");
    check_rows(*state, commands, N_ROWS(commands), true);
}

static void
test_beside(void **state)
{
    static const char *const commands[] = {
        "cat a/x > other", "mkdir c", "echo > c/x", "mkdir a/sub 2> /dev/null || true", "rm other",
    };

    shell(*state, "mkdir -p a/sub b && echo 1 > a/x");
    watch(*state, "a", "b");
    check_rows(*state, commands, N_ROWS(commands), false);
}

static void
test_half_written(void **state)
{
    struct world *world = *state;

    shell(world, "mkdir a b");
    watch(world, "a", "b");
    char *path CLEANUP_FREE = nwf_asprintf("%s/a/x", world->root);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "half", 4), 4);
    assert_false(nwf_watch_run(world->watch));
    close(fd);
    assert_true(nwf_watch_run(world->watch));
    assert_false(nwf_watch_run(world->watch));
}

static void
test_not_there_yet(void **state)
{
    static const char *const commands[] = {
        "mkdir a",
        "mkdir a/b",
        "mkdir a/b/c",
        "echo 1 > a/b/c/x",
        "rm -r a/b",
        "mkdir -p a/b/c",
        "echo 1 > a/b/c/x",
        "mv a/b a/d && mkdir -p a/b/c && echo 2 > a/b/c/x",
        "echo 3 > a/b/c/x",
        "rm -r a",
        "mkdir -p a/b/c && echo 1 > a/b/c/x",
        "echo 2 > a/b/c/x",
        "echo 1 > e",
        "rm e",
        "mkdir e",
        "echo 1 > e/x",
    };

    watch(*state, "a/b/c", "e/");
    check_rows(*state, commands, N_ROWS(commands), true);
    /* What was moved away is watched no more. */
    assert_true(sees(*state, "mv a/b/c old && mkdir a/b/c"));
    assert_false(sees(*state, "echo 4 > old/x"));
}

static void
test_links(void **state)
{
    static const char *const commands[] = {
        "echo 1 > one/x", "ln -sfn two now", "echo 1 > two/x",
        "rm now",         "mkdir now",       "echo 1 > now/x",
    };

    shell(*state, "mkdir one two && ln -s one now");
    watch(*state, "now", "nothing");
    check_rows(*state, commands, N_ROWS(commands), true);
}

static void
test_overflow(void **state)
{
    struct world *world = *state;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    unsigned long n = 0;

    if (!file || fscanf(file, "%lu", &n) != 1 || n > 100000) {
        print_message("no such file, or a queue too long to fill\n");
        n = 0;
    }
    if (file) {
        fclose(file);
    }
    shell(world, "mkdir a b");
    watch(world, "a", "b");
    char *path CLEANUP_FREE = nwf_asprintf("%s/c", world->root);
    /* Enough to lose those that count. */
    for (unsigned long i = 0; i <= n / 2; i++) {
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(rmdir(path), 0);
    }
    assert_true(sees(world, "echo 1 > a/x"));
    assert_true(sees(world, "echo 2 > a/x"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_beside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_there_yet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overflow, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
