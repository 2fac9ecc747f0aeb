/* unbatch: a twin without a batch for every function that networks run by.
 *
 * needs       no OP_gradient (grad)
 * guarantees  functions whose samples do not depend on each other have a twin
 *             fn->single: the same sums in the same order for one sample; and
 *             model->pack fills the vars that hold packed parameters
 *
 * With the batch gone the lanes of a contraction hold neighbors of its last
 * output axis. A parameter that keeps that axis elsewhere is read from a
 * packed copy, which model->pack makes whenever parameters have changed:
 *
 *     c = contract [batch, 7, 7, 32] x w  … b(v3, v5, v2, v4)
 *     becomes contract [7, 7, 32] x packed … b(v3, v5, v4, v2) */
#include "graph/ops.h"
#include "loop/lower.h"

typedef struct Packed {
    Var *of, *var;
    int permutation[MAX_RANK]; /* axis i of var is this axis of `of` */
} Packed;

typedef struct Packing {
    Model *model;
    Packed *at;
    int n, cap;
} Packing;

/* ---- Which functions -------------------------------------------------------- */

/* Does the node mix samples, or know which one it is? */
static bool needs_batch(const Node *n)
{
    if (n->op == OP_random || n->op == OP_live || n->op == OP_place ||
        n->op == OP_scatter_add_rows)
        return true;
    for (int i = 0; i < n->nin && !n->shape.batch; i++)
        if (n->in[i]->shape.batch)
            return true;
    return false;
}

static bool takes_one_sample(const Fn *fn)
{
    NodeList nodes = graph_reach(fn->noutputs, fn->outputs);
    for (int i = 0; i < nodes.n; i++)
        if (needs_batch(nodes.at[i]))
            return false;
    for (int i = 0; i < fn->noutputs; i++)
        if (!fn->outputs[i]->shape.batch)
            return false;
    return (fn->kind == FN_NETWORK || fn->kind == FN_REPORT) && fn->nupdates == 0;
}

/* ---- Packed parameters ----------------------------------------------------------- */

static Packed *packed(Packing *p, Var *of, const int *permutation)
{
    for (int i = 0; i < p->n; i++) {
        bool same = p->at[i].of == of;
        for (int a = 0; same && a < of->shape.rank; a++)
            same = p->at[i].permutation[a] == permutation[a];
        if (same)
            return &p->at[i];
    }
    Packed fresh = {.of = of, .var = NEW(Var)};
    *fresh.var = *of;
    fresh.var->kind = VAR_PACKED;
    fresh.var->init = NULL;
    fresh.var->name = format("%s.packed_%d", of->name, p->n + 1);
    for (int a = 0; a < of->shape.rank; a++) {
        fresh.permutation[a] = permutation[a];
        fresh.var->shape.dim[a] = of->shape.dim[permutation[a]];
    }
    graph_var(fresh.var);
    PUSH(p->at, p->n, p->cap, fresh);
    return &p->at[p->n - 1];
}

/* The axis of an operand that variable `var` alone runs through, or -1. */
static int axis_of(const Affine *map, Shape shape, int var)
{
    for (int i = 0; i < shape.rank; i++)
        if (map[i].terms == 1 && map[i].var[0] == var && map[i].coefficient[0] == 1 &&
            map[i].constant == 0 && shape.dim[i] > 8)
            return i;
    return -1;
}

/* Puts a parameter that holds the lanes elsewhere than last in that order. */
static Node *pack_operand(Packing *p, Node *operand, Affine *map, int lane)
{
    int axis = axis_of(map, operand->shape, lane), last = operand->shape.rank - 1;
    if (operand->op != OP_var || axis < 0 || axis == last)
        return operand;
    int permutation[MAX_RANK];
    Affine moved = map[axis];
    for (int i = 0; i < last; i++) {
        permutation[i] = i < axis ? i : i + 1;
        map[i] = map[permutation[i]];
    }
    permutation[last] = axis;
    map[last] = moved;
    return packed(p, operand->attr.var, permutation)->var->node;
}

/* Positions first: without a batch that is how they are told from taps. */
static void put_position_first(const Node *n, Affine *index)
{
    Node *operand[2] = {n->in[0], n->nin > 1 ? n->in[1] : NULL};
    Affine before = *index;
    if (position_term(&n->attr.contraction, operand, index) == 0)
        return;
    for (int i = 0; i < 2; i++) {
        index->var[i] = before.var[1 - i];
        index->coefficient[i] = before.coefficient[1 - i];
    }
}

