/* Tables of numbers: a line for each sample, a column for each element.
 *
 *   x,y,z                     a line without any number is a header
 *   -0.4756,-1.18,-0.1867     separators , ; or tab (what the first line has)
 *   "1.5","2","3e-2"          quotes, CRLF, a byte order mark, blank lines
 *   # …                       comments before the first line
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
} csv;

/* A field without its quotes and the spaces around. */
typedef struct field {
    const char *at, *end;
} field;

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
            return rt_set(c->error, RT_IO, "%s: not enough memory for its values", c->path);
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
    for (;;) {
        field f;
        if (!read_field(c, &f) || !append(c, f))
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
        field f;
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
    if (c->at < c->end && !skip_header(c))
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

bool data_read_csv(data_array *array, const char *path, unsigned char *bytes, size_t size,
                   rt_error *error)
{
    const char *text = (const char *)bytes;
    csv c = {.path = path,
             .at = text,
             .end = text + size,
             .line_start = text,
             .line = 1,
             .error = error};
    *array = (data_array){0};
    bool good = check_text(path, bytes, size, error) && read_table(&c);
    free(bytes);
    if (!good) {
        free(c.values);
        return false;
    }
    float *exact = realloc(c.values, c.count * sizeof *exact);
    array->memory = exact != NULL ? exact : c.values;
    array->values = array->memory;
    array->type = DATA_F32;
    array->rank = 2;
    array->dims[0] = array->samples = (int64_t)c.count / c.columns;
    array->dims[1] = array->elements = c.columns;
    return true;
}
