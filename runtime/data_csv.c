/* Tables of numbers: a line for each sample, a column for each element.
 *
 *   x,y,z                     a line without any number is a header
 *   -0.4756,-1.18,-0.1867     separators , ; or tab (what the first line has)
 *   "1.5","2","3e-2"          quotes, CRLF, a byte order mark, blank lines
 *   # …                       comments before the first line
 *
 * With a column of series the first line holds names
 * and that column any text: lines that follow one another with one text are the
 * steps of one series, the other columns their elements.
 *
 * Every line needs as many fields as the first. Numbers become float32,
 * correctly rounded; NaN, infinity and missing values are errors with their
 * line and column (of characters, from 1). */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct csv {
    const char *path;
    const char *at, *end;
    const char *line_start;
    long long line; /* from 1 */
    char separator;
    int64_t columns; /* 0 until the first line is read */
    float *values;
    size_t count, room;
    rt_error *error;
    const char *series;    /* name of the column of series, or NULL */
    int64_t series_column; /* -1: none */
    struct group *groups;  /* lines of one series that follow one another */
    size_t ngroups, room_of_groups;
} csv;

/* A field without its quotes and the spaces around. */
typedef struct field {
    const char *at, *end;
    bool quoted; /* "" in it stands for one quote */
} field;

typedef struct group {
    field name;
    int64_t first; /* line of numbers, from 0 */
    long long line;
} group;

static bool fail_at(csv *c, const char *place, const char *what, const char *hint)
{
    return rt_set(c->error, RT_BAD_INPUT, "%s:%lld:%lld: %s\n%s", c->path, c->line,
                  (long long)(place - c->line_start) + 1, what, hint);
}

/* ---- Fields ---------------------------------------------------------------- */

static bool at_line_end(const csv *c)
{
    return c->at == c->end || *c->at == '\n' || *c->at == '\r';
}

static field trim(field f)
{
    while (f.at < f.end && (*f.at == ' ' || *f.at == '\t'))
        f.at++;
    while (f.end > f.at && (f.end[-1] == ' ' || f.end[-1] == '\t'))
        f.end--;
    return f;
}

/* Inside quotes a separator is text; "" stands for one quote. */
static bool read_quoted(csv *c, field *f)
{
    const char *open = c->at++;
    f->at = c->at;
    while (c->at < c->end && *c->at != '\n') {
        if (*c->at == '"' && !(c->at + 1 < c->end && c->at[1] == '"')) {
            f->end = c->at++;
            f->quoted = true;
            return true;
        }
        c->at += *c->at == '"' ? 2 : 1;
    }
    return fail_at(c, open, "this quote is not closed on its line", "close it, or take it away");
}

static bool read_field(csv *c, field *f)
{
    while (c->at < c->end && *c->at == ' ')
        c->at++;
    if (c->at < c->end && *c->at == '"') {
        if (!read_quoted(c, f))
            return false;
        while (c->at < c->end && *c->at == ' ')
            c->at++;
        if (!at_line_end(c) && *c->at != c->separator)
            return fail_at(c, c->at, "expected a separator after the quoted field",
                           "write a quote inside a quoted field twice");
    } else {
        f->at = c->at;
        while (!at_line_end(c) && *c->at != c->separator)
            c->at++;
        f->end = c->at;
    }
    *f = trim(*f);
    return true;
}

static void skip_line_end(csv *c)
{
    if (c->at < c->end && *c->at == '\r')
        c->at++;
    if (c->at < c->end && *c->at == '\n')
        c->at++;
    c->line_start = c->at;
    c->line++;
}

/* ---- Numbers ----------------------------------------------------------------- */

/* Up to seven digits and a power of ten to 10 are exact in float32, so one
 * product or quotient of them is rounded correctly. */
static bool short_number(field f, float *value)
{
    static const float tens[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f, 1e8f, 1e9f, 1e10f};
    const char *at = f.at;
    bool negative = at < f.end && *at == '-', point = false;
    uint32_t digits = 0;
    int count = 0, places = 0;
    for (at += negative; at < f.end; at++) {
        if (*at == '.' && !point) {
            point = true;
        } else if (*at >= '0' && *at <= '9' && count < 7) {
            digits = digits * 10 + (uint32_t)(*at - '0');
            count += digits > 0;
            places += point;
        } else {
            return false;
        }
    }
    if (at - f.at == negative + point || places > 10)
        return false;
    float magnitude = (float)digits / tens[places];
    *value = negative ? -magnitude : magnitude;
    return true;
}

