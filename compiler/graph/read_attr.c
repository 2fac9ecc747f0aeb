/* Attributes of nodes, as print.c writes them: words with lists in
 * parentheses, as many items as the node has axes, operands or variables. */
#include <string.h>

#include "read.h"

static void need_list(Reader *r, const char *name, int64_t *to, int n)
{
    need_word(r, name);
    need_integers(r, to, n);
}

static void need_ints(Reader *r, const char *name, int *to, int n)
{
    int64_t wide[MAX_RANK] = {0};
    need_list(r, name, wide, n);
    for (int i = 0; i < n; i++)
        to[i] = (int)wide[i];
}

/* Numbers of axes below n; `batch` for MAX_RANK, where there is room for it. */
static void need_axes(Reader *r, bool *axes, int n)
{
    need_word(r, "axes");
    need_mark(r, '(');
    if (read_mark(r, ')'))
        return;
    do {
        const char *word = n > MAX_RANK ? read_word(r) : NULL;
        int axis = MAX_RANK;
        if (!word || strcmp(word, "batch")) {
            r->at -= word ? strlen(word) : 0;
            axis = (int)need_integer(r);
        }
        if (axis < 0 || axis >= n)
            read_failed(r, "an axis");
        else
            axes[axis] = true;
    } while (!r->failed && read_mark(r, ','));
    need_mark(r, ')');
}

/* ---- Contractions -------------------------------------------------------------- */

/* A variable `v3`; -1 where something else stands. */
static int read_variable(Reader *r)
{
    if (!read_mark(r, 'v'))
        return -1;
    return (int)need_integer(r);
}

/* [-] term { (+|-) term }, a term being v3, 2*v3 or a number. */
static Affine need_affine(Reader *r)
{
    Affine f = {0};
    int64_t sign = read_mark(r, '-') ? -1 : 1;
    for (;;) {
        int64_t k = 1;
        int var = read_variable(r);
        if (var < 0 && !r->failed) {
            k = need_integer(r);
            var = read_mark(r, '*') ? read_variable(r) : -1;
        }
        if (var < 0) {
            f.constant += sign * k;
        } else if (f.terms == 2) {
            read_failed(r, "at most two variables");
        } else {
            f.var[f.terms] = var;
            f.coefficient[f.terms++] = sign * k;
        }
        if (r->failed)
            return f;
        if (read_mark(r, '+'))
            sign = 1;
        else if (read_mark(r, '-'))
            sign = -1;
        else
            return f;
    }
}

static void need_map(Reader *r, const char *name, Affine *map, int rank)
{
    need_word(r, name);
    need_mark(r, '(');
    for (int i = 0; i < rank && !r->failed; i++) {
        if (i)
            need_mark(r, ',');
        map[i] = need_affine(r);
    }
    need_mark(r, ')');
}

static void need_contraction(Reader *r, Node *n)
{
    static const char *const roles[] = {"out", "a", "b"};
    Contraction *c = &n->attr.contraction;
    need_word(r, "extent");
    need_mark(r, '(');
    while (!r->failed && !read_mark(r, ')')) {
        if (c->nvars == MAX_VARS)
            read_failed(r, "at most 16 variables");
        else if (!c->nvars || need_mark(r, ','))
            c->extent[c->nvars++] = need_integer(r);
    }
    if (n->nin > 2 && n->nin % 2)
        read_failed(r, "one operand, or pairs");
    for (int role = 0; role <= contraction_operands(n) && !r->failed; role++)
        need_map(r, roles[role], c->map[role], role ? n->in[role - 1]->shape.rank : n->shape.rank);
}

/* ---- The others ------------------------------------------------------------------ */

static void need_constant(Reader *r, Node *n)
{
    static const char *const forms[] = {"value", "data"};
    bool data = need_choice(r, forms, 2, "value(...) or data(...)");
    need_mark(r, '(');
    if (!data) {
        n->attr.constant.number = need_number(r);
        need_mark(r, ')');
        return;
    }
    double *values = NULL;
    int count = 0, cap = 0;
    do
        PUSH(values, count, cap, need_number(r));
    while (!r->failed && read_mark(r, ','));
    if (count != shape_size(n->shape))
        read_failed(r, "as many numbers as the shape has elements");
    need_mark(r, ')');
    n->attr.constant.data = values;
}

