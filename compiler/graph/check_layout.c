/* Built-in functions that move elements, and lists of sizes. */
#include "graph/check.h"

#include <math.h>
#include <string.h>

/* The rest arguments as one list: `reshape(x, 3, 3, 16)`, `reshape(x, [3, 3])`. */
static Value rest_list(const Call *call)
{
    Value *parts = NULL;
    int n = 0, cap = 0;
    for (int i = 0; i < call->nrest; i++) {
        Value v = call->rest[i];
        if (v.kind != V_LIST)
            PUSH(parts, n, cap, v);
        for (int k = 0; v.kind == V_LIST && k < v.list.n; k++)
            PUSH(parts, n, cap, v.list.at[k]);
    }
    Value list = v_list(n, parts);
    list.pos = call->nrest > 0 ? call->rest[0].pos : call->pos;
    return list;
}

/* What moves the elements of a sequence of varying length and keeps its steps
 * the first axis. */
static Value steps_first(Check *c, const Call *call, bool keeps, Node *result)
{
    Value x = call->arg[0];
    if (!is_sequence(x) || keeps)
        return v_sequence(result, is_sequence(x) ? x.length : NULL);
    report(c, call->pos,
           "%s, a sequence of varying length: its steps stay the first axis, as "
           "they are",
           introduce(x));
    return v_error();
}

/* ---- Shapes -------------------------------------------------------------------- */

/* The one size given as -1 is what is left over. */
static bool infer_size(Value *sizes, int64_t elements)
{
    int open = -1;
    double known = 1;
    for (int i = 0; i < sizes->list.n; i++) {
        Value v = sizes->list.at[i];
        if (v.kind == V_NUMBER && v.number == -1 && open < 0)
            open = i;
        else if (v.kind == V_NUMBER)
            known *= v.number;
    }
    if (open < 0)
        return true;
    if (known < 1 || fmod((double)elements, known) != 0)
        return false;
    sizes->list.at[open].number = (double)elements / known;
    return true;
}

Value reshape(Check *c, Call *call)
{
    Value sizes = rest_list(call);
    Node *x = to_node(c, call->arg[0]);
    if (!x)
        return v_error();
    const char *wanted = describe_value(sizes);
    Shape to = {0};
    bool fits = infer_size(&sizes, shape_size(x->shape));
    if (fits && !to_shape(c, sizes, &to))
        return v_error();
    if (!fits || shape_size(to) != shape_size(x->shape)) {
        report(c, call->pos, "%s has %lld elements, which do not fill %s", sample_text(x->shape),
               (long long)shape_size(x->shape),
               strncmp(wanted, "the list ", 9) ? wanted : wanted + 9);
        if (call->arg[0].kind == V_NUMBER)
            advise(c, "inside an expression the argument is written: `reshape(x, …)`");
        return v_error();
    }
    to.batch = x->shape.batch;
    bool keeps = to.rank > 0 && to.dim[0] == x->shape.dim[0];
    return steps_first(c, call, keeps, graph_reshape(x, to));
}

Value transpose(Check *c, Call *call)
{
    Node *x = to_node(c, call->arg[0]);
    Value axes = rest_list(call);
    int permutation[MAX_RANK] = {0};
    bool seen[MAX_RANK] = {0};
    if (!x)
        return v_error();
    int rank = x->shape.rank;
    if (axes.list.n != 0 && axes.list.n != rank) {
        report(c, call->pos, "%d axes for %s", axes.list.n, sample_text(x->shape));
        return v_error();
    }
    for (int i = 0; i < rank; i++) {
        permutation[i] = rank - 1 - i;
        if (axes.list.n && !to_axis(c, axes.list.at[i], x->shape, &permutation[i]))
            return v_error();
        if (seen[permutation[i]]) {
            report(c, call->pos, "axis %d is named twice", permutation[i]);
            return v_error();
        }
        seen[permutation[i]] = true;
    }
    return steps_first(c, call, permutation[0] == 0, graph_transpose(x, permutation));
}