static Node *contraction(Packing *p, const Node *n, Node *const *in)
{
    Contraction c = n->attr.contraction;
    Node *operand[2] = {in[0], n->nin > 1 ? in[1] : NULL};
    for (int i = 0; i < n->shape.rank; i++)
        put_position_first(n, &c.map[0][i]);
    Shape out = n->shape;
    const Affine *last = &c.map[0][out.rank > 0 ? out.rank - 1 : 0];
    out.batch = false;
    if (out.rank > 0 && last->terms == 1)
        for (int i = 0; i < n->nin; i++)
            operand[i] = pack_operand(p, operand[i], c.map[1 + i], last->var[0]);
    return graph_contract(out, operand[0], operand[1], &c);
}

static void make_pack(Packing *p)
{
    Model *m = p->model;
    if (p->n == 0)
        return;
    Fn *fn = NEW(Fn);
    *fn = (Fn){.kind = FN_PACK, .name = "pack", .nupdates = p->n, .pos = m->fns[0]->pos};
    fn->targets = NEW_ARRAY(Var *, p->n);
    fn->values = NEW_ARRAY(Node *, p->n);
    int nfns = m->nfns, nvars = m->nvars;
    for (int i = 0; i < p->n; i++) {
        fn->targets[i] = p->at[i].var;
        fn->values[i] = graph_transpose(p->at[i].of->node, p->at[i].permutation);
        PUSH(m->vars, m->nvars, nvars, p->at[i].var);
    }
    PUSH(m->fns, m->nfns, nfns, fn);
    m->pack = fn;
}

/* ---- A twin ------------------------------------------------------------------------- */

/* A reshape of what is computed elementwise in padded rows would copy it: its
 * operands are reshaped instead. */
static Node *reshaped(Node *n, Shape shape)
{
    Node *in[3];
    double number;
    if (shape_equal(n->shape, shape))
        return n;
    if (n->type == T_F32 && splat_of(n, &number))
        return graph_const(shape, number);
    if (is_natural(n) || !op_is_map(n->op) || n->op == OP_stop_gradient)
        return graph_reshape(n, shape);
    for (int i = 0; i < n->nin; i++)
        in[i] = reshaped(n->in[i], shape);
    return graph_node(n->op, n->type, shape, n->nin, in, &n->attr, n->pos);
}

static Node *single_node(Packing *p, const Node *n, Node **in)
{
    Shape shape = n->shape;
    shape.batch = false;
    switch (n->op) {
    case OP_contract: return contraction(p, n, in);
    case OP_reshape: return reshaped(in[0], shape);
    case OP_broadcast:
        if (shape_equal(in[0]->shape, shape))
            return in[0];
        break;
    default: break;
    }
    return graph_node(n->op, n->type, shape, n->nin, in, &n->attr, n->pos);
}

static Fn *single_fn(Packing *p, const Fn *fn)
{
    Fn *twin = NEW(Fn);
    NodeList nodes = graph_reach(fn->noutputs, fn->outputs);
    Node **now = NEW_ARRAY(Node *, graph_count()), **in = NEW_ARRAY(Node *, graph_count());
    for (int i = 0; i < nodes.n; i++) {
        Node *n = nodes.at[i];
        for (int k = 0; k < n->nin; k++)
            in[k] = now[n->in[k]->id];
        graph_at(n->pos, n->layer);
        now[n->id] = n->op == OP_var ? n : single_node(p, n, in);
    }
    *twin = *fn;
    twin->kind = FN_SINGLE;
    twin->name = format("%s.single", fn->name);
    twin->inputs = NEW_ARRAY(Node *, fn->ninputs);
    twin->outputs = NEW_ARRAY(Node *, fn->noutputs);
    for (int i = 0; i < fn->ninputs; i++) {
        Shape shape = fn->inputs[i]->shape;
        shape.batch = false;
        twin->inputs[i] = graph_input(fn->inputs[i]->type, shape, i, fn->inputs[i]->pos);
    }
    for (int i = 0; i < fn->noutputs; i++)
        twin->outputs[i] = now[fn->outputs[i]->id];
    return twin;
}

void unbatch(Model *model)
{
    Packing p = {.model = model};
    int n = model->nfns, cap = n;
    for (int i = 0; i < n; i++)
        if (takes_one_sample(model->fns[i])) {
            Fn *twin = single_fn(&p, model->fns[i]);
            model->fns[i]->single = twin;
            PUSH(model->fns, model->nfns, cap, twin);
        }
    make_pack(&p);
}
