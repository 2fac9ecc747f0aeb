/* Gives each comment to a statement, so that --format keeps it.
 *
 * Lines of comments before a statement (or inside one that takes several
 * lines) become its `comment`, with an empty line where a blank line stood;
 * the one at the end of its last line, or after its `{`, its `trailing`;
 * those before a `}`, or at the end of the file, the block's `closing`. */
#include "syntax.h"

#include <string.h>

typedef struct Attach {
    const Comment *at;
    int n, next;
    const char **lines;
    int nlines; /* of the source, from 1        */
} Attach;

static bool is_blank(const Attach *a, int line)
{
    if (line < 1 || line > a->nlines)
        return false;
    const char *s = a->lines[line];
    return s[strspn(s, " \t\r\f\v")] == '\n';
}

/* One comment as a line of its own, a blank line kept before it unless it is
 * the first. */
static void put_comment(const Attach *a, const Comment *c, Text *out)
{
    if (out->n && is_blank(a, c->pos.line - 1))
        text_put(out, "\n", 1);
    text_printf(out, "%s\n", c->text);
}

/* Those above `line`, and those inside it that have their own line. */
static const char *take_above(Attach *a, int line, int *first)
{
    Text out = {0};
    *first = line;
    while (a->next < a->n && a->at[a->next].pos.line < line) {
        const Comment *c = &a->at[a->next++];
        if (!out.n)
            *first = c->pos.line;
        put_comment(a, c, &out);
    }
    if (out.n && is_blank(a, line - 1))
        text_put(&out, "\n", 1);
    return out.at;
}

static const char *take_trailing(Attach *a, int line)
{
    if (a->next < a->n && a->at[a->next].pos.line == line)
        return a->at[a->next++].text;
    return NULL;
}

/* Comments between the lines of one statement go above it. */
static void take_inner(Attach *a, Ast *s, int last)
{
    Text out = {0};
    if (s->comment)
        text_printf(&out, "%s", s->comment);
    while (a->next < a->n && a->at[a->next].pos.line < last)
        text_printf(&out, "%s\n", a->at[a->next++].text);
    s->comment = out.at;
}

/* Those above the end of a block. */
static const char *take_closing(Attach *a, int line, bool follows)
{
    int first;
    const char *text = take_above(a, line, &first);
    size_t n = text ? strlen(text) : 0;
    if (n > 1 && text[n - 1] == '\n' && text[n - 2] == '\n')
        text = intern_n(text, n - 1);
    return text && follows && is_blank(a, first - 1) ? format("\n%s", text) : text;
}

static void attach_list(Attach *a, AstList list);

static void attach_one(Attach *a, Ast *s)
{
    int first, header = s->open_line ? s->open_line : s->last_line;
    s->comment = take_above(a, s->pos.line, &first);
    s->blank = is_blank(a, first - 1);
    take_inner(a, s, header);
    s->trailing = take_trailing(a, header);
    if (!s->open_line)
        return;
    attach_list(a, s->kids);
    s->closing = take_closing(a, s->last_line, s->kids.n > 0);
}

static void attach_list(Attach *a, AstList list)
{
    for (int i = 0; i < list.n; i++)
        attach_one(a, list.at[i]);
}

static void split_lines(Attach *a, int file)
{
    size_t n;
    int cap = 0;
    const char *text = source_text(file, &n), *end = text + n;
    a->lines = arena_grow(NULL, sizeof *a->lines, 1, &cap);
    a->lines[0] = "";
    a->nlines = 1;
    for (const char *at = text; at; at = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL) {
        at += a->nlines > 1;
        PUSH(a->lines, a->nlines, cap, at);
    }
    a->nlines--;
}

void attach_comments(Ast *file, const Tokens *tokens)
{
    Attach a = {.at = tokens->comments, .n = tokens->ncomments};
    const Token *last = &tokens->at[tokens->n - 1];
    split_lines(&a, last->pos.file);
    attach_list(&a, file->kids);
    file->closing = take_closing(&a, last->pos.line + 1, file->kids.n > 0);
}