/* `broadcast_to(x, length(y), n)`: the length, and the most steps in its place. */
static Node *steps_of(Value *sizes)
{
    Value *first = sizes->list.at;
    if (sizes->list.n == 0 || !is_count(*first))
        return NULL;
    Node *length = first->length;
    *first = (Value){.kind = V_NUMBER, .number = (double)first->most, .pos = first->pos};
    return length;
}

Value broadcast_to(Check *c, Call *call)
{
    Node *x = to_node(c, call->arg[0]);
    Value sizes = rest_list(call);
    Shape to, both;
    Node *length = steps_of(&sizes);
    if (!x || !to_shape(c, sizes, &to))
        return v_error();
    to.batch = x->shape.batch;
    if (!broadcast_shapes(x->shape, to, &both) || !shape_equal(both, to)) {
        report(c, call->pos, "%s does not broadcast to %s", sample_text(x->shape), sample_text(to));
        return v_error();
    }
    Value parts[] = {v_sequence(graph_expand(x, to), length), call->arg[0]};
    return step_by_step(c, call->pos, parts[0], 2, parts);
}

/* ---- Parts ----------------------------------------------------------------------- */

/* The axis of an option `axis`, the last one by default. */
static bool read_axis(Check *c, const Call *call, int option, Shape shape, int *axis)
{
    Value last = v_number(-1);
    last.pos = call->pos;
    return to_axis(c, call->has[option] ? call->arg[option] : last, shape, axis);
}

static Node *take(Node *x, int axis, int64_t start, int64_t limit, int64_t stride)
{
    int64_t starts[MAX_RANK] = {0}, limits[MAX_RANK], strides[MAX_RANK];
    for (int i = 0; i < x->shape.rank; i++) {
        limits[i] = x->shape.dim[i];
        strides[i] = 1;
    }
    starts[axis] = start;
    limits[axis] = limit;
    strides[axis] = stride;
    return graph_slice(x, starts, limits, strides);
}

Value slice(Check *c, Call *call)
{
    enum { INPUT, START, STOP, AXIS, STRIDE };
    Node *x = to_node(c, call->arg[INPUT]);
    int axis;
    int64_t start, stop, stride = 1;
    if (!x || !read_axis(c, call, AXIS, x->shape, &axis))
        return v_error();
    int64_t n = x->shape.dim[axis];
    const char *of = sample_text(x->shape);
    if (!to_whole(c, call->arg[START], format("the start in axis %d of %s", axis, of), -n, n - 1,
                  &start) ||
        !to_whole(c, call->arg[STOP], format("the stop in axis %d of %s", axis, of), -n, n,
                  &stop) ||
        (call->has[STRIDE] && !to_whole(c, call->arg[STRIDE], "a stride", 1, n, &stride)))
        return v_error();
    start += start < 0 ? n : 0;
    stop += stop < 0 ? n : 0;
    if (stop <= start) {
        report(c, call->pos, "an empty slice: from %lld to %lld", (long long)start,
               (long long)stop);
        return v_error();
    }
    return steps_first(c, call, axis > 0, take(x, axis, start, stop, stride));
}

/* Sizes of the parts of an axis: a count of equal ones or a list. */
static bool part_sizes(Check *c, Value parts, int64_t n, int64_t *sizes, int *count)
{
    if (parts.kind == V_LIST) {
        int64_t sum = 0;
        *count = parts.list.n;
        for (int i = 0; i < *count && i < MAX_ARGUMENTS; i++) {
            Value size = parts.list.at[i];
            size.pos = parts.pos;
            if (!to_whole(c, size, "a size", 1, n, &sizes[i]))
                return false;
            sum += sizes[i];
        }
        if (*count <= MAX_ARGUMENTS && sum == n)
            return true;
        report(c, parts.pos, "the sizes sum to %lld, the axis has %lld", (long long)sum,
               (long long)n);
        return false;
    }
    int64_t equal;
    if (!to_whole(c, parts, "a number of parts", 1, MAX_ARGUMENTS, &equal))
        return false;
    if (n % equal != 0) {
        report(c, parts.pos, "an axis of %lld does not split into %lld equal parts", (long long)n,
               (long long)equal);
        return false;
    }
    *count = (int)equal;
    for (int i = 0; i < equal; i++)
        sizes[i] = n / equal;
    return true;
}

