/* Random numbers. A draw has a number of its own for each place and call
 * that makes it, or, in an initial value, a number from the parameter's name,
 * so that the same program and seed give the same bits. */
#include "graph/check.h"

#include <string.h>

static uint32_t fnv1a(const char *s)
{
    uint32_t h = 2166136261u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return h;
}

static uint32_t next_path(Check *c)
{
    if (!c->at.init)
        return ++c->draws;
    int n = c->at.draws++;
    return fnv1a(n ? format("%s#%d", c->at.init, n) : c->at.init);
}

/* Initial values are drawn once, wherever the layer stands. */
static const Steps *steps_of(const Check *c)
{
    return c->at.init ? NULL : c->at.scan;
}

/* Is there room for the axes of the steps? */
static bool draws_fit(Check *c, Pos pos, Shape shape)
{
    int64_t size = shape_size(shape);
    int rank = shape.rank;
    for (const Steps *s = steps_of(c); s; s = s->outer) {
        size = size > MAX_ELEMENTS ? size : size * s->steps;
        rank++;
    }
    if (rank <= MAX_RANK && size <= MAX_ELEMENTS)
        return true;
    report(c, pos, "draws of %s for all steps are too many", sample_text(shape));
    return false;
}

/* One draw for each sample, unless there are no samples or `each: batch`. */
static bool draw_shape(Check *c, Pos pos, const Value *shape, const Value *each, Shape *out)
{
    *out = (Shape){0};
    if ((shape && !to_shape(c, *shape, out)) || !draws_fit(c, pos, *out))
        return false;
    out->batch = !c->at.init && !c->at.in_optimizer;
    if (!each)
        return true;
    bool of_sample = each->kind == V_STRING && strcmp(each->text, "sample") == 0;
    bool of_batch = each->kind == V_TENSOR && each->node->op == OP_live;
    if (!of_sample && !of_batch) {
        report(c, each->pos, "`each` is `sample` or `batch`");
        return false;
    }
    out->batch &= of_sample;
    return true;
}

static const Value *given(const Call *call, int i)
{
    return call->has[i] ? &call->arg[i] : NULL;
}

/* In the block of a scan all steps are drawn at once, and a step takes its
 * own: so the step is part of what a number is a function of. */
static Node *draw(Check *c, RandomKind kind, Shape shape)
{
    Shape all = shape;
    for (const Steps *s = steps_of(c); s; s = s->outer) {
        memmove(all.dim + 1, all.dim, sizeof *all.dim * (MAX_RANK - 1));
        all.dim[0] = s->steps;
        all.rank++;
    }
    Node *n = graph_random(kind, all, next_path(c));
    const Steps *outward[MAX_RANK];
    int depth = 0;
    for (const Steps *s = steps_of(c); s; s = s->outer)
        outward[depth++] = s;
    while (depth > 0)
        n = graph_element(n, graph_time(outward[--depth]->id));
    return n;
}

Value draw_uniform(Check *c, Call *call)
{
    enum { LOW, HIGH, SHAPE, EACH };
    double low = 0, high = 1;
    Shape shape;
    if ((call->has[LOW] && !to_number(c, call->arg[LOW], "low", &low)) ||
        (call->has[HIGH] && !to_number(c, call->arg[HIGH], "high", &high)) ||
        !draw_shape(c, call->pos, given(call, SHAPE), given(call, EACH), &shape))
        return v_error();
    Node *u = scale_node(draw(c, RANDOM_UNIFORM, shape), high - low);
    return v_tensor(low == 0 ? u : graph_op2(OP_add, u, graph_expand(scalar(low), shape)));
}

Value draw_normal(Check *c, Call *call)
{
    enum { SHAPE, MEAN, STDDEV, EACH };
    double mean = 0, stddev = 1;
    Shape shape;
    Value sizes = v_list(call->nrest, call->rest);
    if (call->nrest == 1)
        sizes = call->rest[0];
    sizes.pos = call->nrest ? call->rest[0].pos : call->pos;
    if ((call->has[MEAN] && !to_number(c, call->arg[MEAN], "mean", &mean)) ||
        (call->has[STDDEV] && !to_number(c, call->arg[STDDEV], "stddev", &stddev)) ||
        !draw_shape(c, call->pos, &sizes, given(call, EACH), &shape))
        return v_error();
    Node *n = scale_node(draw(c, RANDOM_NORMAL, shape), stddev);
    return v_tensor(mean == 0 ? n : graph_op2(OP_add, n, graph_expand(scalar(mean), shape)));
}

/* true with probability p */
Value draw_bernoulli(Check *c, Call *call)
{
    enum { P, SHAPE, EACH };
    double p;
    Shape shape;
    if (!to_number(c, call->arg[P], "a probability", &p) ||
        !draw_shape(c, call->pos, given(call, SHAPE), given(call, EACH), &shape))
        return v_error();
    if (!(p >= 0 && p <= 1)) {
        report(c, call->arg[P].pos, "%s, expected a probability from 0 to 1",
               introduce(call->arg[P]));
        return v_error();
    }
    Node *u = draw(c, RANDOM_UNIFORM, shape);
    return v_tensor(graph_op2(OP_lt, u, graph_expand(scalar(p), shape)));
}

/* Rows or columns are orthonormal; the axes but the last are the rows. */
Value draw_orthogonal(Check *c, Call *call)
{
    Shape shape;
    if (!to_shape(c, call->arg[0], &shape))
        return v_error();
    if (shape.rank < 2) {
        report(c, call->pos, "an orthogonal matrix needs two axes, not %s", sample_text(shape));
        return v_error();
    }
    if (!c->at.init) {
        report(c, call->pos, "orthogonal matrices are for initial values");
        return v_error();
    }
    return v_tensor(graph_orthogonal(shape, next_path(c)));
}
