/* What a contraction looks like to the machine, decided from shapes alone:
 * the order of a sum follows from it, so nothing about threads, target or
 * effort may enter here. */
#include "graph/ops.h"
#include "loop/lower.h"

/* Is `var` the index of the tensor's last axis, alone and as it is? */
static bool indexes_last_axis(const Affine *map, Shape shape, int var)
{
    if (shape.rank == 0)
        return false;
    const Affine *a = &map[shape.rank - 1];
    return a->terms == 1 && a->var[0] == var && a->coefficient[0] == 1 && a->constant == 0;
}

static bool mentions(const Affine *map, Shape shape, int var)
{
    for (int i = 0; i < shape.rank; i++)
        for (int t = 0; t < map[i].terms; t++)
            if (map[i].var[t] == var && map[i].coefficient[t] != 0)
                return true;
    return false;
}

static int mentions_in_axes(const Affine *map, Shape shape, int var)
{
    int n = 0;
    for (int i = 0; i < shape.rank; i++)
        for (int t = 0; t < map[i].terms; t++)
            n += map[i].var[t] == var;
    return n;
}

/* No index has two terms: nothing slides over anything. */
static bool has_windows(const Node *n)
{
    const Contraction *c = &n->attr.contraction;
    for (int m = 0; m <= contraction_operands(n); m++) {
        Shape s = m == 0 ? n->shape : n->in[m - 1]->shape;
        for (int i = 0; i < s.rank; i++)
            if (c->map[m][i].terms > 1 || c->map[m][i].constant != 0)
                return true;
    }
    return false;
}

/* The variable whose values can stand in neighboring lanes: the last axis of
 * the output and of each operand that depends on it. */
static int find_lane_var(const Node *n)
{
    const Contraction *c = &n->attr.contraction;
    if (n->shape.rank == 0)
        return -1;
    const Affine *last = &c->map[0][n->shape.rank - 1];
    if (last->terms != 1 || last->coefficient[0] != 1)
        return -1;
    int var = last->var[0];
    if (c->extent[var] != n->shape.dim[n->shape.rank - 1] || c->extent[var] <= 8 ||
        mentions_in_axes(c->map[0], n->shape, var) != 1)
        return -1;
    for (int i = 0; i < n->nin; i++) {
        Node *operand = n->in[i];
        int m = 1 + i % 2;
        if (!mentions(c->map[m], operand->shape, var))
            continue;
        int64_t offset, stride[MAX_RANK];
        if (!indexes_last_axis(c->map[m], operand->shape, var) ||
            mentions_in_axes(c->map[m], operand->shape, var) != 1 ||
            !view_strides(operand, &offset, stride) || stride[operand->shape.rank - 1] != 1)
            return -1;
    }
    return var;
}

/* Does each element of one operand meet a row of the other? */
static bool is_outer_product(const Node *n, int var)
{
    const Contraction *c = &n->attr.contraction;
    return n->nin >= 2 && !has_windows(n) &&
           mentions(c->map[1], n->in[0]->shape, var) != mentions(c->map[2], n->in[1]->shape, var);
}

ContractClass contract_class(const Node *n, int *lane_var)
{
    *lane_var = -1;
    if (n->shape.batch)
        return CONTRACT_SAMPLES;
    bool batch = n->in[0]->shape.batch || (n->nin > 1 && n->in[1]->shape.batch);
    int var = find_lane_var(n);
    if (!batch) {
        *lane_var = var;
        return CONTRACT_FREE;
    }
    if (var >= 0 && is_outer_product(n, var) && n->in[0]->shape.batch && n->in[1]->shape.batch) {
        *lane_var = var;
        return CONTRACT_ROWS;
    }
    return CONTRACT_LANE_SUM;
}

bool is_rows_operand(const Node *n, int i)
{
    int lane_var;
    if (n->op != OP_contract || contract_class(n, &lane_var) != CONTRACT_ROWS)
        return false;
    return mentions(n->attr.contraction.map[1 + i % 2], n->in[i]->shape, lane_var);
}

/* Products of an output with one sample. */
static int64_t steps_of_sum(const Node *n)
{
    const Contraction *c = &n->attr.contraction;
    int64_t steps = 1;
    for (int v = 0; v < c->nvars; v++)
        steps *= mentions(c->map[0], n->shape, v) ? 1 : c->extent[v];
    return steps;
}

bool sums_block_by_block(const Node *n)
{
    enum { LONG = 8 };
    return (is_rows_operand(n, 0) || is_rows_operand(n, 1)) && steps_of_sum(n) >= LONG;
}
