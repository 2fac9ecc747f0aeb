/* Files that appear whole or not at all.
 *
 * Bytes go to "PATH.tmp.PID" in the same folder; atomic_commit syncs it,
 * renames it over PATH and syncs the folder. After an error, or
 * atomic_abandon, the temporary file is gone and PATH is as before.
 */
#ifndef AECC_ATOMIC_H
#define AECC_ATOMIC_H

#include "error.h"
#include <stdio.h>

typedef struct atomic_file {
    FILE *stream;           /* write here */
    char *path;
    char *temporary;
} atomic_file;

bool atomic_open(atomic_file *file, const char *path, rt_error *error);
bool atomic_commit(atomic_file *file, rt_error *error);
void atomic_abandon(atomic_file *file);
/* Removes temporary files of `path` whose processes are no more (kill -9). */
void atomic_sweep(const char *path);

#endif
