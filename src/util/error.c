/* SPDX-License-Identifier: Apache-2.0
 *
 * The error object: one cleaned line of bounded length. */
#include "nwf/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "nwf/cleanup.h"
#include "nwf/text.h"

static char *format_clean(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static char *
format_clean(const char *format, va_list args)
{
    char *raw CLEANUP_FREE = NULL;

    if (vasprintf(&raw, format, args) < 0) {
        abort();
    }
    return nwf_text_clean(raw, NWF_ERROR_MAX);
}

int
nwf_error_set(struct nwf_error *err, int code, const char *format, ...)
{
    va_list args;

    if (err) {
        va_start(args, format);
        char *text = format_clean(format, args);
        va_end(args);
        free(err->text);
        err->text = text;
        err->code = code;
    }
    return code;
}

int
nwf_error_wrap(struct nwf_error *err, const char *format, ...)
{
    va_list args;

    if (!err) {
        return 0;
    }
    va_start(args, format);
    char *context CLEANUP_FREE = format_clean(format, args);
    va_end(args);

    char *joined CLEANUP_FREE = nwf_asprintf("%s: %s", context, nwf_error_text(err));
    free(err->text);
    err->text = nwf_text_clean(joined, NWF_ERROR_MAX);
    return err->code;
}

const char *
nwf_error_text(const struct nwf_error *err)
{
    return err->text ? err->text : "no error";
}

void
nwf_error_clear(struct nwf_error *err)
{
    if (err) {
        free(err->text);
        *err = NWF_ERROR_INIT;
    }
}