/* Decimal digits only: strtof alone would also take 0x1p3, inf and nan. */
static bool long_number(field f, float *value)
{
    static const char allowed[] = "+-.0123456789eE";
    for (const char *at = f.at; at < f.end; at++)
        if (*at == '\0' || strchr(allowed, *at) == NULL)
            return false;
    char *stop;
    if (f.at == f.end)
        return false;
    *value = strtof(f.at, &stop);
    return stop == f.end;
}

static bool is_number(field f, float *value)
{
    return short_number(f, value) || long_number(f, value);
}

static bool is_word(field f, const char *word)
{
    if (f.at < f.end && (*f.at == '-' || *f.at == '+'))
        f.at++;
    size_t length = strlen(word);
    return (size_t)(f.end - f.at) == length && strncasecmp(f.at, word, length) == 0;
}

static bool bad_number(csv *c, field f)
{
    char what[96];
    int length = f.end - f.at > 40 ? 40 : (int)(f.end - f.at);
    if (length == 0)
        return fail_at(c, f.at, "a value is missing", "fill it in, or drop the line");
    if (is_word(f, "nan") || is_word(f, "na") || is_word(f, "null"))
        return fail_at(c, f.at, "the value is NaN",
                       "training needs finite numbers: fill it in, or drop the line");
    if (is_word(f, "inf") || is_word(f, "infinity"))
        return fail_at(c, f.at, "the value is infinite",
                       "training needs finite numbers: fix it, or drop the line");
    snprintf(what, sizeof what, "expected a number, found '%.*s'", length, f.at);
    if (memchr(f.at, ',', (size_t)(f.end - f.at)) != NULL)
        return fail_at(c, f.at, what, "write decimals with a point");
    if (c->columns <= 1 && memchr(f.at, ' ', (size_t)(f.end - f.at)) != NULL)
        return fail_at(c, f.at, what, "separate columns by commas, semicolons or tabs");
    return fail_at(c, f.at, what, "only the first line may hold names, and then no numbers");
}

/* ---- Lines --------------------------------------------------------------------- */

static bool no_memory(csv *c)
{
    return rt_set(c->error, RT_IO, "%s: not enough memory for its values", c->path);
}

/* Two quotes in a field stand for one; the bytes written, at most its own. */
static size_t unescape(char *to, field f)
{
    char *start = to;
    for (const char *at = f.at; at < f.end; at++) {
        *to++ = *at;
        at += f.quoted && *at == '"';
    }
    return (size_t)(to - start);
}

/* Is the text of a field this name? */
static bool is_name(field f, const char *name)
{
    size_t size = (size_t)(f.end - f.at);
    char *text = rt_alloc(size + 1, 1);
    size_t used = unescape(text, f);
    bool same = used == strlen(name) && memcmp(text, name, used) == 0;
    free(text);
    return same;
}

static bool same_field(field a, field b)
{
    return a.end - a.at == b.end - b.at && memcmp(a.at, b.at, (size_t)(a.end - a.at)) == 0;
}

/* The series of line `row` of numbers. */
static bool append_series(csv *c, field f, int64_t row)
{
    if (f.at == f.end)
        return fail_at(c, f.at, "the name of the series is missing",
                       "fill it in, or drop the line");
    if (c->ngroups > 0 && same_field(c->groups[c->ngroups - 1].name, f))
        return true;
    if (c->ngroups == c->room_of_groups) {
        c->room_of_groups = c->room_of_groups * 2 + 64;
        group *grown = realloc(c->groups, c->room_of_groups * sizeof *grown);
        if (grown == NULL)
            return no_memory(c);
        c->groups = grown;
    }
    c->groups[c->ngroups++] = (group){f, row, c->line};
    return true;
}

static bool append(csv *c, field f)
{
    float value;
    if (!is_number(f, &value))
        return bad_number(c, f);
    if (!isfinite(value))
        return fail_at(c, f.at, "the value is too large for float32",
                       "scale the column, or fix the value");
    if (c->count == c->room) {
        c->room = c->room * 2 + 1024;
        float *grown = realloc(c->values, c->room * sizeof *grown);
        if (grown == NULL)
            return no_memory(c);
        c->values = grown;
    }
    c->values[c->count++] = value;
    return true;
}

static bool check_columns(csv *c, int64_t columns)
{
    if (c->columns == 0)
        c->columns = columns;
    if (columns == c->columns)
        return true;
    return rt_set(c->error, RT_BAD_INPUT,
                  "%s:%lld: %lld fields, but the lines before have %lld\n"
                  "every line needs the same number of fields",
                  c->path, c->line, (long long)columns, (long long)c->columns);
}

