/* Built-in functions of numbers: elementwise and reductions. Applied to
 * compile-time numbers they give numbers. */
#include "graph/check.h"

#include <math.h>
#include <string.h>

/* ---- Elementwise -------------------------------------------------------------- */

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

static const struct Map {
    const char *name;
    Op op; /* OP_sqrt…; OP_gradient: composed below   */
    double (*number)(double);
} maps[] = {
    {"exp", OP_exp, exp},
    {"log", OP_log, log},
    {"tanh", OP_tanh, tanh},
    {"sigmoid", OP_logistic, logistic},
    {"softplus", OP_softplus, softplus},
    {"sqrt", OP_sqrt, sqrt},
    {"sin", OP_sin, sin},
    {"cos", OP_cos, cos},
    {"erf", OP_erf, erf},
    {"floor", OP_floor, floor},
    {"sign", OP_gradient, sign},
    {"abs", OP_gradient, fabs},
};

static Node *splat_like(Node *a, double number)
{
    return graph_expand(scalar(number), a->shape);
}

static Node *sign_node(Node *x)
{
    Node *zero = splat_like(x, 0);
    Node *negative = graph_select(graph_op2(OP_lt, x, zero), splat_like(x, -1), zero);
    return graph_select(graph_op2(OP_lt, zero, x), splat_like(x, 1), negative);
}

/* |x| = x sign(x), so that its derivative at 0 is 0. */
static Node *map_node(const struct Map *m, Node *x)
{
    if (m->op != OP_gradient)
        return graph_op1(m->op, x);
    Node *s = sign_node(x);
    return m->number == sign ? s : graph_op2(OP_mul, x, s);
}

Value map_one(Check *c, Call *call)
{
    const struct Map *m = maps;
    while (strcmp(m->name, call->builtin->name) != 0)
        m++;
    if (call->arg[0].kind == V_NUMBER)
        return real_number(c, call->pos, m->number(call->arg[0].number));
    Node *x = to_number_node(c, call->arg[0]);
    return v_tensor(x ? map_node(m, x) : NULL);
}

static Node *negate(Node *a)
{
    return graph_op1(OP_neg, a);
}

static Value extreme(Check *c, Pos pos, bool largest, Value a, Value b)
{
    if (a.kind == V_NUMBER && b.kind == V_NUMBER)
        return v_number(largest ? fmax(a.number, b.number) : fmin(a.number, b.number));
    Node *x = to_number_node(c, a), *y = to_number_node(c, b);
    Shape shape;
    if (!x || !y)
        return v_error();
    if (!broadcast_shapes(x->shape, y->shape, &shape)) {
        report(c, pos, "shapes do not fit `%s`: %s, %s", largest ? "maximum" : "minimum",
               introduce(a), introduce(b));
        return v_error();
    }
    if (largest)
        return v_tensor(broadcast_op(c, pos, OP_max, x, y));
    Node *less = broadcast_op(c, pos, OP_max, negate(x), negate(y));
    return v_tensor(less ? negate(less) : NULL);
}

Value map_two(Check *c, Call *call)
{
    bool largest = strcmp(call->builtin->name, "maximum") == 0;
    return extreme(c, call->pos, largest, call->arg[0], call->arg[1]);
}

Value clip(Check *c, Call *call)
{
    Value below = extreme(c, call->pos, false, call->arg[0], call->arg[2]);
    return below.kind == V_ERROR ? below : extreme(c, call->pos, true, below, call->arg[1]);
}

/* ---- Gradients and logits -------------------------------------------------------- */

Value stop_gradient(Check *c, Call *call)
{
    Node *x = to_number_node(c, call->arg[0]);
    return v_tensor(x ? graph_op1(OP_stop_gradient, x) : NULL);
}

static bool reaches(Node *from, const Node *to)
{
    NodeList list = graph_reach(1, &from);
    for (int i = 0; i < list.n; i++)
        if (list.at[i] == to)
            return true;
    return false;
}

static const char *called(Value v, const char *otherwise)
{
    return v.name ? format(v.made ? "`%s(…)`" : "`%s`", v.name) : otherwise;
}

/* `grad` has one number to differentiate, of the batch or of each sample. */
static bool one_number(Check *c, Value y, const Node *of_y, Value x)
{
    const char *name = called(y, "y"), *by = called(x, "x");
    if (shape_size(of_y->shape) != 1) {
        report(c, y.pos, "grad(y, x) is of one number for each sample, %s is %s", name,
               sample_text(of_y->shape));
        advise(c, "of the sum of its elements: `grad(sum(y, each: sample), x)`");
        return false;
    }
    if (of_y->shape.batch && !x.node->shape.batch) {
        report(c, y.pos, "%s is a number for each sample, but %s is the same for all", name, by);
        advise(c, "of the batch: `grad(mean(y), x)` or `grad(sum(y), x)`");
        return false;
    }
    return true;
}

