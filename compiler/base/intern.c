/* Names that compare by pointer. They outlive arena_free(), so that a name
 * kept in a static variable stays valid. */
#include "aecc.h"

#include <stdlib.h>
#include <string.h>

typedef struct Name {
    struct Name *next;
    uint32_t hash;
    size_t n;
    char text[];
} Name;

static Name **buckets;
static size_t nbuckets, nnames;

/* FNV-1a. */
static uint32_t hash_of(const char *s, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

static void *checked(void *p)
{
    if (!p)
        fail_file("out of memory for names");
    return p;
}

static void rehash(size_t to)
{
    Name **fresh = checked(calloc(to, sizeof *fresh));
    for (size_t i = 0; i < nbuckets; i++) {
        for (Name *e = buckets[i], *next; e; e = next) {
            next = e->next;
            e->next = fresh[e->hash & (to - 1)];
            fresh[e->hash & (to - 1)] = e;
        }
    }
    free(buckets);
    buckets = fresh;
    nbuckets = to;
}

const char *intern_n(const char *s, size_t n)
{
    uint32_t h = hash_of(s, n);
    if (nnames >= nbuckets)
        rehash(nbuckets ? 2 * nbuckets : 1024);
    Name **bucket = &buckets[h & (nbuckets - 1)];
    for (Name *e = *bucket; e; e = e->next)
        if (e->hash == h && e->n == n && memcmp(e->text, s, n) == 0)
            return e->text;
    Name *e = checked(malloc(sizeof *e + n + 1));
    e->hash = h;
    e->n = n;
    memcpy(e->text, s, n);
    e->text[n] = 0;
    e->next = *bucket;
    *bucket = e;
    nnames++;
    return e->text;
}

const char *intern(const char *s)
{
    return intern_n(s, strlen(s));
}
