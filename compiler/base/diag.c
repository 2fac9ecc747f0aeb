/* Diagnostics: collected during a run, printed in the order of the source. */
#include "aecc.h"
#include "base/diag.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

DiagOptions diag_options;
const char *current_pass, *blamed_text;

/* ---- Sources ------------------------------------------------------------ */

typedef struct Source {
    const char *path, *text;
    size_t n;
} Source;

static Source *sources;
static int nsources, sources_cap;

/* Files count from 1, so that a Pos of zeros names none. */
int diag_source(const char *path, const char *text, size_t n)
{
    Source s = {path, text, n};
    PUSH(sources, nsources, sources_cap, s);
    return nsources;
}

const char *source_path(int file)
{
    return file >= 1 && file <= nsources ? sources[file - 1].path : NULL;
}

const char *source_text(int file, size_t *n)
{
    bool known = file >= 1 && file <= nsources;
    *n = known ? sources[file - 1].n : 0;
    return known ? sources[file - 1].text : "";
}

/* ---- Collecting --------------------------------------------------------- */

static Message *messages;
static int nmessages, messages_cap, errors;

static void collect(Severity severity, Pos pos, const char *form, va_list args)
{
    if (severity == SEVERITY_ERROR || diag_options.werror)
        errors++;
    Message m = {.severity = severity, .pos = pos, .order = nmessages, .text = vformat(form, args)};
    PUSH(messages, nmessages, messages_cap, m);
}

void error_at(Pos pos, const char *form, ...)
{
    va_list args;
    va_start(args, form);
    collect(SEVERITY_ERROR, pos, form, args);
    va_end(args);
}

void warning_at(Pos pos, const char *form, ...)
{
    va_list args;
    va_start(args, form);
    collect(SEVERITY_WARNING, pos, form, args);
    va_end(args);
}

/* A note or hint of the latest message. */
static void attach(Severity severity, Pos pos, const char *form, va_list args)
{
    if (nmessages == 0)
        die("a %s without a message before it", severity == SEVERITY_NOTE ? "note" : "hint");
    Message *m = &messages[nmessages - 1];
    Part part = {severity, pos, vformat(form, args)};
    PUSH(m->parts, m->nparts, m->parts_cap, part);
}

void note_at(Pos pos, const char *form, ...)
{
    va_list args;
    va_start(args, form);
    attach(SEVERITY_NOTE, pos, form, args);
    va_end(args);
}

void hint(const char *form, ...)
{
    va_list args;
    va_start(args, form);
    attach(SEVERITY_HINT, (Pos){0}, form, args);
    va_end(args);
}

int error_count(void)
{
    return errors;
}

/* ---- Flushing ----------------------------------------------------------- */

static int compare_places(const Message *a, const Message *b)
{
    if (a->pos.file != b->pos.file)
        return a->pos.file < b->pos.file ? -1 : 1;
    if (a->pos.line != b->pos.line)
        return a->pos.line < b->pos.line ? -1 : 1;
    if (a->pos.column != b->pos.column)
        return a->pos.column < b->pos.column ? -1 : 1;
    return 0;
}

static int compare_messages(const void *left, const void *right)
{
    const Message *a = left, *b = right;
    int places = compare_places(a, b);
    return places ? places : (a->order > b->order) - (a->order < b->order);
}

/* Whether an equal message stands before m at the same place. */
static bool repeated(const Message *first, const Message *m)
{
    for (const Message *e = m; e-- > first && compare_places(e, m) == 0;)
        if (e->severity == m->severity && strcmp(e->text, m->text) == 0)
            return true;
    return false;
}

void diag_flush(void)
{
    if (nmessages == 0)
        return;
    qsort(messages, (size_t)nmessages, sizeof *messages, compare_messages);
    int kept = 0;
    for (int i = 0; i < nmessages; i++) {
        messages[kept] = messages[i];
        kept += !repeated(messages, &messages[kept]);
    }
    print_messages(messages, kept);
    nmessages = 0;
}

void diag_reset(void)
{
    sources = NULL;
    messages = NULL;
    nsources = sources_cap = nmessages = messages_cap = errors = 0;
}

/* ---- The end ------------------------------------------------------------ */

static NORETURN void end(int status, const char *kind, const char *form, va_list args)
{
    diag_flush();
    print_final(kind, vformat(form, args));
    exit(status);
}

void die(const char *form, ...)
{
    va_list args;
    va_start(args, form);
    if (blamed_text)
        end(EXIT_PROGRAM, "error", format("%s: %s", blamed_text, form), args);
    end(EXIT_DEFECT, "internal error", form, args);
}

void fail_usage(const char *form, ...)
{
    va_list args;
    va_start(args, form);
    end(EXIT_USAGE, "error", form, args);
}

void fail_file(const char *form, ...)
{
    va_list args;
    va_start(args, form);
    end(EXIT_FILE, "error", form, args);
}

/* ---- Did you mean ------------------------------------------------------- */

enum { LONGEST_WORD = 64 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Insertions, deletions, replacements and swaps of neighbours that make b of
 * a (Damerau, restricted); upper and lower case are equal. */
static int edit_distance(const char *a, int n, const char *b, int m)
{
    int d[3][LONGEST_WORD + 1];
    int *before = d[0], *last = d[1], *now = d[2];
    for (int j = 0; j <= m; j++)
        last[j] = j;
    for (int i = 1; i <= n; i++) {
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = last[j - 1] + !same_letter(a[i - 1], b[j - 1]);
            now[j] = least(now[j], least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]))
                now[j] = least(now[j], before[j - 2] + 1);
        }
        int *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

/* Near enough: at most a third of the word's letters, and never all. */
const char *closest(const char *word, const char *const *candidates, int n)
{
    size_t length = strlen(word);
    if (length > LONGEST_WORD)
        return NULL;
    const char *best = NULL;
    int limit = least(((int)length + 2) / 3, (int)length - 1);
    for (int i = 0; i < n; i++) {
        size_t m = strlen(candidates[i]);
        if (m > LONGEST_WORD)
            continue;
        int d = edit_distance(word, (int)length, candidates[i], (int)m);
        if (d <= limit) {
            best = candidates[i];
            limit = d - 1;
        }
    }
    return best;
}