static bool read_line(csv *c)
{
    int64_t columns = 0;
    int64_t row = c->columns > 1 ? (int64_t)c->count / (c->columns - 1) : 0;
    for (;;) {
        field f = {0};
        if (!read_field(c, &f) ||
            !(columns == c->series_column ? append_series(c, f, row) : append(c, f)))
            return false;
        columns++;
        if (at_line_end(c))
            break;
        c->at++;
    }
    return check_columns(c, columns);
}

static bool is_blank(const csv *c)
{
    const char *at = c->at;
    while (at < c->end && (*at == ' ' || (*at == '\t' && c->separator != '\t')))
        at++;
    return at == c->end || *at == '\n' || *at == '\r';
}

/* The separator of the line is the one it holds outside quotes. */
static char find_separator(const csv *c)
{
    bool quoted = false, comma = false, semicolon = false;
    for (const char *at = c->at; at < c->end && *at != '\n' && *at != '\r'; at++) {
        quoted ^= *at == '"';
        if (!quoted && *at == '\t')
            return '\t';
        semicolon |= !quoted && *at == ';';
        comma |= !quoted && *at == ',';
    }
    return semicolon || !comma ? ';' : ',';
}

/* A number, or what was meant as one or as several: no name of a column. */
static bool like_number(field f)
{
    float value;
    if (is_number(f, &value) || is_word(f, "nan") || is_word(f, "inf"))
        return true;
    return f.at < f.end && strchr("+-.0123456789", *f.at) != NULL &&
           strspn(f.at, "+-.,0123456789eE ") >= (size_t)(f.end - f.at);
}

/* Skips the line if it holds names: fields, and not one number among them. */
static bool skip_header(csv *c)
{
    csv line = *c;
    int64_t columns = 0;
    bool numbers = false, names = false;
    for (;;) {
        field f = {0};
        if (!read_field(&line, &f))
            return false;
        columns++;
        numbers |= like_number(f);
        names |= f.at < f.end;
        if (at_line_end(&line))
            break;
        line.at++;
    }
    if (names && !numbers) {
        *c = line;
        c->columns = columns;
        skip_line_end(c);
    }
    return true;
}

/* ---- Series ---------------------------------------------------------------------- */

static bool no_such_column(csv *c, const char *names)
{
    return rt_set(c->error, RT_BAD_INPUT,
                  "%s:%lld: no column \"%s\" to name the series; the first line has %s\n"
                  "write the name of that column after `series:`, or give the file a first line "
                  "of names",
                  c->path, c->line, c->series, names);
}

/* The first line must name the column. */
static bool find_series(csv *c)
{
    char names[200] = "";
    size_t used = 0;
    for (;;) {
        field f = {0};
        if (!read_field(c, &f))
            return false;
        if (c->series_column < 0 && is_name(f, c->series))
            c->series_column = c->columns;
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%.*s",
                                     c->columns > 0 ? ", " : "",
                                     f.end - f.at > 40 ? 40 : (int)(f.end - f.at), f.at);
        c->columns++;
        if (at_line_end(c))
            break;
        c->at++;
    }
    if (c->series_column < 0)
        return no_such_column(c, names);
    if (c->columns < 2)
        return rt_set(c->error, RT_BAD_INPUT,
                      "%s:%lld: the only column is \"%s\", which names the series\n"
                      "a step needs a column of numbers",
                      c->path, c->line, c->series);
    skip_line_end(c);
    return true;
}

static int by_name(const void *a, const void *b)
{
    const group *x = a, *y = b;
    size_t n = (size_t)(x->name.end - x->name.at), m = (size_t)(y->name.end - y->name.at);
    int order = memcmp(x->name.at, y->name.at, n < m ? n : m);
    return order != 0 ? order
           : n != m   ? (n > m) - (n < m)
                      : (x->line > y->line) - (x->line < y->line);
}

/* No series begins twice: such a file would be cut in pieces without a word. */
static bool check_groups(csv *c)
{
    group *sorted = rt_alloc(c->ngroups, sizeof *sorted);
    bool good = true;
    memcpy(sorted, c->groups, c->ngroups * sizeof *sorted);
    qsort(sorted, c->ngroups, sizeof *sorted, by_name);
    for (size_t i = 1; i < c->ngroups && good; i++) {
        field f = sorted[i].name;
        if (same_field(sorted[i - 1].name, f))
            good = rt_set(c->error, RT_BAD_INPUT,
                          "%s:%lld: series %.*s goes on here, after other series; it began in "
                          "line %lld\nsort the lines by the column \"%s\"",
                          c->path, sorted[i].line, f.end - f.at > 40 ? 40 : (int)(f.end - f.at),
                          f.at, sorted[i - 1].line, c->series);
    }
    free(sorted);
    return good;
}

