/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target without libFuzzer: over all files of a folder, and over mutations
 * of them, which are the same at every run.
 *
 *   fuzz_NAME FOLDER N    each file, then N mutations
 *   fuzz_NAME FILE        one input
 *
 * The input at work is in the file fuzz_NAME.input of the working directory, and stays
 * there when the target does not come back from it. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nwf/cleanup.h"
#include "nwf/file.h"
#include "nwf/text.h"
#include "nwf/vec.h"

#define INPUT_MAX (4 * 1024 * 1024)
/* Mutations start from no more than this: many small ones find more. */
#define MUTANT_MAX 8192

struct input {
    uint8_t *data;
    size_t size;
};

struct inputs {
    struct input *data;
    size_t n, allocated;
};

static struct input
read_input(const char *path)
{
    struct nwf_error err = NWF_ERROR_INIT;
    char *data;
    size_t size;

    if (nwf_file_read(path, INPUT_MAX, &data, &size, &err)) {
        fprintf(stderr, "%s\n", nwf_error_text(&err));
        exit(2);
    }
    return (struct input){(uint8_t *) data, size};
}

static int
is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* By name, so that the order is the same everywhere. */
static void
read_folder(const char *path, struct inputs *ret)
{
    struct dirent **entries;
    int n = scandir(path, &entries, is_file, alphasort);

    if (n <= 0) {
        fprintf(stderr, "%s: no corpus\n", path);
        exit(2);
    }
    for (int i = 0; i < n; i++) {
        char *file CLEANUP_FREE = nwf_asprintf("%s/%s", path, entries[i]->d_name);
        nwf_vec_push(ret, read_input(file));
        free(entries[i]);
    }
    free(entries);
}

/* ---- Mutations. ---- */

static uint32_t
roll(uint32_t n)
{
    static uint64_t state = UINT64_C(0x9e3779b97f4a7c15); /* xorshift64* */

    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t) ((state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % n);
}

/* Replaces 'n' bytes at 'at' by those of 'with'. */
static void
replace(struct input *input, size_t at, size_t n, const uint8_t *with, size_t n_with)
{
    size_t tail = input->size - at - n;
    uint8_t *data = nwf_zalloc(at + n_with + tail);

    memcpy(data, input->data, at);
    memcpy(data + at, with, n_with);
    memcpy(data + at + n_with, input->data + at + n, tail);
    free(input->data);
    *input = (struct input){data, at + n_with + tail};
}

/* A place in 'input', more often than not at the start of a word. */
static size_t
place(const struct input *input)
{
    size_t at = roll((uint32_t) input->size + 1);

    while (at > 0 && at < input->size && roll(16) && !strchr(" =<>'\"\n/,:{}[]", input->data[at])) {
        at--;
    }
    return at;
}

static size_t
length(const struct input *input, size_t at)
{
    size_t left = input->size - at;
    uint32_t most = roll(8) ? 16 : 256;

    return left ? roll((uint32_t) (left < most ? left : most) + 1) : 0;
}

static void
put_word(struct input *input)
{
    static const char *const words[] = {
        "",  "0",  "-1",   "1",      "255",    "256",   "65535", "65536", "4294967296",
        "$", "$X", "$X[",  "$X[0]",  "$X[@1]", "yes",   "no",    "true",  "0xffffffffffffffff",
        "'", "\"", "\x1b", "&#x1b;", "\xff",   "&amp;", "<a/>",  "::",    "<!DOCTYPE a>",
        "/", "/0", "/33",  "1001",   "]]>",    "{",     "[",     "null",  "99999999999999999999",
    };
    const char *word = words[roll(sizeof words / sizeof words[0])];
    size_t at = place(input);

    replace(input, at, roll(2) ? 0 : length(input, at), (const uint8_t *) word, strlen(word));
}

static void
mutate(struct input *input, const struct inputs *corpus)
{
    const struct input *other = &corpus->data[roll((uint32_t) corpus->n)];
    size_t at = place(input), from = place(other);
    uint8_t byte = (uint8_t) roll(256);

    switch (roll(6)) {
    case 0:
        replace(input, at, at < input->size, &byte, 1);
        break;
    case 1: /* Without a part. */
        replace(input, at, length(input, at), &byte, 0);
        break;
    case 2: /* A part of another, or of itself, in between. */
        replace(input, at, 0, other->data + from, length(other, from));
        break;
    case 3: /* In place of what is there. */
        replace(input, at, length(input, at), other->data + from, length(other, from));
        break;
    case 4: /* Here one, there the other. */
        replace(input, at, input->size - at, other->data + from, other->size - from);
        break;
    case 5:
        put_word(input);
        break;
    }
}

/* ---- Running. ---- */

static void
run(int log, const struct input *input)
{
    if (ftruncate(log, 0) < 0
        || pwrite(log, input->data, input->size, 0) != (ssize_t) input->size) {
        perror("the input's copy");
        exit(2);
    }
    LLVMFuzzerTestOneInput(input->data, input->size);
}

static void
run_mutant(int log, const struct inputs *corpus)
{
    const struct input *from = &corpus->data[roll((uint32_t) corpus->n)];
    size_t size = from->size < MUTANT_MAX ? from->size : MUTANT_MAX;
    struct input mutant = {nwf_memdup(from->data, size), size};

    for (uint32_t i = 1 + roll(4); i > 0; i--) {
        mutate(&mutant, corpus);
    }
    run(log, &mutant);
    free(mutant.data);
}

int
main(int argc, char **argv)
{
    struct inputs corpus = {.data = NULL};
    struct stat st;

    if (argc < 2 || stat(argv[1], &st) < 0 || argc != (S_ISDIR(st.st_mode) ? 3 : 2)) {
        fprintf(stderr, "usage: %s FOLDER N | FILE\n", argv[0]);
        return 2;
    }
    if (S_ISDIR(st.st_mode)) {
        read_folder(argv[1], &corpus);
    } else {
        nwf_vec_push(&corpus, read_input(argv[1]));
    }
    const char *slash = strrchr(argv[0], '/');
    char *path CLEANUP_FREE = nwf_asprintf("%s.input", slash ? slash + 1 : argv[0]);
    int log = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (log < 0) {
        perror(path);
        return 2;
    }
    nwf_vec_foreach (input, &corpus) {
        run(log, input);
    }
    long n = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    for (long i = 0; i < n; i++) {
        run_mutant(log, &corpus);
    }
    printf("%zu files, %ld mutations\n", corpus.n, n);
    nwf_vec_foreach (input, &corpus) {
        free(input->data);
    }
    nwf_vec_clear(&corpus);
    close(log);
    unlink(path);
    return 0;
}
