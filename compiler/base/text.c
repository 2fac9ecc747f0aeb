/* Strings that grow, and whole files in and out. */
#include "aecc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Text --------------------------------------------------------------- */

/* Room for n more bytes and a final NUL. */
static void reserve(Text *t, size_t n)
{
    if (t->cap - t->n > n)
        return;
    size_t cap = t->cap ? 2 * t->cap : 64;
    while (cap - t->n <= n)
        cap *= 2;
    char *at = arena_alloc(cap);
    if (t->n)
        memcpy(at, t->at, t->n);
    t->at = at;
    t->cap = cap;
}

void text_put(Text *t, const char *bytes, size_t n)
{
    reserve(t, n);
    if (n)
        memcpy(t->at + t->n, bytes, n);
    t->n += n;
    t->at[t->n] = 0;
}

static void text_vprintf(Text *t, const char *form, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, form, args);
    if (n < 0)
        die("text_printf: the format \"%s\" fails", form);
    reserve(t, (size_t)n);
    vsnprintf(t->at + t->n, (size_t)n + 1, form, again);
    va_end(again);
    t->n += (size_t)n;
}

void text_printf(Text *t, const char *form, ...)
{
    va_list args;
    va_start(args, form);
    text_vprintf(t, form, args);
    va_end(args);
}

char *vformat(const char *form, va_list args)
{
    Text t = {0};
    text_vprintf(&t, form, args);
    return t.at;
}

char *format(const char *form, ...)
{
    va_list args;
    va_start(args, form);
    char *text = vformat(form, args);
    va_end(args);
    return text;
}

void text_double(Text *t, double value)
{
    char s[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, value);
        if (strtod(s, NULL) == value)
            break;
    }
    text_put(t, s, strlen(s));
}

void text_quote(Text *t, const char *s)
{
    text_put(t, "\"", 1);
    for (; *s; s++) {
        const char *escape = *s == '\n'   ? "\\n"
                             : *s == '\t' ? "\\t"
                             : *s == '"'  ? "\\\""
                             : *s == '\\' ? "\\\\"
                                          : NULL;
        if (escape)
            text_put(t, escape, 2);
        else
            text_put(t, s, 1);
    }
    text_put(t, "\"", 1);
}

/* ---- Reading ------------------------------------------------------------ */

static bool read_all(FILE *in, Text *t)
{
    char buffer[1 << 14];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
        text_put(t, buffer, n);
    return !ferror(in);
}

/* It is read once: a second reader gets the same text. */
static char *read_standard(size_t *n)
{
    static Text all;
    if (!all.at) {
        text_put(&all, "", 0);
        if (!read_all(stdin, &all))
            return NULL;
    }
    *n = all.n;
    return all.at;
}

char *read_file(const char *path, size_t *n)
{
    if (strcmp(path, "-") == 0)
        return read_standard(n);
    FILE *in = fopen(path, "rb");
    if (!in)
        return NULL;
    Text t = {0};
    text_put(&t, "", 0);
    bool good = read_all(in, &t);
    int error = errno;
    fclose(in);
    errno = error;
    *n = t.n;
    return good ? t.at : NULL;
}

/* ---- Writing ------------------------------------------------------------ */

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

/* What is there already and is no regular file (a device, a pipe) is written
 * to, never replaced. */
static void write_through(const char *path, const void *bytes, size_t n)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDOUT_FILENO : open(path, O_WRONLY | O_CLOEXEC);
    if (standard)
        fflush(stdout);
    if (fd < 0 || !write_all(fd, bytes, n) || (!standard && close(fd) != 0))
        fail_file("cannot write %s: %s", standard ? "the standard output" : path, strerror(errno));
}

/* The permissions of the file that is replaced, or those of a new one. */
static mode_t mode_for(const struct stat *old)
{
    if (old)
        return old->st_mode & 07777;
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? format(".") : format("%.*s", slash == path ? 1 : (int)(slash - path), path);
}

/* Makes a rename last through a loss of power; not every file system can. */
static void sync_folder_of(const char *path)
{
    int fd = open(folder_of(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static int write_beside(const char *path, const struct stat *old, const void *bytes, size_t n)
{
    char *temporary = format("%s.XXXXXX", path);
    int fd = mkstemp(temporary);
    if (fd < 0)
        return errno;
    bool good = write_all(fd, bytes, n) && fchmod(fd, mode_for(old)) == 0 && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && rename(temporary, path) != 0) {
        good = false;
        error = errno;
    }
    if (!good) {
        unlink(temporary);
        return error;
    }
    sync_folder_of(path);
    return 0;
}

/* A link stays a link: the file that it names is replaced. */
char *replaced_file(const char *path)
{
    char *target = realpath(path, NULL);
    char *kept = format("%s", target ? target : path);
    free(target);
    return kept;
}

void check_writable(const char *path)
{
    struct stat old;
    if (strcmp(path, "-") == 0)
        return;
    bool exists = stat(path, &old) == 0;
    if (exists && S_ISDIR(old.st_mode))
        fail_file("cannot write %s: it is a folder", path);
    bool regular = !exists || S_ISREG(old.st_mode);
    if (access(regular ? folder_of(replaced_file(path)) : path, W_OK) != 0)
        fail_file("cannot write %s: %s", path, strerror(errno));
}

void write_file(const char *path, const void *bytes, size_t n)
{
    struct stat old;
    bool standard = strcmp(path, "-") == 0;
    bool exists = !standard && stat(path, &old) == 0;
    if (exists && S_ISDIR(old.st_mode))
        fail_file("cannot write %s: it is a folder", path);
    if (standard || (exists && !S_ISREG(old.st_mode))) {
        write_through(path, bytes, n);
        return;
    }
    const char *replaced = replaced_file(path);
    int error = write_beside(replaced, exists ? &old : NULL, bytes, n);
    if (error)
        fail_file("cannot write %s: %s", replaced, strerror(error));
}

int try_write_file(const char *path, const void *bytes, size_t n)
{
    struct stat old;
    bool exists = stat(path, &old) == 0;
    if (exists && !S_ISREG(old.st_mode))
        return S_ISDIR(old.st_mode) ? EISDIR : EINVAL;
    return write_beside(replaced_file(path), exists ? &old : NULL, bytes, n);
}