Value split(Check *c, Call *call)
{
    enum { INPUT, PARTS, AXIS, FIRST, LAST };
    if (call->arg[INPUT].kind == V_DATA)
        return data_split(c, call);
    Node *x = to_node(c, call->arg[INPUT]);
    int64_t sizes[MAX_ARGUMENTS], start = 0;
    int axis, count;
    if (x && (!call->has[PARTS] || call->has[FIRST] || call->has[LAST])) {
        report(c, call->pos, "a tensor is split by a number of parts: `split(x, 4)`");
        return v_error();
    }
    if (!x || !read_axis(c, call, AXIS, x->shape, &axis) ||
        !part_sizes(c, call->arg[PARTS], x->shape.dim[axis], sizes, &count))
        return v_error();
    Value *parts = NEW_ARRAY(Value, count);
    for (int i = 0; i < count; start += sizes[i++]) {
        parts[i] = steps_first(c, call, axis > 0, take(x, axis, start, start + sizes[i], 1));
        if (parts[i].kind == V_ERROR)
            return v_error();
    }
    Value v = v_list(count, parts);
    v.kind = V_TUPLE;
    return v;
}

static bool same_but_axis(Shape a, Shape b, int axis)
{
    if (a.rank != b.rank)
        return false;
    a.dim[axis] = b.dim[axis];
    a.batch = b.batch;
    return shape_equal(a, b);
}

/* The parts as nodes, each with the batch mark that any of them has. */
static bool concat_parts(Check *c, const Call *call, Node **parts, int *axis)
{
    bool batch = false;
    for (int i = 0; i < call->nrest; i++) {
        parts[i] = to_number_node(c, call->rest[i]);
        if (!parts[i] || (i == 0 && !read_axis(c, call, 1, parts[0]->shape, axis)))
            return false;
        if (!same_but_axis(parts[i]->shape, parts[0]->shape, *axis)) {
            report(c, call->rest[i].pos, "shapes do not join along axis %d: %s, %s", *axis,
                   introduce(call->rest[0]), introduce(call->rest[i]));
            return false;
        }
        batch |= parts[i]->shape.batch;
    }
    for (int i = 0; i < call->nrest; i++) {
        Shape with = parts[i]->shape;
        with.batch = batch;
        parts[i] = graph_expand(parts[i], with);
    }
    return true;
}

Value concat(Check *c, Call *call)
{
    Node *parts[MAX_ARGUMENTS];
    int axis = 0;
    if (call->nrest == 0) {
        report(c, call->pos, "`concat` needs values to join");
        return v_error();
    }
    if (call->rest[0].kind == V_DATA)
        return data_concat(c, call);
    if (!concat_parts(c, call, parts, &axis))
        return v_error();
    Shape whole = parts[0]->shape;
    for (int i = 1; i < call->nrest; i++)
        whole.dim[axis] += parts[i]->shape.dim[axis];
    if (!shape_fits(c, call->pos, whole))
        return v_error();
    Value joined = v_tensor(graph_concatenate(call->nrest, parts, axis));
    if (axis == 0 && !only_fixed(c, call->pos, "joining", call->nrest, call->rest))
        return v_error();
    return step_by_step(c, call->pos, joined, call->nrest, call->rest);
}