static bool has_gradient(Check *c, Pos pos, Value y, Node *of_y, Value x)
{
    const char *name = called(y, "y"), *by = called(x, "x");
    if (!reaches(of_y, x.node)) {
        report(c, pos, "grad(y, x): %s does not depend on %s", name, by);
        advise(c, "bind x to a name and compute y from that name");
        return false;
    }
    const Node *stop = gradient_stop(of_y, x.node);
    if (stop) {
        report(c, pos, "grad(y, x): no gradient goes from %s to %s", name, by);
        if (stop->pos.line)
            note(c, stop->pos, "it ends here");
        return false;
    }
    return true;
}

Value gradient_of(Check *c, Call *call)
{
    Node *y = to_number_node(c, call->arg[0]);
    Value of = call->arg[1];
    if (!y || of.kind != V_TENSOR || of.node->type != T_F32) {
        if (y && of.kind != V_ERROR)
            report(c, of.pos, "`grad` needs a tensor to differentiate by; %s", introduce(of));
        return v_error();
    }
    if (!has_gradient(c, call->pos, call->arg[0], y, of) || !one_number(c, call->arg[0], y, of))
        return v_error();
    return v_filled(graph_gradient(y, of.node), is_sequence(of) ? of.length : NULL);
}

/* Softmax tells which logits it comes from: of composed operations the graph
 * does not show it. */
Value mark_logits(Check *c, Call *call)
{
    Node *p = to_number_node(c, call->arg[0]), *z = to_number_node(c, call->arg[1]);
    if (!p || !z)
        return v_error();
    Marked m = {p, z};
    PUSH(c->marked, c->nmarked, c->marked_cap, m);
    return v_tensor(p);
}

static Node *logits_node(const Check *c, Node *p)
{
    for (int i = 0; i < c->nmarked; i++)
        if (c->marked[i].p == p)
            return c->marked[i].logits;
    if (p->op == OP_logistic)
        return p->in[0];
    if (p->op == OP_select && p->in[2]->op == OP_const) { /* steps that count */
        Node *z = logits_node(c, p->in[1]);
        return z ? graph_select(p->in[0], z, p->in[2]) : NULL;
    }
    Node *inner = p->op == OP_reshape ? logits_node(c, p->in[0]) : NULL;
    return inner ? graph_reshape(inner, p->shape) : NULL;
}

/* The value of which p is the sigmoid or softmax, or none. */
Value logits_of(Check *c, Call *call)
{
    Value p = call->arg[0];
    Node *z = p.kind == V_TENSOR ? logits_node(c, p.node) : NULL;
    return z ? v_tensor(z) : v_none();
}

/* ---- Reductions -------------------------------------------------------------------- */

/* Which axes a reduction removes, and the shape that keeps them as 1. */
typedef struct Reduction {
    bool axes[MAX_RANK + 1];
    Shape kept;
    bool keep;
    double count; /* elements of a sample in each result; without its steps, */
    Node *length; /* where their number varies                               */
} Reduction;

enum { X, AXIS, EACH, OVER, KEEP };

static bool add_axes(Check *c, Value axis, Shape shape, Reduction *r)
{
    Value one[] = {axis};
    Value list = axis.kind == V_LIST ? axis : v_list(1, one);
    for (int i = 0; i < list.list.n; i++) {
        int at;
        Value v = list.list.at[i];
        if (v.pos.line == 0)
            v.pos = axis.pos;
        if (!to_axis(c, v, shape, &at))
            return false;
        r->axes[at] = true;
    }
    return true;
}

static bool read_each(Check *c, const Call *call)
{
    Value each = call->arg[EACH];
    if (each.kind == V_STRING && strcmp(each.text, "sample") == 0)
        return true;
    report(c, each.pos, "`each` is `sample`: one result for each sample");
    return false;
}

static bool read_over(Check *c, const Call *call, Shape shape)
{
    Value over = call->arg[OVER];
    if (over.kind != V_TENSOR || over.node->op != OP_live) {
        report(c, over.pos, "`over` is `batch`: the reduction runs over the samples");
        advise(c, "axes of a sample are named by `axis: …`");
        return false;
    }
    if (!shape.batch) {
        report(c, call->pos, "`over: batch` of a value without a batch");
        return false;
    }
    return true;
}

