/* error.h: messages, warnings, did-you-mean. */
#define _GNU_SOURCE
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program_name = "aecc";

void rt_set_name(const char *argv0)
{
    if (argv0 == NULL || argv0[0] == '\0')
        return;
    const char *slash = strrchr(argv0, '/');
    program_name = slash != NULL ? slash + 1 : argv0;
}

const char *rt_name(void)
{
    return program_name;
}

/* A file's name may hold anything: control characters never reach a terminal. */
static void print_line(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            fprintf(stderr, "\\x%02x", c);
        else
            fputc(c, stderr);
    }
    fputc('\n', stderr);
}

static void print_message(const char *kind, const char *text)
{
    const char *hint = strchr(text, '\n');
    fflush(stdout);
    fprintf(stderr, "%s: %s: ", program_name, kind);
    print_line(text, hint != NULL ? (size_t)(hint - text) : strlen(text));
    while (hint != NULL) {
        const char *line = hint + 1;
        hint = strchr(line, '\n');
        fputs("  hint: ", stderr);
        print_line(line, hint != NULL ? (size_t)(hint - line) : strlen(line));
    }
}

/* Cuts at the end of the buffer, never inside the hint's marker. */
static void fill(rt_error *error, int status, const char *format, va_list arguments)
{
    error->status = status;
    vsnprintf(error->text, sizeof error->text, format, arguments);
}

_Noreturn void rt_raise(const rt_error *error)
{
    print_message("error", error->text);
    if (error->status == RT_DEFECT)
        fputs("  hint: this is a defect of aecc; please report it with the program\n", stderr);
    exit(error->status);
}

_Noreturn void rt_fail(int status, const char *format, ...)
{
    rt_error error;
    va_list arguments;
    va_start(arguments, format);
    fill(&error, status, format, arguments);
    va_end(arguments);
    rt_raise(&error);
}

void rt_warn(const char *format, ...)
{
    rt_error warning;
    va_list arguments;
    va_start(arguments, format);
    fill(&warning, RT_OK, format, arguments);
    va_end(arguments);
    print_message("warning", warning.text);
}

bool rt_set(rt_error *error, int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fill(error, status, format, arguments);
    va_end(arguments);
    return false;
}

static const char *errno_hint(int number)
{
    switch (number) {
    case ENOSPC: return "\nfree some space, or write to another disk";
    case EROFS:
    case EACCES: return "\ncheck the permissions of the file and its folder";
    case ENOENT: return "\ncheck that the folder exists";
    default: return "";
    }
}

bool rt_set_errno(rt_error *error, const char *path, const char *what)
{
    int number = errno;
    return rt_set(error, RT_IO, "%s: cannot %s: %s%s", path, what, strerror(number),
                  errno_hint(number));
}

void *rt_alloc(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL)
        rt_fail(RT_IO, "out of memory: %zu x %zu bytes", count, size);
    return memory;
}

char *rt_text(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        rt_fail(RT_IO, "out of memory");
    return text;
}

bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && !strcmp(path + n - m, end);
}

enum { WORD_MAX = 63 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned rt_distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    if (na > WORD_MAX || nb > WORD_MAX)
        return strcmp(a, b) == 0 ? 0 : WORD_MAX + 1;
    unsigned row[3][WORD_MAX + 1];
    unsigned *before = row[0], *last = row[1], *now = row[2];
    for (size_t j = 0; j <= nb; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned change = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(change, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = last, last = now, now = free_row;
    }
    return last[nb];
}

const char *rt_closest(const char *name, const char *const *names, size_t count)
{
    unsigned best = (unsigned)strlen(name) / 3 + 2; /* as many slips + 1 */
    const char *closest = NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = rt_distance(name, names[i]);
        if (distance < best) {
            best = distance;
            closest = names[i];
        }
    }
    return closest;
}
