/* Writes diagnostics to stderr, as text for people:
 *
 *   model.nn:3:5: error: there is no layer `dens`
 *      3 |     dens(10)
 *        |     ^~~~
 *     hint: did you mean `dense`?
 *
 * or as JSON, one object a line. */
#include "aecc.h"
#include "base/diag.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_MESSAGES = 100, WIDEST_LINE = 160, TAB = 8 };

/* ---- Color -------------------------------------------------------------- */

#define RED     "\033[1;31m"
#define MAGENTA "\033[1;35m"
#define CYAN    "\033[1;36m"
#define GREEN   "\033[1;32m"
#define BOLD    "\033[1m"
#define PLAIN   "\033[0m"

static bool colored(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    if (diag_options.color != COLOR_AUTO)
        return diag_options.color == COLOR_ALWAYS;
    return !(no && *no) && term && strcmp(term, "dumb") != 0 && isatty(STDERR_FILENO);
}

static void put_colored(Text *out, const char *color, const char *s)
{
    if (colored())
        text_printf(out, "%s%s" PLAIN, color, s);
    else
        text_printf(out, "%s", s);
}

/* ---- Bytes of unknown origin -------------------------------------------- */

/* Bytes of the UTF-8 character at s, 0 where there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    size_t length = s[0] < 0x80   ? 1
                    : s[0] < 0xc2 ? 0
                    : s[0] < 0xe0 ? 2
                    : s[0] < 0xf0 ? 3
                    : s[0] < 0xf5 ? 4
                                  : 0;
    if (length == 0 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool beyond = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

/* One character, made harmless for terminals and JSON; returns its bytes. */
static size_t put_character(Text *out, const char *s, size_t n)
{
    size_t length = utf8_length((const unsigned char *)s, n);
    bool control = (unsigned char)*s < 0x20 || *s == 0x7f;
    if (length == 0 || (control && *s != '\n'))
        text_printf(out, "\xef\xbf\xbd");
    else
        text_put(out, s, length);
    return length ? length : 1;
}

static void put_clean(Text *out, const char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n;)
        i += put_character(out, s + i, n - i);
}

static const char *clean(const char *s)
{
    Text t = {0};
    text_put(&t, "", 0);
    put_clean(&t, s);
    return t.at;
}

/* ---- The source line ---------------------------------------------------- */

typedef struct Line {
    const char *at;
    size_t n;
} Line;