static void need_random(Reader *r, Node *n)
{
    n->attr.random.kind =
        (RandomKind)need_choice(r, random_kind_name, RANDOM_KINDS, "uniform, normal or bits");
    need_mark(r, '(');
    double path = need_number(r);
    if (!(path >= 0 && path <= UINT32_MAX))
        read_failed(r, "a path");
    else
        n->attr.random.path = (uint32_t)path;
    need_mark(r, ')');
}

static void need_value(Reader *r, double *to)
{
    need_word(r, "value");
    need_mark(r, '(');
    *to = need_number(r);
    need_mark(r, ')');
}

/* 1 + an input. */
static int need_lengths(Reader *r)
{
    need_mark(r, '(');
    int64_t input = need_integer(r);
    need_mark(r, ')');
    if (!r->failed && (input < 0 || input >= r->fn->ninputs))
        read_failed(r, "an input above");
    return r->failed ? 0 : (int)input + 1;
}

static void need_scan(Reader *r, Node *n)
{
    int64_t of[4] = {0};
    switch (n->op) {
    case OP_time: need_list(r, "of", of, 1); break;
    case OP_history:
    case OP_carried: need_list(r, "of", of, 2); break;
    case OP_result: need_list(r, "index", of + 1, 1); break;
    default:
        need_list(r, "scan", of, 4);
        n->attr.scan.carried = (int)of[1];
        n->attr.scan.steps = of[2];
        n->attr.scan.reverse = of[3] != 0;
        if (read_exactly(r, "lengths"))
            n->attr.scan.lengths = need_lengths(r);
        if (read_exactly(r, "stretch")) {
            need_mark(r, '(');
            n->attr.scan.stretch = need_integer(r);
            need_mark(r, ')');
        }
        n->attr.scan.again = read_exactly(r, "again");
        of[1] = 0;
    }
    n->attr.scan.id = (int)of[0];
    n->attr.scan.index = (int)of[1];
}

void read_attr(Reader *r, Node *n)
{
    Attr *a = &n->attr;
    int rank = n->nin ? n->in[0]->shape.rank : n->shape.rank;
    switch (op_info[n->op].attr) {
    case ATTR_none:
    case ATTR_var: break;
    case ATTR_input: need_ints(r, "index", &a->input, 1); break;
    case ATTR_constant: need_constant(r, n); break;
    case ATTR_axis: need_ints(r, "axis", &a->axis, 1); break;
    case ATTR_random: need_random(r, n); break;
    case ATTR_number: need_value(r, &a->number); break;
    case ATTR_permutation: need_ints(r, "permutation", a->permutation, rank); break;
    case ATTR_map: need_ints(r, "map", a->map, n->shape.rank); break;
    case ATTR_pad:
        need_list(r, "low", a->pad.low, rank);
        need_list(r, "high", a->pad.high, rank);
        need_list(r, "interior", a->pad.interior, rank);
        break;
    case ATTR_slice:
        need_list(r, "start", a->slice.start, rank);
        need_list(r, "limit", a->slice.limit, rank);
        need_list(r, "stride", a->slice.stride, rank);
        break;
    case ATTR_reverse: need_axes(r, a->reverse, rank); break;
    case ATTR_axes: need_axes(r, a->axes, MAX_RANK + 1); break;
    case ATTR_contraction: need_contraction(r, n); break;
    case ATTR_window:
        need_list(r, "size", a->window.size, rank);
        need_list(r, "stride", a->window.stride, rank);
        need_list(r, "dilation", a->window.dilation, rank);
        need_list(r, "low", a->window.low, rank);
        break;
    case ATTR_scan: need_scan(r, n); break;
    }
}
