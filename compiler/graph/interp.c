/* The oracle: runs a function of the graph, one node after the other, one
 * element after the other, in double or with every operation rounded to
 * float32. Needs a graph without OP_gradient. Dead samples do not exist here:
 * a batch has exactly run->samples samples.
 *
 * In float32 the sums follow the declared order (see Contraction), so that a
 * back end's difference from it is one of its schedule, not of this file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "interp.h"
#include "scan.h"

/* ---- Elementwise ------------------------------------------------------------ */

static double converted(double x, Type to)
{
    switch (to) {
    case T_BOOL: return x != 0;
    case T_I32: return x != x ? 0 : trunc(fmin(fmax(x, INT32_MIN), INT32_MAX));
    default: return x;
    }
}

/* Integers wrap as those of the machine do. */
static double wrapped(Op op, double x, double y)
{
    uint32_t a = (uint32_t)(int32_t)x, b = (uint32_t)(int32_t)y;
    switch (op) {
    case OP_add: return (int32_t)(a + b);
    case OP_mul: return (int32_t)(a * b);
    default: return (int32_t)-a;
    }
}

static double formula(const Node *n, double x, double y, double z)
{
    enum { NONE };
#define OP(name, arity, kind, attr, type, shape, value, ...) \
    if (n->op == OP_##name)                                  \
        return value;
#include "ops.def"
    die("no operation %d", (int)n->op);
}

double map_value(const Node *n, double x, double y, double z)
{
    bool wraps = n->op == OP_add || n->op == OP_mul || n->op == OP_neg;
    return n->type == T_I32 && wraps ? wrapped(n->op, x, y) : formula(n, x, y, z);
}

static void interpret_map(Frame *f, const Node *n)
{
    int64_t count = shape_size(n->shape) * samples_of(f, n);
    double *in[3] = {0}, *out = f->value[n->id];
    for (int i = 0; i < n->nin; i++)
        in[i] = f->value[n->in[i]->id];
    for (int64_t i = 0; i < count; i++) {
        double value = map_value(n, in[0][i], in[1] ? in[1][i] : 0, in[2] ? in[2][i] : 0);
        out[i] = n->type == T_F32 ? rounded(f, value) : value;
    }
}

/* ---- Leaves ------------------------------------------------------------------ */

static void copy_rounded(Frame *f, const Node *n, const double *from)
{
    int64_t count = shape_size(n->shape) * samples_of(f, n);
    for (int64_t i = 0; i < count; i++)
        f->value[n->id][i] = n->type == T_F32 ? rounded(f, from[i]) : from[i];
}

static void interpret_const(Frame *f, const Node *n)
{
    int64_t count = shape_size(n->shape) * samples_of(f, n);
    if (n->attr.constant.data) {
        copy_rounded(f, n, n->attr.constant.data);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        f->value[n->id][i] =
            n->type == T_F32 ? rounded(f, n->attr.constant.number) : n->attr.constant.number;
}

static void interpret_iota(Frame *f, const Node *n)
{
    int64_t inner = 1, count = shape_size(n->shape);
    for (int i = n->attr.axis + 1; i < n->shape.rank; i++)
        inner *= n->shape.dim[i];
    for (int64_t i = 0; i < count; i++)
        f->value[n->id][i] = (double)(i / inner % n->shape.dim[n->attr.axis]);
}

static const double *var_value(const Frame *f, const Var *var)
{
    for (int i = 0; i < f->run->nvars; i++)
        if (f->run->var_list[i] == var)
            return f->run->vars[i];
    die("no value for variable %s", var->name);
}

static void interpret_leaf(Frame *f, const Node *n)
{
    switch (n->op) {
    case OP_var: copy_rounded(f, n, var_value(f, n->attr.var)); break;
    case OP_input: copy_rounded(f, n, f->run->inputs[n->attr.input]); break;
    case OP_const: interpret_const(f, n); break;
    case OP_iota: interpret_iota(f, n); break;
    case OP_random: interpret_random(f, n); break;
    case OP_orthogonal: interpret_orthogonal(f, n); break;
    case OP_live: f->value[n->id][0] = (double)f->run->samples; break;
    case OP_place:
        for (int64_t s = 0; s < f->run->samples; s++)
            f->value[n->id][s] = (double)s;
        break;
    case OP_carried:
    case OP_time: break; /* the scan sets them */
    default: die("%s is no leaf", op_name[n->op]);
    }
}

/* ---- A function ---------------------------------------------------------------- */

void interpret_node(Frame *f, const Node *n)
{
    switch (op_info[n->op].kind) {
    case LEAF: interpret_leaf(f, n); break;
    case MAP: interpret_map(f, n); break;
    case LAYOUT: interpret_layout(f, n); break;
    case REDUCE: interpret_reduce(f, n); break;
    case CONTRACT: interpret_contract(f, n); break;
    case WINDOW: interpret_window(f, n); break;
    case INDEX: interpret_rows(f, n); break;
    case SCAN: interpret_scan(f, n); break;
    case GRADIENT: die("interpret: a gradient is left; grad() comes first");
    }
}

static double **results(const Frame *f, int n, Node *const *nodes)
{
    double **to = NEW_ARRAY(double *, n + 1);
    for (int i = 0; i < n; i++) {
        size_t count = (size_t)(shape_size(nodes[i]->shape) * samples_of(f, nodes[i]));
        to[i] = NEW_ARRAY(double, count + 1);
        memcpy(to[i], f->value[nodes[i]->id], count * sizeof(double));
    }
    return to;
}

static double *room_for(const Frame *f, const Node *n)
{
    size_t count = (size_t)(shape_size(n->shape) * samples_of(f, n));
    double *room = calloc(count + 1, sizeof(double));
    if (!room)
        fail_file("out of memory for the values of %s %s", op_name[n->op], shape_text(n->shape));
    return room;
}

/* Values live in malloc: checking gradients runs a function many times. */
void interpret(const Fn *fn, Interp *run)
{
    NodeList roots = fn_roots(fn), list = graph_reach(roots.n, roots.at);
    Scans scans = find_scans(list);
    Frame f = {run, calloc((size_t)graph_count() + 1, sizeof(double *)), list, &scans};
    for (int i = 0; f.value && i < list.n; i++)
        f.value[list.at[i]->id] = room_for(&f, list.at[i]);
    for (int i = 0; f.value && i < list.n; i++)
        if (!inside_any(&scans, list.at[i]))
            interpret_node(&f, list.at[i]);
    run->outputs = results(&f, fn->noutputs, fn->outputs);
    run->updates = results(&f, fn->nupdates, fn->values);
    for (int i = 0; i < list.n; i++)
        free(f.value[list.at[i]->id]);
    free(f.value);
}
