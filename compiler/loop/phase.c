/* Phases: the outputs of a strided scatter, sorted by their remainder.
 *
 *     out[S*o + D*r + c] += …      (a transposed convolution, a gradient)
 *
 * becomes, for each p < S, a gather over the outputs S*q + p from those taps
 * r = r0 + k*t that reach them, with o = q + e - m*t: no zero is multiplied
 * and no output is written twice. With S = 1 that is one phase of all taps.
 * Every output is written, those that no tap reaches with an empty sum. */
#include "loop/lower.h"

typedef struct Phasing {
    const Program *program;
    Shape out;
    const Contraction *c;
    Node *operand[2];
    int64_t phase[MAX_RANK];
    NestBody *each;
    void *arg;
} Phasing;

static int64_t gcd(int64_t a, int64_t b)
{
    return b == 0 ? a : gcd(b, a % b);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Every index of the axis is a value of one variable. */
static bool is_plain(const Phasing *ph, int axis)
{
    const Affine *a = &ph->c->map[0][axis];
    return a->terms == 1 && a->coefficient[0] == 1 && a->constant == 0 &&
           ph->c->extent[a->var[0]] == ph->out.dim[axis];
}

static bool moves_along_samples(const Contraction *c, Node *const operand[2], int var)
{
    for (int i = 0; i < 2; i++)
        for (int d = 0; operand[i] && d < operand[i]->shape.rank; d++) {
            const Affine *index = &c->map[1 + i][d];
            for (int t = 0; t < index->terms; t++)
                if (index->var[t] == var && operand[i]->shape.batch)
                    return true;
        }
    return false;
}

int position_term(const Contraction *c, Node *const operand[2], const Affine *a)
{
    if (a->terms == 1 || !(operand[0]->shape.batch || (operand[1] && operand[1]->shape.batch)))
        return 0;
    bool first = moves_along_samples(c, operand, a->var[0]);
    bool second = moves_along_samples(c, operand, a->var[1]);
    if (first != second)
        return first ? 0 : 1;
    return c->extent[a->var[0]] >= c->extent[a->var[1]] ? 0 : 1;
}

static int stride_term(const Phasing *ph, const Affine *a)
{
    return position_term(ph->c, ph->operand, a);
}

/* ---- One axis of the output in one phase ------------------------------------ */

static void fix_strided_axis(const Phasing *ph, Nest *nest, int axis)
{
    const Affine *a = &ph->c->map[0][axis];
    int o = stride_term(ph, a);
    int64_t stride = a->coefficient[o], p = ph->phase[axis], c = a->constant;
    int var = a->var[o], tap = a->terms == 2 ? a->var[1 - o] : -1;
    int64_t d = tap >= 0 ? a->coefficient[1 - o] : 0;
    int64_t taps = tap >= 0 ? ph->c->extent[tap] : 1;
    int64_t step = stride / gcd(d == 0 ? stride : d, stride), first = 0, n = 0;
    while (first < taps && (d * first + c - p) % stride != 0)
        first++;
    if (first < taps)
        n = (taps - first + step - 1) / step;
    nest->empty = nest->empty || n == 0;
    nest->out[axis] = (Linear){.constant = p};
    nest->out[axis].coefficient[var] = stride;
    nest->var[var].extent = (ph->out.dim[axis] - p + stride - 1) / stride;
    Linear *position = &nest->value[var];
    *position = (Linear){.constant = floor_div(p - c - d * first, stride)};
    position->coefficient[var] = 1;
    if (tap >= 0) {
        nest->var[tap].extent = n;
        nest->value[tap] = (Linear){.constant = first};
        nest->value[tap].coefficient[tap] = step;
        position->coefficient[tap] = -d * step / stride;
    }
    nest->bound[nest->nbounds++] = (Bound){*position, ph->c->extent[var]};
}

/* One index has all products; at the others the sum is empty. */
static void fix_constant_axis(const Phasing *ph, Nest *nest, int axis)
{
    nest->out[axis] = (Linear){.constant = ph->phase[axis]};
    nest->empty = nest->empty || ph->phase[axis] != ph->c->map[0][axis].constant;
}

static void fix_axis(const Phasing *ph, Nest *nest, int axis)
{
    const Affine *a = &ph->c->map[0][axis];
    if (a->terms == 0) {
        fix_constant_axis(ph, nest, axis);
    } else if (is_plain(ph, axis)) {
        nest->out[axis] = (Linear){0};
        nest->out[axis].coefficient[a->var[0]] = 1;
    } else {
        fix_strided_axis(ph, nest, axis);
    }
}

static int64_t axis_phases(const Phasing *ph, int axis)
{
    const Affine *a = &ph->c->map[0][axis];
    return a->terms == 0        ? ph->out.dim[axis]
           : is_plain(ph, axis) ? 1
                                : a->coefficient[stride_term(ph, a)];
}

/* ---- Operands ------------------------------------------------------------------ */

static void add_scaled(Linear *sum, const Linear *term, int64_t factor)
{
    sum->constant += term->constant * factor;
    for (int v = 0; v < MAX_VARS; v++)
        sum->coefficient[v] += term->coefficient[v] * factor;
}

static Linear substitute(const Nest *nest, const Affine *a)
{
    Linear sum = {.constant = a->constant};
    for (int t = 0; t < a->terms; t++)
        add_scaled(&sum, &nest->value[a->var[t]], a->coefficient[t]);
    return sum;
}

static bool always_holds(const Nest *nest, const Linear *at, int64_t limit)
{
    int64_t low = at->constant, high = at->constant;
    for (int v = 0; v < nest->nvars; v++) {
        int64_t reach = at->coefficient[v] * (nest->var[v].extent - 1);
        low += reach < 0 ? reach : 0;
        high += reach > 0 ? reach : 0;
    }
    return low >= 0 && high < limit;
}

static void add_bound(Nest *nest, Linear at, int64_t limit)
{
    for (int i = 0; i < nest->nbounds; i++) {
        Bound *b = &nest->bound[i];
        bool same = b->at.constant == at.constant;
        for (int v = 0; v < nest->nvars; v++)
            same = same && b->at.coefficient[v] == at.coefficient[v];
        if (same) {
            b->limit = limit < b->limit ? limit : b->limit;
            return;
        }
    }
    nest->bound[nest->nbounds++] = (Bound){at, limit};
}

void nest_address(Nest *nest, int which, const Contraction *c, int rank, int64_t offset,
                  const int64_t *stride)
{
    nest->address[which] = (Linear){.constant = offset};
    for (int i = 0; i < rank; i++) {
        Linear index = substitute(nest, &c->map[1 + which][i]);
        add_scaled(&nest->address[which], &index, stride[i]);
    }
}

static void fix_operand(const Phasing *ph, Nest *nest, int which)
{
    Node *n = ph->operand[which];
    int64_t offset, stride[MAX_RANK];
    if (!n)
        return;
    memory_strides(ph->program, n, &offset, stride);
    nest_address(nest, which, ph->c, n->shape.rank, offset, stride);
    for (int i = 0; i < n->shape.rank; i++)
        add_bound(nest, substitute(nest, &ph->c->map[1 + which][i]), n->shape.dim[i]);
}

static void drop_idle_bounds(Nest *nest)
{
    int n = 0;
    for (int i = 0; i < nest->nbounds; i++)
        if (!always_holds(nest, &nest->bound[i].at, nest->bound[i].limit))
            nest->bound[n++] = nest->bound[i];
    nest->nbounds = n;
}

/* ---- All phases --------------------------------------------------------------------- */

static void emit_phase(Phasing *ph)
{
    Nest nest = {.nvars = ph->c->nvars, .out_rank = ph->out.rank};
    for (int v = 0; v < nest.nvars; v++) {
        nest.var[v] = (NestVar){.extent = ph->c->extent[v], .reduced = true};
        nest.value[v].coefficient[v] = 1;
    }
    for (int i = 0; i < ph->out.rank; i++)
        fix_axis(ph, &nest, i);
    for (int i = 0; i < ph->out.rank; i++)
        for (int v = 0; v < nest.nvars; v++)
            if (nest.out[i].coefficient[v])
                nest.var[v].reduced = false;
    fix_operand(ph, &nest, 0);
    fix_operand(ph, &nest, 1);
    drop_idle_bounds(&nest);
    for (int v = 0; v < nest.nvars; v++)
        if (!nest.var[v].reduced && nest.var[v].extent <= 0)
            return;
    ph->each(&nest, ph->arg);
}

static void each_phase(Phasing *ph, int axis)
{
    if (axis == ph->out.rank) {
        emit_phase(ph);
        return;
    }
    int64_t phases = axis_phases(ph, axis);
    for (ph->phase[axis] = 0; ph->phase[axis] < phases; ph->phase[axis]++)
        each_phase(ph, axis + 1);
}

void nest_phases(const Program *program, Shape out, const Contraction *c, Node *a, Node *b,
                 NestBody *each, void *arg)
{
    Phasing ph = {program, out, c, {a, b}, {0}, each, arg};
    each_phase(&ph, 0);
}