static Line line_of(Pos pos)
{
    size_t n;
    const char *text = source_text(pos.file, &n);
    const char *end = text + n, *at = text;
    for (int line = 1; line < pos.line && at; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return (Line){"", 0};
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t length = (size_t)((stop ? stop : end) - at);
    if (length > 0 && at[length - 1] == '\r')
        length--;
    return (Line){at, length};
}

/* Columns of the character at s; *bytes gets its length. */
static int width_of(const char *s, size_t n, int column, size_t *bytes)
{
    *bytes = utf8_length((const unsigned char *)s, n);
    *bytes = *bytes ? *bytes : 1;
    return *s == '\t' ? TAB - column % TAB : 1;
}

static void put_repeated(Text *out, char c, int n)
{
    for (int i = 0; i < n; i++)
        text_put(out, &c, 1);
}

/* The line's text and, below it, a caret under byte `from` and ~ up to `to`. */
static void render(Line line, size_t from, size_t to, Text *source, Text *carets)
{
    size_t bytes;
    int column = 0, start = 0, stop = 0;
    for (size_t i = 0; i < line.n; i += bytes) {
        int width = width_of(line.at + i, line.n - i, column, &bytes);
        if (line.at[i] == '\t')
            put_repeated(source, ' ', width);
        else
            put_character(source, line.at + i, line.n - i);
        column += width;
        if (i + bytes <= from)
            start = column;
        if (i < to)
            stop = column;
    }
    put_repeated(carets, ' ', start);
    put_repeated(carets, '^', 1);
    put_repeated(carets, '~', stop - start - 1);
}

/* A very long line is cut to what surrounds its caret. */
static Line window_of(Line line, size_t *from, size_t *to)
{
    if (line.n <= WIDEST_LINE)
        return line;
    size_t start = *from > WIDEST_LINE / 2 ? *from - WIDEST_LINE / 2 : 0;
    size_t n = line.n - start < WIDEST_LINE ? line.n - start : WIDEST_LINE;
    *from -= start;
    *to = *to - start < n ? *to - start : n;
    return (Line){line.at + start, n};
}

static void put_snippet(Text *out, Pos pos)
{
    Line line = line_of(pos);
    size_t from = pos.column > 0 ? (size_t)pos.column - 1 : 0;
    size_t to = from + (size_t)(pos.length > 0 ? pos.length : 1);
    if (from > line.n)
        from = line.n;
    if (to > line.n)
        to = line.n;
    line = window_of(line, &from, &to);
    Text source = {0}, carets = {0};
    text_put(&source, "", 0);
    render(line, from, to, &source, &carets);
    text_printf(out, "%5d | %s\n      | ", pos.line, source.at);
    put_colored(out, GREEN, carets.at);
    text_printf(out, "\n");
}

/* ---- Text --------------------------------------------------------------- */

static const struct {
    const char *name, *color;
} severities[] = {
    [SEVERITY_ERROR] = {"error", RED},
    [SEVERITY_WARNING] = {"warning", MAGENTA},
    [SEVERITY_NOTE] = {"note", CYAN},
    [SEVERITY_HINT] = {"hint", GREEN},
};

static void put_part(Text *out, Severity severity, Pos pos, const char *text)
{
    if (severity == SEVERITY_HINT)
        text_printf(out, "  ");
    else if (pos.line > 0 && source_path(pos.file))
        put_colored(out, BOLD,
                    format("%s:%d:%d: ", clean(source_path(pos.file)), pos.line, pos.column));
    put_colored(out, severities[severity].color, format("%s: ", severities[severity].name));
    put_clean(out, text);
    text_printf(out, "\n");
    if (pos.line > 0)
        put_snippet(out, pos);
}

static void put_message(Text *out, const Message *m)
{
    put_part(out, m->severity, m->pos, m->text);
    for (int i = 0; i < m->nparts; i++)
        put_part(out, m->parts[i].severity, m->parts[i].pos, m->parts[i].text);
}

static void put_count(Text *out, int n, const char *what)
{
    if (n > 0)
        text_printf(out, "%s%d %s%s", out->n ? ", " : "", n, what, n > 1 ? "s" : "");
}

static void put_summary(Text *out, const Message *m, int n)
{
    int count[2] = {0, 0};
    for (int i = 0; i < n; i++)
        count[m[i].severity == SEVERITY_WARNING]++;
    Text counts = {0};
    put_count(&counts, count[0], "error");
    put_count(&counts, count[1], "warning");
    text_printf(out, "%s", counts.at);
    if (n > MOST_MESSAGES)
        text_printf(out, "; the first %d are shown", MOST_MESSAGES);
    if (diag_options.werror && count[1] > 0)
        text_printf(out, "; -Werror counts warnings as errors");
    text_printf(out, "\n");
}

static void put_messages(Text *out, const Message *m, int n)
{
    for (int i = 0; i < n && i < MOST_MESSAGES; i++)
        put_message(out, &m[i]);
    put_summary(out, m, n);
}

/* ---- JSON --------------------------------------------------------------- */

static json_t *json_part(const char *severity, Pos pos, const char *text)
{
    json_t *o = json_object();
    json_object_set_new(o, "severity", json_string(severity));
    json_object_set_new(o, "message", json_string(clean(text)));
    if (pos.line > 0 && source_path(pos.file)) {
        json_object_set_new(o, "file", json_string(clean(source_path(pos.file))));
        json_object_set_new(o, "line", json_integer(pos.line));
        json_object_set_new(o, "column", json_integer(pos.column));
        json_object_set_new(o, "length", json_integer(pos.length));
    }
    return o;
}

static json_t *json_message(const Message *m)
{
    json_t *o = json_part(severities[m->severity].name, m->pos, m->text);
    json_t *notes = json_array(), *hints = json_array();
    for (int i = 0; i < m->nparts; i++) {
        const Part *p = &m->parts[i];
        if (p->severity == SEVERITY_HINT)
            json_array_append_new(hints, json_string(clean(p->text)));
        else
            json_array_append_new(notes, json_part("note", p->pos, p->text));
    }
    json_object_set_new(o, "notes", notes);
    json_object_set_new(o, "hints", hints);
    return o;
}

static void put_json(Text *out, json_t *o)
{
    char *line = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (line)
        text_printf(out, "%s\n", line);
    free(line);
    json_decref(o);
}

/* ---- Entry -------------------------------------------------------------- */

static void to_stderr(const Text *t)
{
    fflush(stdout);
    if (t->n)
        fwrite(t->at, 1, t->n, stderr);
    fflush(stderr);
}

void print_messages(const Message *m, int n)
{
    Text out = {0};
    if (!diag_options.json)
        put_messages(&out, m, n);
    for (int i = 0; diag_options.json && i < n; i++)
        put_json(&out, json_message(&m[i]));
    to_stderr(&out);
}

static const char defect_advice[] =
    "This is a defect of aecc, not of your program. Please report it with the\n"
    "command and the .nn file that led to it.\n";

void print_final(const char *kind, const char *text)
{
    Text out = {0};
    bool defect = strcmp(kind, "internal error") == 0;
    if (defect && current_pass)
        kind = format("%s in pass `%s`", kind, current_pass);
    if (diag_options.json) {
        put_json(&out, json_part(kind, (Pos){0}, text));
    } else {
        text_printf(&out, "aecc: ");
        put_colored(&out, RED, format("%s: ", kind));
        put_clean(&out, text);
        text_printf(&out, "\n%s", defect ? defect_advice : "");
    }
    to_stderr(&out);
}
