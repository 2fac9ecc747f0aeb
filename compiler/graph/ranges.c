/* ranges: long sums over the columns that a thread owns.
 *
 * needs       simplified functions
 * guarantees  in a training step, outside of scans, a product of samples with a matrix that is
 *             summed along the matrix's owned axis (the longer one, of equal
 *             ones the last) is cut into ranges of that axis, added in order
 *
 *     %2 = contract [batch, 100] x w extent(784, 100) out(v1) a(v0) b(v0, v1)
 *   becomes
 *     %1 = contract [batch, 4, 100] x w extent(196, 100, 4)
 *          out(v2, v1) a(v0 + 196 v2) b(v0 + 196 v2, v1)
 *     %2 = reduce_sum %1 axes(0)
 *
 * Each range is a unit of its own, so that the thread which updates a part of
 * the matrix is the only one that reads it. The other functions change no
 * parameter: there every thread keeps its copy; and so it does in the steps of
 * a scan, where the same weights are read again at once. How many ranges there are
 * depends on the shape alone, for the order of a sum does. */
#include "graph/fuse.h"
#include "graph/scan.h"

enum { SHORTEST_RANGE = 192, MOST_RANGES = 8 };

int owned_axis(Shape s)
{
    return s.dim[0] > s.dim[1] ? 0 : 1;
}

/* The one variable of an index without constant and factor, or -1. */
static int plain_variable(const Affine *a)
{
    return a->terms == 1 && a->constant == 0 && a->coefficient[0] == 1 ? a->var[0] : -1;
}

Node *matrix_operand(const Node *n, int *which)
{
    if (n->op != OP_contract || n->nin != 2 || !n->shape.batch)
        return NULL;
    *which = n->in[0]->shape.batch ? 1 : 0;
    Node *w = n->in[*which];
    bool matrix = w->op == OP_var && w->shape.rank == 2 && n->in[1 - *which]->shape.batch;
    return matrix ? w : NULL;
}

/* The variable that runs along the matrix's owned axis, alone in all indices
 * and summed; -1: none. */
static int owned_sum(const Node *n)
{
    const Contraction *c = &n->attr.contraction;
    int which, reduced = 0;
    const Node *w = matrix_operand(n, &which);
    if (!w || n->shape.rank >= MAX_RANK || c->nvars >= MAX_VARS)
        return -1;
    int var = plain_variable(&c->map[1 + which][owned_axis(w->shape)]);
    bool summed[MAX_VARS];
    for (int v = 0; v < c->nvars; v++)
        summed[v] = true;
    for (int role = 0; role <= 2; role++) {
        Shape s = role ? n->in[role - 1]->shape : n->shape;
        for (int i = 0; i < s.rank; i++) {
            int v = plain_variable(&c->map[role][i]);
            if (v < 0)
                return -1;
            summed[v] = summed[v] && role > 0;
        }
    }
    for (int v = 0; v < c->nvars; v++)
        reduced += summed[v];
    return reduced == 1 && var >= 0 && summed[var] ? var : -1;
}

/* A power of two: any such number of threads gets equal parts. */
static int64_t count_ranges(int64_t extent)
{
    int64_t n = 1;
    while (2 * n <= MOST_RANGES && extent % (2 * n) == 0 && extent / (2 * n) >= SHORTEST_RANGE)
        n *= 2;
    return n;
}

static void cut_variable(Contraction *c, int var, int64_t ranges)
{
    int64_t length = c->extent[var] / ranges;
    int range = c->nvars++;
    c->extent[range] = ranges;
    c->extent[var] = length;
    for (int role = 1; role <= 2; role++)
        for (int i = 0; i < MAX_RANK; i++) {
            Affine *a = &c->map[role][i];
            if (a->terms == 1 && a->var[0] == var) {
                a->terms = 2;
                a->var[1] = range;
                a->coefficient[1] = length;
            }
        }
}

static Node *cut_sum(Node *n, void *arg)
{
    int which, var = owned_sum(n);
    (void)arg;
    if (var < 0)
        return NULL;
    int64_t bytes = shape_size(matrix_operand(n, &which)->shape) * 4;
    int64_t ranges = count_ranges(n->attr.contraction.extent[var]);
    if (bytes < OWNED_LEAST || bytes > OWNED_MOST || ranges == 1 ||
        is_of_step(n))
        return NULL;
    Contraction c = n->attr.contraction;
    cut_variable(&c, var, ranges);
    Shape parts = n->shape;
    for (int i = parts.rank++; i > 0; i--) {
        parts.dim[i] = n->shape.dim[i - 1];
        c.map[0][i] = c.map[0][i - 1];
    }
    parts.dim[0] = ranges;
    c.map[0][0] = (Affine){.terms = 1, .var = {c.nvars - 1}, .coefficient = {1}};
    bool axes[MAX_RANK + 1] = {true};
    return graph_reduce(OP_reduce_sum, graph_contract(parts, n->in[0], n->in[1], &c), axes);
}

static void cut_fn(Fn *fn)
{
    NodeList roots = fn_roots(fn);
    graph_rewrite(roots.n, roots.at, cut_sum, NULL);
    fn_set_roots(fn, roots.at);
}

void ranges(Model *model)
{
    for (int i = 0; i < model->nfns; i++)
        if (model->fns[i]->kind == FN_STEP)
            cut_fn(model->fns[i]);
}
