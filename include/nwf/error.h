/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors that gain context on their way up.
 *
 * A function that can fail returns 0 or a negative errno and, where it takes a
 * "struct nwf_error *", leaves one line there that names the place and the
 * cause.  Callers put their own place in front ("vnet3: filter web: ..."), so
 * that the line which reaches the user is the whole path to the cause. */
#ifndef NWF_ERROR_H
#define NWF_ERROR_H

/* Longest error line, bytes.  Longer ones are cut: errors quote hostile input. */
#define NWF_ERROR_MAX 2048

struct nwf_error {
    char *text; /* Owned; NULL when there is no error. */
    int code;   /* Negative errno; 0 when there is no error. */
};

#define NWF_ERROR_INIT ((struct nwf_error){.text = NULL, .code = 0})

/* Sets *err (may be NULL) to the line built from 'format'; an error that is
 * there already is replaced.  Control characters are made visible.  Returns
 * 'code', a negative errno, so that it can be returned in one go. */
int nwf_error_set(struct nwf_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of an existing error.  Returns its code. */
int nwf_error_wrap(struct nwf_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The error's line, or a fixed text when there is none.  Valid until *err changes. */
const char *nwf_error_text(const struct nwf_error *err);

/* Frees the text; *err can be used again.  NULL, an error that nobody wants to hear of, is fine, as
 * it is with the other functions that set one. */
void nwf_error_clear(struct nwf_error *err);

#endif
