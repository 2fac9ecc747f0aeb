/* Shared by tile.c, tile_samples.c and tile_free.c: what a schedule is made of. */
#ifndef AECC_TILE_H
#define AECC_TILE_H

#include "loop/lower.h"

/* Taps of a row that are unrolled or peeled off one by one. */
enum { MAX_TAPS = 11 };

/* Does a bound mention v; both? */
bool is_bound(const Nest *, int v);
bool shares_bound(const Nest *, int v, int w);
/* Equal tiles of at most `most`. */
int64_t even_tile(int64_t extent, int64_t most);
bool has_loop(const Schedule *, const Nest *, int v);
/* The innermost reduced loop takes several steps at a time where it would
 * otherwise hold only a few multiply-adds. */
void unroll_sum(Schedule *, const Nest *);

/* tile_samples.c: lanes are samples. */
void tile_samples(Schedule *, const Contracted *);
/* tile_free.c: nothing has a batch. */
void tile_free(Schedule *, const Contracted *);

#endif