/* A number for all axes or a list with one for each. */
static bool per_axis(Check *c, Value v, int rank, int64_t low, int64_t *out)
{
    if (v.kind == V_LIST && v.list.n != rank) {
        report(c, v.pos, "%d numbers for %d axes", v.list.n, rank);
        return false;
    }
    for (int i = 0; i < rank; i++) {
        Value one = v.kind == V_LIST ? v.list.at[i] : v;
        one.pos = v.pos;
        if (!to_whole(c, one, "a number of elements", low, MAX_ELEMENTS, &out[i]))
            return false;
    }
    return true;
}

Value pad(Check *c, Call *call)
{
    enum { INPUT, LOW, HIGH, VALUE };
    Node *x = to_number_node(c, call->arg[INPUT]);
    int64_t low[MAX_RANK], high[MAX_RANK], interior[MAX_RANK] = {0};
    double value = 0;
    if (!x || !per_axis(c, call->arg[LOW], x->shape.rank, -MAX_ELEMENTS, low) ||
        !per_axis(c, call->arg[call->has[HIGH] ? HIGH : LOW], x->shape.rank, -MAX_ELEMENTS, high) ||
        (call->has[VALUE] && !to_number(c, call->arg[VALUE], "a value", &value)))
        return v_error();
    Shape to = x->shape;
    for (int i = 0; i < to.rank; i++) {
        to.dim[i] += low[i] + high[i];
        if (to.dim[i] < 1) {
            report(c, call->pos, "nothing is left of axis %d of %s", i, sample_text(x->shape));
            return v_error();
        }
    }
    if (!shape_fits(c, call->pos, to))
        return v_error();
    bool keeps = to.rank > 0 && low[0] == 0 && high[0] == 0;
    return steps_first(c, call, keeps, graph_pad(x, scalar(value), low, high, interior));
}

Value reverse(Check *c, Call *call)
{
    Node *x = to_node(c, call->arg[0]);
    bool axes[MAX_RANK] = {0};
    int axis;
    if (!x || !read_axis(c, call, 1, x->shape, &axis))
        return v_error();
    axes[axis] = true;
    return v_tensor(graph_reverse(x, axes));
}

/* Each element `times` times, one after the other. */
Value repeat(Check *c, Call *call)
{
    Node *x = to_node(c, call->arg[0]);
    int64_t times;
    int axis, map[MAX_RANK];
    if (!x || !read_axis(c, call, 2, x->shape, &axis) ||
        !to_whole(c, call->arg[1], "how many times", 1, MAX_ELEMENTS, &times))
        return v_error();
    Shape to = x->shape, wide = x->shape;
    to.dim[axis] *= times;
    if (x->shape.rank == MAX_RANK || !shape_fits(c, call->pos, to)) {
        if (x->shape.rank == MAX_RANK)
            report(c, call->pos, "`repeat` takes at most %d axes", MAX_RANK - 1);
        return v_error();
    }
    wide.rank++;
    for (int i = 0; i < wide.rank; i++) {
        map[i] = i <= axis ? i : i == axis + 1 ? -1 : i - 1;
        wide.dim[i] = map[i] < 0 ? times : x->shape.dim[map[i]];
    }
    return steps_first(c, call, axis > 0, graph_reshape(graph_broadcast(x, wide, map), to));
}

/* ---- Tensors from indices ---------------------------------------------------------- */

Value range(Check *c, Call *call)
{
    Shape shape = {.rank = 1};
    if (!to_whole(c, call->arg[0], "a count", 1, MAX_ELEMENTS, &shape.dim[0]))
        return v_error();
    return v_tensor(graph_iota(T_F32, shape, 0));
}

