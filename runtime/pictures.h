/* Samples as a PNG, what reconstruct, generate and report blocks have in common. */
#ifndef AECC_PICTURES_H
#define AECC_PICTURES_H

#include "rt.h"

/* [height, width], or with 1 or 3 channels. */
bool is_picture(const rt_tensor *);
/* Wrong usage, of samples that are none. */
_Noreturn void no_picture(const rt_tensor *);
/* --out, or NAME-WHAT.png; malloc'd. Wrong usage unless it ends in .png. */
char *picture_path(const rt_trainer *, const char *what);

typedef struct rt_pictures {
    int function;
    const data_view *view;
    int64_t count;                 /* samples, the first of the view          */
    int outputs;                   /* shown: 1, or 2 with the second on top   */
    int64_t columns;
} rt_pictures;

/* White is what the program makes of a file's byte 0, black of 255, where it
 * scales bytes; else 0 and 1. False after a signal. */
bool draw_pictures(rt_trainer *, const rt_pictures *, const char *path);
/* Originals over what a function makes of them, the first `count` of a view; 0: 5. */
void draw_reconstructions(rt_trainer *, int function, const data_view *, int64_t count,
                          const char *path);

#endif