static bool read_reduction(Check *c, const Call *call, Shape shape, Reduction *r)
{
    r->length = is_sequence(call->arg[X]) ? call->arg[X].length : NULL;
    bool all = !call->has[AXIS] && !call->has[EACH] && !call->has[OVER];
    bool sample = all || (call->has[EACH] && !call->has[AXIS]);
    if (call->has[AXIS] && !add_axes(c, call->arg[AXIS], shape, r))
        return false;
    if (call->has[EACH] && !read_each(c, call))
        return false;
    if (call->has[OVER] && !read_over(c, call, shape))
        return false;
    if (call->has[EACH] && call->has[OVER]) {
        report(c, call->pos, "`each: sample` and `over: batch` exclude one another");
        return false;
    }
    if (call->has[KEEP] && !to_bool(c, call->arg[KEEP], "keep", &r->keep))
        return false;
    r->axes[MAX_RANK] = shape.batch && (all || call->has[OVER]);
    r->kept = shape;
    r->kept.batch = shape.batch && !r->axes[MAX_RANK];
    r->count = 1;
    for (int i = 0; i < shape.rank; i++) {
        r->axes[i] |= sample;
        bool varies = r->length && i == 0;
        r->count *= r->axes[i] && !varies ? (double)shape.dim[i] : 1;
        r->kept.dim[i] = r->axes[i] ? 1 : shape.dim[i];
    }
    return true;
}

/* Are there padded steps in the sums? */
static bool selects(const Reduction *r)
{
    return r->length && (r->axes[0] || r->axes[MAX_RANK]);
}

static Node *reduce_node(Op op, Node *x, const Reduction *r, bool keep)
{
    if (selects(r))
        x = valid_or(r->length, x, op == OP_reduce_max ? -INFINITY : 0);
    Node *y = graph_reduce(op, x, r->axes);
    return keep ? graph_reshape(y, r->kept) : y;
}

/* How many steps each sum is over, of the samples that have them: a column,
 * to be repeated along the other axes. */
static Node *step_count(const Reduction *r, Shape out)
{
    bool batch[MAX_RANK + 1] = {[MAX_RANK] = true};
    if (r->axes[0]) {
        Node *steps = graph_convert(r->length, T_F32);
        return r->axes[MAX_RANK] ? graph_reduce(OP_reduce_sum, steps, batch) : steps;
    }
    Shape column = {.rank = 1, .dim = {r->kept.dim[0]}}, as = out;
    for (int i = 1; i < as.rank; i++)
        as.dim[i] = 1;
    Node *has = graph_convert(valid_steps(r->length, column), T_F32);
    Node *samples = graph_reshape(graph_reduce(OP_reduce_sum, has, batch), as);
    return graph_op2(OP_max, samples, graph_expand(scalar(1), as));
}

/* A sum over live samples and elements divided by how many there are. */
static Node *mean_node(Node *x, const Reduction *r, bool keep)
{
    Node *y = reduce_node(OP_reduce_sum, x, r, keep);
    Node *count = scalar(r->count);
    if (selects(r))
        count = scale_node(step_count(r, y->shape), r->count);
    else if (r->axes[MAX_RANK])
        count = scale_node(graph_live(), r->count);
    return graph_op2(OP_div, y, graph_expand(count, y->shape));
}

static Node *variance_node(Node *x, const Reduction *r)
{
    Node *center = graph_expand(mean_node(x, r, true), x->shape);
    Node *from = graph_op2(OP_add, x, negate(center));
    return mean_node(graph_op2(OP_mul, from, from), r, r->keep);
}

static Node *reduce_by_name(const char *name, Node *x, const Reduction *r)
{
    if (strcmp(name, "sum") == 0)
        return reduce_node(OP_reduce_sum, x, r, r->keep);
    if (strcmp(name, "max") == 0)
        return reduce_node(OP_reduce_max, x, r, r->keep);
    if (strcmp(name, "min") == 0)
        return negate(reduce_node(OP_reduce_max, negate(x), r, r->keep));
    if (strcmp(name, "mean") == 0)
        return mean_node(x, r, r->keep);
    if (strcmp(name, "variance") == 0)
        return variance_node(x, r);
    return graph_op1(OP_sqrt, reduce_node(OP_reduce_sum, graph_op2(OP_mul, x, x), r, r->keep));
}

Value reduction(Check *c, Call *call)
{
    Reduction r = {0};
    Node *x = to_number_node(c, call->arg[X]);
    if (!x || !read_reduction(c, call, x->shape, &r))
        return v_error();
    Node *y = reduce_by_name(call->builtin->name, x, &r);
    return v_sequence(y, selects(&r) ? NULL : r.length);
}
