/* data.h, data_find: where a program's data may lie.
 *
 * A path is tried as given, beside the .nn file, in each folder of $AECC_DATA,
 * then in /usr/share/datasets/ and each folder there, which is where Debian's
 * dataset-* packages put their files. */
#include "data.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char packaged[] = "/usr/share/datasets";

/* The folders tried, for the message. */
typedef struct search {
    const char *path;
    char *tried;
    size_t length;
} search;

static char *join(const char *folder, size_t length, const char *path)
{
    size_t size = length + strlen(path) + 2;
    char *joined = rt_alloc(size, 1);
    snprintf(joined, size, "%.*s/%s", (int)length, folder, path);
    return joined;
}

/* The malloc'd path, or NULL and freed when nothing is there. */
static char *existing(char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return path;
    free(path);
    return NULL;
}

static void note(search *s, const char *folder, size_t length)
{
    size_t grown = s->length + length + 3;
    char *tried = realloc(s->tried, grown);
    if (tried == NULL)
        return;
    s->tried = tried;
    s->length += (size_t)snprintf(tried + s->length, grown - s->length, "%s%.*s",
                                  s->length > 0 ? ", " : "", (int)length, folder);
}

static char *in_folder(search *s, const char *folder, size_t length)
{
    if (length == 0)
        return NULL;
    note(s, folder, length);
    return existing(join(folder, length, s->path));
}

static char *in_list(search *s, const char *list)
{
    while (list != NULL) {
        size_t length = strcspn(list, ":");
        char *found = in_folder(s, list, length);
        if (found != NULL)
            return found;
        list = list[length] == ':' ? list + length + 1 : NULL;
    }
    return NULL;
}

/* The only file of this name in the folders of `root`. Two packages may hold
 * the same name (MNIST and Fashion MNIST do): taking either would be a guess. */
static char *in_packages(search *s, const glob_t *folders, rt_error *error)
{
    char *found = NULL;
    for (size_t i = 0; i < folders->gl_pathc; i++) {
        const char *folder = folders->gl_pathv[i];
        char *here = existing(join(folder, strlen(folder), s->path));
        if (here == NULL)
            continue;
        if (found != NULL) {
            rt_set(error, RT_BAD_INPUT,
                   "%s is in two data sets: %s and %s\n"
                   "write the folder too, as in \"%s\"",
                   s->path, found, here, here + sizeof packaged);
            free(here);
            free(found);
            return NULL;
        }
        found = here;
    }
    return found;
}

static char *in_all(search *s, const char *beside, rt_error *error)
{
    char *found = beside != NULL ? in_folder(s, beside, strlen(beside)) : NULL;
    if (found == NULL)
        found = in_list(s, getenv("AECC_DATA"));
    if (found == NULL)
        found = in_folder(s, packaged, strlen(packaged));
    glob_t folders;
    if (found == NULL && glob("/usr/share/datasets/*", GLOB_ONLYDIR, NULL, &folders) == 0) {
        found = in_packages(s, &folders, error);
        globfree(&folders);
    }
    return found;
}

static const char *hint_for(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    bool mnist = strncmp(file, "train-", 6) == 0 || strncmp(file, "t10k-", 5) == 0;
    return mnist && strstr(file, "-ubyte") != NULL
               ? "on Debian: apt install dataset-fashion-mnist"
               : "put it there, or name its folder in AECC_DATA";
}

char *data_find(const data_source *source, rt_error *error)
{
    search s = {.path = source->path};
    char *found = existing(strdup(source->path));
    *error = (rt_error){0};
    if (found == NULL && source->path[0] != '/' && source->path[0] != '\0')
        found = in_all(&s, source->beside, error);
    if (found == NULL && error->status == RT_OK) {
        const char *data = source->name != NULL ? source->name : "";
        rt_set(error, RT_IO, "%s%s%s: no such file%s%s\n%s%s%s%s", data, data[0] ? ": " : "",
               source->path, s.length > 0 ? ", neither here nor in " : "",
               s.length > 0 ? s.tried : "", hint_for(source->path),
               data[0] ? "; or pass --data " : "", data, data[0] ? "=FILE" : "");
    }
    free(s.tried);
    return found;
}
