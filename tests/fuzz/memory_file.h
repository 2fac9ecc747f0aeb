/* Bytes as a file that is only in memory, for readers that take a path. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The path of a file with these bytes; the next call takes it away. */
static inline const char *memory_file(const uint8_t *data, size_t size)
{
    static int handle = -1;
    static char path[64];
    if (handle < 0)
        handle = memfd_create("fuzz", MFD_CLOEXEC);
    if (handle < 0 || ftruncate(handle, 0) != 0
        || pwrite(handle, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
    return path;
}

#endif