/* Names in one block of text, each with its end. */
static void copy_names(const csv *c, data_sequences *s)
{
    size_t bytes = 0;
    for (size_t i = 0; i < c->ngroups; i++)
        bytes += (size_t)(c->groups[i].name.end - c->groups[i].name.at) + 1;
    char *to = s->text = rt_alloc(bytes, 1);
    s->names = rt_alloc(c->ngroups, sizeof *s->names);
    for (size_t i = 0; i < c->ngroups; i++) {
        field f = c->groups[i].name;
        s->names[i] = to;
        to += unescape(to, f) + 1;
    }
}

static data_sequences *make_series(const csv *c)
{
    int64_t step = c->columns - 1, rows = (int64_t)c->count / step;
    data_sequences *s = data_sequences_new((int64_t)c->ngroups, step);
    for (int64_t i = 0; i < s->nseries; i++) {
        int64_t end = i + 1 < s->nseries ? c->groups[i + 1].first : rows;
        s->first[i] = c->groups[i].first;
        s->length[i] = end - s->first[i];
    }
    copy_names(c, s);
    return s;
}

/* ---- The reader -------------------------------------------------------------------- */

static void skip_preamble(csv *c)
{
    if (c->end - c->at >= 3 && memcmp(c->at, "\xef\xbb\xbf", 3) == 0)
        c->line_start = c->at += 3;
    while (c->at < c->end && (*c->at == '#' || is_blank(c))) {
        while (!at_line_end(c))
            c->at++;
        skip_line_end(c);
    }
}

static bool read_table(csv *c)
{
    skip_preamble(c);
    c->separator = find_separator(c);
    if (c->at < c->end && !(c->series != NULL ? find_series(c) : skip_header(c)))
        return false;
    while (c->at < c->end) {
        if (!is_blank(c) && !read_line(c))
            return false;
        while (!at_line_end(c))
            c->at++;
        skip_line_end(c);
    }
    return c->count > 0 || rt_set(c->error, RT_BAD_INPUT,
                                  "%s: the data set is empty: there is no "
                                  "line of numbers\ngive a line for each sample",
                                  c->path);
}

static bool check_text(const char *path, const unsigned char *bytes, size_t size, rt_error *error)
{
    const unsigned char *zero = memchr(bytes, 0, size);
    if (zero == NULL)
        return true;
    return rt_set(error, RT_BAD_INPUT, "%s: not a CSV file: byte %zu is zero, expected text%s",
                  path, (size_t)(zero - bytes), data_kind_hint(bytes, size));
}

/* On success the array has the values and the series of `c`. */
static void take_table(data_array *array, csv *c)
{
    float *exact = realloc(c->values, c->count * sizeof *exact);
    int64_t columns = c->columns - (c->series != NULL);
    array->memory = exact != NULL ? exact : c->values;
    array->values = array->memory;
    array->type = DATA_F32;
    array->rank = 2;
    array->dims[0] = array->samples = (int64_t)c->count / columns;
    array->dims[1] = array->elements = columns;
    if (c->series != NULL)
        data_set_series(array, make_series(c));
}

static csv csv_of(const char *path, const unsigned char *bytes, size_t size, const char *series,
                  rt_error *error)
{
    const char *text = (const char *)bytes;
    return (csv){.path = path,
                 .at = text,
                 .end = text + size,
                 .line_start = text,
                 .line = 1,
                 .error = error,
                 .series = series,
                 .series_column = -1};
}

bool data_csv_names(const char *path, const unsigned char *bytes, size_t size, const char *series)
{
    rt_error error;
    csv c = csv_of(path, bytes, size, series, &error);
    skip_preamble(&c);
    c.separator = find_separator(&c);
    return check_text(path, bytes, size, &error) && find_series(&c);
}

bool data_read_csv_series(data_array *array, const char *path, unsigned char *bytes, size_t size,
                          const char *series, rt_error *error)
{
    csv c = csv_of(path, bytes, size, series, error);
    *array = (data_array){0};
    bool good = check_text(path, bytes, size, error) && read_table(&c) &&
                (series == NULL || check_groups(&c));
    if (good)
        take_table(array, &c);
    else
        free(c.values);
    free(c.groups);
    free(bytes);
    return good;
}

bool data_read_csv(data_array *array, const char *path, unsigned char *bytes, size_t size,
                   rt_error *error)
{
    return data_read_csv_series(array, path, bytes, size, NULL, error);
}
