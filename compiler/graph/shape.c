/* Shapes, and the rules that make a node legal: one function rule_<shape>
 * for each name in the column `shape` of ops.def, one case for each of its
 * column `type`. Builders, verifier and reader all ask node_error(). */
#include <inttypes.h>
#include <string.h>

#include "ops.h"

/* ---- Shapes --------------------------------------------------------------- */

Shape shape_of(bool batch, int rank, const int64_t *dim)
{
    Shape s = {.batch = batch, .rank = rank};
    for (int i = 0; i < rank; i++)
        s.dim[i] = dim[i];
    return s;
}

bool shape_equal(Shape a, Shape b)
{
    if (a.batch != b.batch || a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

int64_t shape_size(Shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++)
        n *= s.dim[i];
    return n;
}

char *shape_text(Shape s)
{
    Text t = {0};
    const char *separator = "";
    text_printf(&t, "[");
    if (s.batch) {
        text_printf(&t, "batch");
        separator = ", ";
    }
    for (int i = 0; i < s.rank; i++) {
        text_printf(&t, "%s%" PRId64, separator, s.dim[i]);
        separator = ", ";
    }
    text_printf(&t, "]");
    return t.at;
}

Shape shape_transpose(Shape a, const int *permutation)
{
    Shape s = a;
    for (int i = 0; i < a.rank; i++)
        s.dim[i] = a.dim[permutation[i]];
    return s;
}

Shape shape_pad(Shape a, const int64_t *low, const int64_t *high, const int64_t *interior)
{
    Shape s = a;
    for (int i = 0; i < a.rank; i++)
        s.dim[i] = low[i] + a.dim[i] + (a.dim[i] - 1) * interior[i] + high[i];
    return s;
}

Shape shape_slice(Shape a, const int64_t *start, const int64_t *limit, const int64_t *stride)
{
    Shape s = a;
    for (int i = 0; i < a.rank; i++)
        s.dim[i] = (limit[i] - start[i] + stride[i] - 1) / stride[i];
    return s;
}

Shape shape_concatenate(int n, Node *const *parts, int axis)
{
    Shape s = parts[0]->shape;
    for (int i = 1; i < n; i++)
        s.dim[axis] += parts[i]->shape.dim[axis];
    return s;
}

Shape shape_reduce(Shape a, const bool *axes)
{
    Shape s = {.batch = a.batch && !axes[MAX_RANK]};
    for (int i = 0; i < a.rank; i++)
        if (!axes[i])
            s.dim[s.rank++] = a.dim[i];
    return s;
}

Shape shape_gather_rows(Shape table, Shape index)
{
    Shape s = {.batch = table.batch || index.batch, .rank = index.rank + table.rank - 1};
    for (int i = 0; i < index.rank; i++)
        s.dim[i] = index.dim[i];
    for (int i = 1; i < table.rank; i++)
        s.dim[index.rank + i - 1] = table.dim[i];
    return s;
}

Shape shape_element(Shape rows)
{
    Shape s = {.batch = rows.batch, .rank = rows.rank - 1};
    for (int i = 1; i < rows.rank; i++)
        s.dim[i - 1] = rows.dim[i];
    return s;
}

Shape shape_stacked(Shape a, int64_t steps)
{
    Shape s = {.batch = a.batch, .rank = a.rank + 1, .dim = {steps}};
    for (int i = 0; i < a.rank && i + 1 < MAX_RANK; i++)
        s.dim[i + 1] = a.dim[i];
    return s;
}

/* ---- Rules of shape: NULL, or what is wrong ------------------------------- */

static const char *expect(const Node *n, Shape want)
{
    if (shape_equal(n->shape, want))
        return NULL;
    return format("has shape %s, its operands make %s", shape_text(n->shape), shape_text(want));
}

static const char *rule_leaf(const Node *n)
{
    if (n->op == OP_var && (n->shape.batch || !n->attr.var))
        return "is a variable with a batch or without its record";
    if (n->op == OP_const && n->attr.constant.data && n->shape.batch)
        return "has data and a batch";
    return NULL;
}

static const char *rule_iota(const Node *n)
{
    if (n->type == T_BOOL)
        return "counts in bool";
    if (n->shape.batch || n->attr.axis < 0 || n->attr.axis >= n->shape.rank)
        return "needs an axis of a shape without a batch";
    return NULL;
}

static const char *rule_random(const Node *n)
{
    Type want = n->attr.random.kind == RANDOM_BITS ? T_I32 : T_F32;
    return n->type == want ? NULL : format("should be %s", type_name[want]);
}

static const char *rule_matrix(const Node *n)
{
    return n->shape.rank > 0 && !n->shape.batch ? NULL : "needs a shape [.., columns]";
}

static const char *rule_scalar(const Node *n)
{
    return expect(n, (Shape){0});
}

static const char *rule_place(const Node *n)
{
    return n->type == T_I32 ? expect(n, (Shape){.batch = true}) : "should be i32";
}

static const char *rule_equal(const Node *n)
{
    for (int i = 0; i < n->nin; i++)
        if (!shape_equal(n->in[i]->shape, n->shape))
            return expect(n, n->in[i]->shape);
    return NULL;
}

static const char *rule_gradient(const Node *n)
{
    return expect(n, n->in[1]->shape);
}

static const char *rule_reshape(const Node *n)
{
    const Shape *a = &n->in[0]->shape;
    if (a->batch != n->shape.batch || shape_size(*a) != shape_size(n->shape))
        return format("cannot make %s of %s", shape_text(n->shape), shape_text(*a));
    return NULL;
}

static const char *rule_transpose(const Node *n)
{
    bool seen[MAX_RANK] = {0};
    for (int i = 0; i < n->in[0]->shape.rank; i++) {
        int p = n->attr.permutation[i];
        if (p < 0 || p >= n->in[0]->shape.rank || seen[p])
            return "has no permutation";
        seen[p] = true;
    }
    return expect(n, shape_transpose(n->in[0]->shape, n->attr.permutation));
}

static const char *rule_broadcast(const Node *n)
{
    const Shape *a = &n->in[0]->shape;
    int next = 0;
    for (int i = 0; i < n->shape.rank; i++) {
        int from = n->attr.map[i];
        if (from == -1)
            continue;
        if (from != next++ || from >= a->rank)
            return "does not map the axes of its operand in order";
        if (a->dim[from] != n->shape.dim[i] && a->dim[from] != 1)
            return format("cannot repeat %s to %s", shape_text(*a), shape_text(n->shape));
    }
    if (next != a->rank || (a->batch && !n->shape.batch))
        return format("drops an axis of %s", shape_text(*a));
    return NULL;
}

static const char *rule_pad(const Node *n)
{
    const Shape *a = &n->in[0]->shape, *value = &n->in[1]->shape;
    if (value->rank || value->batch)
        return "needs a scalar to pad with";
    for (int i = 0; i < a->rank; i++)
        if (n->attr.pad.interior[i] < 0)
            return "has negative interior padding";
    return expect(n, shape_pad(*a, n->attr.pad.low, n->attr.pad.high, n->attr.pad.interior));
}

static const char *rule_slice(const Node *n)
{
    const Shape *a = &n->in[0]->shape;
    for (int i = 0; i < a->rank; i++) {
        int64_t start = n->attr.slice.start[i], limit = n->attr.slice.limit[i];
        if (start < 0 || limit <= start || limit > a->dim[i] || n->attr.slice.stride[i] < 1)
            return format("has a range outside axis %d of %s", i, shape_text(*a));
    }
    return expect(n,
                  shape_slice(*a, n->attr.slice.start, n->attr.slice.limit, n->attr.slice.stride));
}

static const char *rule_concatenate(const Node *n)
{
    int axis = n->attr.axis;
    if (n->nin < 1 || axis < 0 || axis >= n->in[0]->shape.rank)
        return "needs operands and one of their axes";
    for (int i = 1; i < n->nin; i++) {
        Shape s = n->in[i]->shape;
        if (s.rank == n->in[0]->shape.rank)
            s.dim[axis] = n->in[0]->shape.dim[axis];
        if (!shape_equal(s, n->in[0]->shape))
            return format("joins %s and %s", shape_text(n->in[0]->shape),
                          shape_text(n->in[i]->shape));
    }
    return expect(n, shape_concatenate(n->nin, n->in, axis));
}

static const char *rule_reduce(const Node *n)
{
    const Shape *a = &n->in[0]->shape;
    for (int i = a->rank; i < MAX_RANK; i++)
        if (n->attr.axes[i])
            return format("reduces axis %d of %s", i, shape_text(*a));
    if (n->attr.axes[MAX_RANK] && !a->batch)
        return "reduces a batch that is not there";
    return expect(n, shape_reduce(*a, n->attr.axes));
}

static bool affine_legal(const Affine *f, int nvars)
{
    if (f->terms < 0 || f->terms > 2)
        return false;
    for (int t = 0; t < f->terms; t++)
        if (f->var[t] < 0 || f->var[t] >= nvars || f->coefficient[t] == 0)
            return false;
    return f->terms < 2 || f->var[0] != f->var[1];
}

bool affine_inside(const Contraction *c, const Affine *f, int64_t size)
{
    int64_t low = f->constant, high = f->constant;
    for (int t = 0; t < f->terms; t++) {
        int64_t reach = f->coefficient[t] * (c->extent[f->var[t]] - 1);
        *(reach < 0 ? &low : &high) += reach;
    }
    return low >= 0 && high < size;
}

static const char *rule_contract(const Node *n)
{
    const Contraction *c = &n->attr.contraction;
    if (n->nin < 1 || (n->nin > 2 && n->nin % 2))
        return "needs one operand, or pairs";
    for (int i = 2; i < n->nin; i++)
        if (!shape_equal(n->in[i]->shape, n->in[i % 2]->shape))
            return "has pairs of several shapes";
    if (c->nvars < 0 || c->nvars > MAX_VARS)
        return "has too many variables";
    for (int v = 0; v < c->nvars; v++)
        if (c->extent[v] < 1)
            return "has an empty variable";
    for (int role = 0; role <= contraction_operands(n); role++) {
        const Shape *s = role ? &n->in[role - 1]->shape : &n->shape;
        for (int i = 0; i < s->rank; i++)
            if (!affine_legal(&c->map[role][i], c->nvars))
                return format("has an illegal index %d of map %d", i, role);
    }
    return NULL;
}

/* `whole` is tiled by windows, one for each element of `windows`. */
static const char *windows_fit(const Node *n, Shape whole, Shape windows)
{
    const Window *w = &n->attr.window;
    if (whole.rank != windows.rank || whole.batch != windows.batch)
        return format("windows %s of %s", shape_text(windows), shape_text(whole));
    for (int i = 0; i < whole.rank; i++)
        if (w->size[i] < 1 || w->stride[i] < 1 || w->dilation[i] < 1)
            return "has a window without size, stride or dilation";
    return NULL;
}

static const char *rule_window(const Node *n)
{
    if (n->nin == 2 && !shape_equal(n->in[1]->shape, n->shape))
        return expect(n, n->in[1]->shape);
    return windows_fit(n, n->in[0]->shape, n->shape);
}

static const char *rule_window_scatter(const Node *n)
{
    if (!shape_equal(n->in[0]->shape, n->in[1]->shape))
        return "has values and indices of different shapes";
    return windows_fit(n, n->shape, n->in[0]->shape);
}

static const char *rule_gather_rows(const Node *n)
{
    Shape table = n->in[0]->shape, index = n->in[1]->shape;
    if (table.rank < 1 || index.rank + table.rank - 1 > MAX_RANK)
        return format("cannot take rows %s of %s", shape_text(index), shape_text(table));
    return expect(n, shape_gather_rows(table, index));
}

static const char *rule_scatter_add_rows(const Node *n)
{
    Shape into = n->in[0]->shape, index = n->in[1]->shape, rows = n->in[2]->shape;
    if (into.rank < 1 || index.rank + into.rank - 1 > MAX_RANK)
        return format("cannot add rows %s to %s", shape_text(index), shape_text(into));
    Shape want = shape_gather_rows(into, index);
    want.batch = rows.batch;
    if (!shape_equal(want, rows))
        return format("adds %s where %s is needed", shape_text(rows), shape_text(want));
    return expect(n, into);
}

static const char *rule_element(const Node *n)
{
    Shape rows = n->in[0]->shape, index = n->in[1]->shape;
    if (rows.rank < 1 || index.rank || index.batch)
        return format("cannot take element %s of %s", shape_text(index), shape_text(rows));
    return expect(n, shape_element(rows));
}

static const char *rule_scan(const Node *n)
{
    int carried = n->attr.scan.carried;
    if (n->attr.scan.steps < 1 || carried < 0 || n->nin < 2 * carried)
        return "lacks steps or values to carry";
    for (int i = 0; i < carried; i++) {
        const Node *init = n->in[i], *next = n->in[carried + i];
        if (init->type != next->type || !shape_equal(init->shape, next->shape))
            return format("carries %s %s, whose next value is %s %s", type_name[init->type],
                          shape_text(init->shape), type_name[next->type],
                          shape_text(next->shape));
    }
    return expect(n, (Shape){0});
}

static const char *rule_history(const Node *n)
{
    if (n->nin > 1 || (n->nin == 1 && n->in[0]->op != OP_scan) || n->shape.rank < 1)
        return "is of something other than a scan";
    return NULL;
}

static const char *rule_result(const Node *n)
{
    const Node *scan = n->in[0];
    int carried = scan->attr.scan.carried, index = n->attr.scan.index;
    if (scan->op != OP_scan || index < 0 || index >= scan->nin - carried)
        return "is of no scan, or has no such number";
    const Node *value = scan->in[carried + index];
    if (n->type != value->type)
        return "has another type than what the scan gives";
    return expect(n, index < carried ? value->shape
                                     : shape_stacked(value->shape, scan->attr.scan.steps));
}

/* ---- Rules of type -------------------------------------------------------- */

typedef enum TypeRule {
    TYPE_GIVEN,
    TYPE_NUMBER,
    TYPE_FLOAT,
    TYPE_TEST,
    TYPE_BOOL,
    TYPE_PICK,
    TYPE_VIEW,
    TYPE_OFFSET,
    TYPE_BY_INDEX
} TypeRule;

static bool all_of(const Node *n, Type type)
{
    for (int i = 0; i < n->nin; i++)
        if (n->in[i]->type != type)
            return false;
    return true;
}

static bool types_legal(const Node *n, TypeRule rule)
{
    Type first = n->nin ? n->in[0]->type : n->type;
    switch (rule) {
    case TYPE_GIVEN: return true;
    case TYPE_NUMBER: return all_of(n, n->type) && n->type != T_BOOL;
    case TYPE_FLOAT: return all_of(n, T_F32) && n->type == T_F32;
    case TYPE_TEST: return all_of(n, first) && first != T_BOOL && n->type == T_BOOL;
    case TYPE_BOOL: return all_of(n, T_BOOL) && n->type == T_BOOL;
    case TYPE_PICK:
        return first == T_BOOL && n->in[1]->type == n->type && n->in[2]->type == n->type;
    case TYPE_VIEW: return all_of(n, n->type);
    case TYPE_OFFSET: return first == T_F32 && n->type == T_I32;
    case TYPE_BY_INDEX:
        return first == n->type && n->in[1]->type == T_I32 &&
               (n->nin < 3 || n->in[2]->type == n->type);
    }
    return false;
}

/* ---- All of them ---------------------------------------------------------- */

static const struct {
    TypeRule type;
    const char *(*shape)(const Node *);
} rules[N_OPS] = {
#define OP(name, arity, kind, attr, type, shape, ...) [OP_##name] = {TYPE_##type, rule_##shape},
#include "ops.def"
};

const char *node_error(const Node *n)
{
    if ((unsigned)n->op >= N_OPS || (unsigned)n->type >= N_TYPES)
        return "is no operation on a type";
    if (op_info[n->op].arity >= 0 && n->nin != op_info[n->op].arity)
        return format("has %d operands instead of %d", n->nin, op_info[n->op].arity);
    if (n->shape.rank < 0 || n->shape.rank > MAX_RANK)
        return "has too many axes";
    for (int i = 0; i < n->shape.rank; i++)
        if (n->shape.dim[i] < 1)
            return format("is empty: %s", shape_text(n->shape));
    if (!types_legal(n, rules[n->op].type))
        return format("of type %s has operands of wrong types", type_name[n->type]);
    return rules[n->op].shape(n);
}
