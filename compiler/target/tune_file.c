/* What --tune measured, kept in a file of the user: $XDG_CACHE_HOME/aecc/schedules
 * or ~/.cache/aecc/schedules.
 *
 * guarantees  nothing in the file, nor its absence, does harm: what does not
 *             look like a line of it is left out, and what it says of a
 *             contraction counts only if it is one of the candidates */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "target/llvm.h"
#include "target/tune.h"

static const char *cache_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        return format("%s/aecc", cache);
    return home && *home == '/' ? format("%s/.cache/aecc", home) : NULL;
}

static unsigned hash_of(const char *text)
{
    unsigned h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

static const char *id_of(const TargetOptions *options)
{
    Target t = target_of(options);
    return format("%s %s %08x O%d", AECC_VERSION, t.cpu, hash_of(t.features), options->level);
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

void tune_file_open(TuneFile *f, const TargetOptions *options)
{
    size_t n;
    const char *folder = cache_folder();
    *f = (TuneFile){.path = folder ? format("%s/schedules", folder) : NULL,
                    .id = id_of(options)};
    const char *text = folder ? read_file(f->path, &n) : NULL;
    while (text && *text) {
        size_t length = strcspn(text, "\n");
        take_line(f, text, length);
        text += length + (text[length] == '\n');
    }
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

static void make_folders(const char *path)
{
    for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/'))
        mkdir(format("%.*s", (int)(at - path), path), 0777);
}

void tune_file_save(const TuneFile *f)
{
    if (!f->path)
        return;
    Text out = {0};
    text_put(&out, f->rest.at ? f->rest.at : "", f->rest.n);
    for (int i = 0; i < f->n; i++)
        text_printf(&out, "%s\t%s\t%s\n", f->id, f->at[i].key, f->at[i].schedule);
    make_folders(f->path);
    int error = try_write_file(f->path, out.at, out.n);
    if (error)
        fprintf(stderr, "aecc: warning: --tune will measure again: cannot write %s: %s\n", f->path,
                strerror(error));
}
