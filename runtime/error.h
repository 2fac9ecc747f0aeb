/* Messages of a trainer that end in an exit status.
 *
 * A message is "what is wrong, where, what was expected", and after a newline
 * a hint with the likely fix:
 *   "train.idx: byte 4: …\ngunzip it again"  prints as
 *   conv_ae: error: train.idx: byte 4: …
 *     hint: gunzip it again
 * What reads input returns false and fills an rt_error, so that a caller may
 * try another way; the command line ends the process by rt_raise or rt_fail.
 */
#ifndef AECC_ERROR_H
#define AECC_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of a trainer. */
enum { RT_OK = 0, RT_BAD_INPUT = 1, RT_USAGE = 2, RT_DIVERGED = 3, RT_IO = 5, RT_DEFECT = 70 };

typedef struct rt_error {
    int status;
    char text[1024];        /* message, '\n', hint */
} rt_error;

/* The name before every message; argv[0] without its folder. */
void rt_set_name(const char *argv0);
const char *rt_name(void);

/* Prints the message and exits. */
_Noreturn void rt_fail(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void rt_raise(const rt_error *error);
/* Prints "NAME: warning: …", with a hint as above. */
void rt_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fills `error`; always false, so that a reader can `return rt_set(…)`. */
bool rt_set(rt_error *error, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a failed system call: RT_IO, "PATH: cannot WHAT: strerror". */
bool rt_set_errno(rt_error *error, const char *path, const char *what);

/* Ends the process with status 5 when there is no memory. */
void *rt_alloc(size_t count, size_t size);
/* Malloc'd; the same where there is none. */
char *rt_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Does a path end so, with something before it? */
bool ends_in(const char *path, const char *end);
/* The name of `names` (`count` of them) closest to `name`, or NULL when none
 * is close enough to be a slip of the finger. */
const char *rt_closest(const char *name, const char *const *names, size_t count);
/* Edit distance with transpositions; 0 for equal words. */
unsigned rt_distance(const char *a, const char *b);

#endif
