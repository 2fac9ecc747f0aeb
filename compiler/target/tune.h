/* Schedules by measurement, and the file that remembers them. */
#ifndef AECC_TUNE_H
#define AECC_TUNE_H

#include "loop/tile.h"

/* tune_file.c: lines "ID<tab>KEY<tab>SCHEDULE"; ID stands for what generates
 * code, the processor and what was asked for. */
typedef struct TuneFile {
    const char *path; /* NULL: there is no place for one                     */
    const char *id;
    Text rest;        /* lines of other processors and programs              */
    struct Tuned {
        const char *key, *schedule; /* interned                              */
    } *at;
    int n, cap;
} TuneFile;

/* Reads it; a line that is damaged is left out. */
void tune_file_open(TuneFile *, const TargetOptions *);
/* The schedule's text, interned; NULL: it is not known. */
const char *tune_file_find(const TuneFile *, const char *key);
void tune_file_add(TuneFile *, const char *key, const char *schedule);
/* Beside what others have written since; only warns where it cannot. */
void tune_file_save(const TuneFile *);

#endif
