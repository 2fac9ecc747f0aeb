/* The log of a run: JSON Lines, numbers that read back exactly. */
#define _GNU_SOURCE
#include "rt.h"

#include <errno.h>
#include <stdio_ext.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void failed(const rt_log *log, const char *what)
{
    rt_error error;
    rt_set_errno(&error, log->path, what);
    rt_raise(&error);
}

/* A full disk may have taken half a row: what is left are whole ones. What
 * stdio still holds must not follow them when the process ends. */
static _Noreturn void failed_write(const rt_log *log)
{
    int reason = errno, file = fileno(log->file);
    char last = '\n';
    __fpurge(log->file);
    off_t size = lseek(file, 0, SEEK_END);
    while (size > 0 && pread(file, &last, 1, size - 1) == 1 && last != '\n')
        size--;
    if (size >= 0 && ftruncate(file, size))
        size = -1; /* the reason below is the one to tell */
    errno = reason;
    failed(log, "write");
}

/* What remains of an existing log: its first `keep` bytes, whole lines only. */
static void cut(const rt_log *log, int64_t keep)
{
    if (fseeko(log->file, 0, SEEK_END))
        failed(log, "read");
    int64_t size = ftello(log->file);
    if (keep > size)
        keep = size;
    for (; keep > 0; keep--)
        if (!fseeko(log->file, keep - 1, SEEK_SET) && fgetc(log->file) == '\n')
            break;
    if (ftruncate(fileno(log->file), keep) || fseeko(log->file, keep, SEEK_SET))
        failed(log, "write");
}

void log_open(rt_log *log, const char *path, int64_t keep)
{
    *log = (rt_log){.path = path};
    if (!path)
        return;
    log->file = keep ? fopen(path, "r+") : NULL;
    if (!log->file)
        log->file = fopen(path, "w+");
    if (!log->file)
        failed(log, "write");
    struct stat about;
    if (keep && !fstat(fileno(log->file), &about) && S_ISREG(about.st_mode))
        cut(log, keep);
}

const char *number_text(char text[32], double value)
{
    if (!isfinite(value))
        return "null"; /* JSON has no other word */
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return text;
}

void log_row(rt_log *log, const rt_field *fields, int n)
{
    char text[32];
    if (!log->file)
        return;
    for (int i = 0; i < n; i++) {
        fprintf(log->file, "%s\"%s\":", i ? "," : "{", fields[i].name);
        if (fields[i].json)
            fputs(fields[i].json, log->file);
        else if (fields[i].integer)
            fprintf(log->file, "%lld", (long long)fields[i].whole);
        else
            fputs(number_text(text, fields[i].number), log->file);
    }
    fputs("}\n", log->file);
}

void log_flush(rt_log *log)
{
    if (log->file && (fflush(log->file) || ferror(log->file)))
        failed_write(log);
}

int64_t log_sync(rt_log *log)
{
    if (!log->file)
        return 0;
    log_flush(log);
    /* a pipe or a terminal has nothing to sync and no place */
    if (fsync(fileno(log->file)) && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
        failed(log, "write");
    off_t at = ftello(log->file);
    return at < 0 ? 0 : at;
}

void log_close(rt_log *log)
{
    log_sync(log);
    if (log->file && fclose(log->file))
        failed(log, "write");
    log->file = NULL;
}
