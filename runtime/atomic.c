/* atomic.h: a temporary file, synced, renamed, its folder synced. */
#include "atomic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* NULL path: nothing is open. */
static void forget(atomic_file *file)
{
    free(file->path);
    free(file->temporary);
    *file = (atomic_file){0};
}

static bool fail(atomic_file *file, const char *what, rt_error *error)
{
    rt_set_errno(error, file->path, what);
    atomic_abandon(file);
    return false;
}

/* Renaming over a device or a pipe would replace it by a file. */
static bool replaceable(const char *path)
{
    struct stat status;
    return stat(path, &status) != 0 || S_ISREG(status.st_mode);
}

/* Of a path; to be freed. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL   ? strdup(".")
           : slash == path ? strdup("/")
                           : strndup(path, (size_t)(slash - path));
}

/* The process of "x.tmp.123", 0 where `name` is not a temporary file of x. */
static long writer_of(const char *name, const char *base)
{
    size_t n = strlen(base);
    char *end;
    if (strncmp(name, base, n) || strncmp(name + n, ".tmp.", 5))
        return 0;
    long process = strtol(name + n + 5, &end, 10);
    return *end || process < 1 || process > INT_MAX ? 0 : process;
}

void atomic_sweep(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
    char *folder = folder_of(path);
    DIR *list = folder != NULL ? opendir(folder) : NULL;
    free(folder);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        long process = writer_of(entry->d_name, base);
        if (process && kill((pid_t)process, 0) != 0 && errno == ESRCH)
            unlinkat(dirfd(list), entry->d_name, 0);
    }
    if (list != NULL)
        closedir(list);
}

bool atomic_open(atomic_file *file, const char *path, rt_error *error)
{
    size_t size = strlen(path) + 32;
    *file = (atomic_file){.path = strdup(path), .temporary = rt_alloc(size, 1)};
    if (file->path == NULL)
        return rt_set(error, RT_IO, "%s: out of memory", path);
    if (!replaceable(path)) {
        rt_set(error, RT_IO,
               "%s: not a regular file, so it cannot be replaced\n"
               "name a file",
               path);
        forget(file);
        return false;
    }
    snprintf(file->temporary, size, "%s.tmp.%ld", path, (long)getpid());
    file->stream = fopen(file->temporary, "wbe");
    if (file->stream == NULL) {
        rt_set_errno(error, path, "write");
        forget(file);
        return false;
    }
    return true;
}

/* The rename is on disk only once its folder is. Some file systems cannot
 * sync a folder and say EINVAL: then there is nothing more to do. */
static bool sync_folder(const char *path)
{
    char *folder = folder_of(path);
    int handle = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    if (handle < 0)
        return errno == EACCES;
    bool good = fsync(handle) == 0 || errno == EINVAL || errno == EROFS;
    close(handle);
    return good;
}

/* Did a write fail since atomic_open? errno may name another failure by now:
 * one more write brings the reason back. */
static bool has_failed(FILE *stream)
{
    if (!ferror(stream))
        return false;
    clearerr(stream);
    if (fputc(0, stream) != EOF && fflush(stream) == 0)
        errno = EIO;
    return true;
}

bool atomic_commit(atomic_file *file, rt_error *error)
{
    FILE *stream = file->stream;
    if (has_failed(stream) || fflush(stream) != 0 || fsync(fileno(stream)) != 0)
        return fail(file, "write", error);
    file->stream = NULL;
    if (fclose(stream) != 0)
        return fail(file, "write", error);
    if (rename(file->temporary, file->path) != 0)
        return fail(file, "replace", error);
    bool good = sync_folder(file->path);
    if (!good)
        rt_set_errno(error, file->path, "sync the folder of");
    forget(file);
    return good;
}

void atomic_abandon(atomic_file *file)
{
    if (file->path == NULL)
        return;
    if (file->stream != NULL)
        fclose(file->stream);
    unlink(file->temporary);
    forget(file);
}
