/* What --tune measured, kept in a file of the user: $XDG_CACHE_HOME/aecc/schedules
 * or ~/.cache/aecc/schedules.
 *
 * guarantees  nothing in the file, nor its absence, does harm: what does not
 *             look like a line of it is left out, and what it says of a
 *             contraction counts only if it is one of the candidates. What
 *             several runs measure at the same time is kept, all of it */
#include <errno.h>
#include <fcntl.h>
#include <llvm-c/Core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/llvm.h"
#include "target/tune.h"

/* NULL: no place for one. A home that is not there is not made. */
static const char *cache_folder(void)
{
    struct stat s;
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        return format("%s/aecc", cache);
    bool at_home = home && *home == '/' && stat(home, &s) == 0;
    return at_home ? format("%s/.cache/aecc", home) : NULL;
}

static uint64_t hash_of(const char *bytes, size_t n)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    return h;
}

/* Of all that makes code: this very program, and the library it calls. */
static const char *generator(void)
{
    size_t n = 0;
    unsigned major, minor, patch;
    const char *program = read_file("/proc/self/exe", &n);
    LLVMGetVersion(&major, &minor, &patch);
    return format("%s-%016llx-%u.%u.%u", AECC_VERSION,
                  (unsigned long long)hash_of(program, program ? n : 0), major, minor, patch);
}

static const char *id_of(const TargetOptions *options)
{
    Target t = target_of(options);
    return format("%s %s %016llx O%d", generator(), t.cpu,
                  (unsigned long long)hash_of(t.features, strlen(t.features)), options->level);
}

/* ---- Reading -------------------------------------------------------------------- */

static void take_line(TuneFile *f, const char *line, size_t n)
{
    const char *key = memchr(line, '\t', n);
    const char *by = key ? memchr(key + 1, '\t', n - (size_t)(key + 1 - line)) : NULL;
    if (!by)
        return;
    size_t id = (size_t)(key - line);
    if (id != strlen(f->id) || memcmp(line, f->id, id) != 0)
        text_printf(&f->rest, "%.*s\n", (int)n, line);
    else
        tune_file_add(f, intern_n(key + 1, (size_t)(by - key - 1)),
                      intern_n(by + 1, (size_t)(line + n - by - 1)));
}

static void read_lines(TuneFile *f)
{
    size_t n;
    const char *text = f->path ? read_file(f->path, &n) : NULL;
    while (text && *text) {
        size_t length = strcspn(text, "\n");
        take_line(f, text, length);
        text += length + (text[length] == '\n');
    }
}

void tune_file_open(TuneFile *f, const TargetOptions *options)
{
    const char *folder = cache_folder();
    *f = (TuneFile){.path = folder ? format("%s/schedules", folder) : NULL, .id = id_of(options)};
    read_lines(f);
}

const char *tune_file_find(const TuneFile *f, const char *key)
{
    for (int i = 0; i < f->n; i++)
        if (f->at[i].key == key)
            return f->at[i].schedule;
    return NULL;
}

void tune_file_add(TuneFile *f, const char *key, const char *schedule)
{
    for (int i = 0; i < f->n; i++)
        if (f->at[i].key == key) {
            f->at[i].schedule = schedule;
            return;
        }
    struct Tuned new = {key, schedule};
    PUSH(f->at, f->n, f->cap, new);
}

/* ---- Writing -------------------------------------------------------------------- */

/* The last of them is returned, locked; -1: nobody else is kept waiting. */
static int lock_folders(const char *path)
{
    const char *last = NULL;
    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        last = format("%.*s", (int)(at - path), path);
        mkdir(last, 0700);
    }
    int folder = last ? open(last, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0)
        flock(folder, LOCK_EX);
    return folder;
}

/* The latest lines of others, so that the file does not grow for ever. */
static void put_rest(Text *out, const Text *rest)
{
    enum { MOST = 1 << 20 };
    const char *at = rest->at ? rest->at : "";
    if (rest->n > MOST)
        at = strchr(at + rest->n - MOST, '\n') + 1;
    text_put(out, at, strlen(at));
}

static int write_with_others(const TuneFile *f)
{
    TuneFile all = {.path = f->path, .id = f->id};
    Text out = {0};
    read_lines(&all);
    for (int i = 0; i < f->n; i++)
        tune_file_add(&all, f->at[i].key, f->at[i].schedule);
    put_rest(&out, &all.rest);
    for (int i = 0; i < all.n; i++)
        text_printf(&out, "%s\t%s\t%s\n", all.id, all.at[i].key, all.at[i].schedule);
    return try_write_file(f->path, out.at, out.n);
}

void tune_file_save(const TuneFile *f)
{
    if (!f->path)
        return;
    int folder = lock_folders(f->path);
    int error = write_with_others(f);
    if (folder >= 0)
        close(folder);
    if (error)
        fprintf(stderr, "aecc: warning: --tune will measure again: cannot write %s: %s\n", f->path,
                strerror(error));
}
