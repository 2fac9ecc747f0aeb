/* One bump arena for a compilation: nothing in it is freed piecemeal. */
#include "aecc.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, CHUNK_BYTES = 1 << 20 };

typedef struct Chunk {
    struct Chunk *next;
    size_t used, size;
} Chunk;

static Chunk *chunks;

static size_t aligned(size_t n)
{
    return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static unsigned char *chunk_bytes(Chunk *c)
{
    return (unsigned char *)c + aligned(sizeof *c);
}

/* calloc: the pages of a fresh chunk are zero without being touched. */
static Chunk *chunk_new(size_t size)
{
    Chunk *c = calloc(1, aligned(sizeof *c) + size);
    if (!c)
        fail_file("out of memory (%zu bytes more were needed)", size);
    c->size = size;
    return c;
}

/* A block larger than a chunk gets one of its own, put behind the first so
 * that the first stays in use for small ones. */
static void *large_alloc(size_t bytes)
{
    Chunk *c = chunk_new(bytes);
    c->used = bytes;
    if (chunks) {
        c->next = chunks->next;
        chunks->next = c;
    } else {
        chunks = c;
    }
    return chunk_bytes(c);
}

void *arena_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        fail_file("out of memory (%zu bytes more were needed)", bytes);
    bytes = aligned(bytes ? bytes : 1);
    if (bytes > CHUNK_BYTES / 4)
        return large_alloc(bytes);
    if (!chunks || chunks->size - chunks->used < bytes) {
        Chunk *c = chunk_new(CHUNK_BYTES);
        c->next = chunks;
        chunks = c;
    }
    void *p = chunk_bytes(chunks) + chunks->used;
    chunks->used += bytes;
    return p;
}

void *arena_grow(void *array, size_t size, int n, int *cap)
{
    if (n < *cap)
        return array;
    int more = *cap < 8 ? 8 : *cap * 2;
    if (more <= n)
        more = n + 1;
    void *grown = arena_alloc(size * (size_t)more);
    if (*cap > 0)
        memcpy(grown, array, size * (size_t)*cap);
    *cap = more;
    return grown;
}

void arena_free(void)
{
    while (chunks) {
        Chunk *next = chunks->next;
        free(chunks);
        chunks = next;
    }
}