Value one_hot(Check *c, Call *call)
{
    Node *x = to_number_node(c, call->arg[0]);
    int64_t classes;
    if (!x || !to_whole(c, call->arg[1], "the number of classes", 1, MAX_ELEMENTS, &classes))
        return v_error();
    if (x->shape.rank == MAX_RANK) {
        report(c, call->pos, "`one_hot` takes at most %d axes", MAX_RANK - 1);
        return v_error();
    }
    Shape to = x->shape, column = x->shape, row = {.rank = 1, .dim = {classes}};
    column.dim[column.rank++] = 1;
    to.dim[to.rank++] = classes;
    if (!shape_fits(c, call->pos, to))
        return v_error();
    expect_classes(c, x, classes);
    Node *same = graph_op2(OP_eq, graph_expand(graph_reshape(x, column), to),
                           graph_expand(graph_iota(T_F32, row, 0), to));
    return steps_first(c, call, x->shape.rank > 0, graph_convert(same, T_F32));
}

Value gather(Check *c, Call *call)
{
    Node *table = to_number_node(c, call->arg[0]), *x = to_number_node(c, call->arg[1]);
    if (!table || !x)
        return v_error();
    if (table->shape.rank < 1 || x->shape.rank + table->shape.rank - 1 > MAX_RANK) {
        report(c, call->pos, "rows %s of %s", sample_text(x->shape), sample_text(table->shape));
        return v_error();
    }
    expect_classes(c, x, table->shape.dim[0]);
    if (!only_fixed(c, call->pos, "a table", 1, &call->arg[0]))
        return v_error();
    Value rows = call->arg[1];
    return v_sequence(graph_gather_rows(table, graph_convert(x, T_I32)),
                      is_sequence(rows) ? rows.length : NULL);
}

Value fill(Check *c, Call *call)
{
    Shape shape;
    double value;
    if (!to_shape(c, call->arg[0], &shape) || !to_number(c, call->arg[1], "a value", &value))
        return v_error();
    return v_tensor(graph_const(shape, value));
}

/* ---- Lists of sizes ------------------------------------------------------------------ */

Value shape_value(Check *c, Call *call)
{
    Node *x = to_node(c, call->arg[0]);
    return x ? v_sizes(x->shape.rank, x->shape.dim) : v_error();
}

Value rank_value(Check *c, Call *call)
{
    if (call->arg[0].kind == V_LIST)
        return v_number(call->arg[0].list.n);
    Node *x = to_node(c, call->arg[0]);
    return x ? v_number(x->shape.rank) : v_error();
}

/* Elements of a sample, or of a tensor of the shape that a list gives. */
Value size_value(Check *c, Call *call)
{
    Shape shape;
    if (call->arg[0].kind == V_LIST)
        return to_shape(c, call->arg[0], &shape) ? v_number((double)shape_size(shape)) : v_error();
    Node *x = to_node(c, call->arg[0]);
    return x ? v_number((double)shape_size(x->shape)) : v_error();
}

/* One size for `count` axes, or that many in a list: [3, 3] of 3. */
Value sizes(Check *c, Call *call)
{
    Value size = call->arg[0];
    int64_t count, out[MAX_RANK];
    if (!to_whole(c, call->arg[1], "a number of axes", 0, MAX_RANK, &count))
        return v_error();
    if (size.kind != V_LIST && size.kind != V_NUMBER) {
        report(c, size.pos, "%s, expected a size or a list of %lld", introduce(size),
               (long long)count);
        return v_error();
    }
    return per_axis(c, size, (int)count, 1, out) ? v_sizes((int)count, out) : v_error();
}

Value item(Check *c, Call *call)
{
    Value list = call->arg[0];
    int64_t at;
    if (list.kind != V_LIST) {
        report(c, list.pos, "%s, expected a list", introduce(list));
        return v_error();
    }
    if (!to_whole(c, call->arg[1], "an index", -list.list.n, list.list.n - 1, &at))
        return v_error();
    return list.list.at[at < 0 ? at + list.list.n : at];
}

Value is_function(Check *c, Call *call)
{
    (void)c;
    return v_bool(call->arg[0].kind == V_FUNCTION);
}

/* A layer's own message, at the user's call. */
Value raise_error(Check *c, Call *call)
{
    const char *text;
    if (to_text(c, call->arg[0], "a message", &text))
        report(c, call->pos, "%s", text);
    return v_error();
}
