/* fuse: groups the nodes of each function into kernels.
 *
 * needs       no OP_gradient; sums over features and batch are two nodes
 * guarantees  every node that costs anything is computed by one kernel, or
 *             inline in the kernels that read it; kernels stand in an order
 *             that respects every read and every write in place, with a
 *             barrier where threads must have met
 *
 * A kernel has one root (a contraction, reduction, window, or elementwise
 * node) and the elementwise nodes of the same space that follow from it:
 * bias, activation, its gradient, the loss, the optimizer.
 *
 *     c = contract(x, w)    y = c + b    m = 0 < y    r = select(m, y, 0)
 *     becomes one kernel with root c that stores m and r. */
#include "graph/fuse.h"

#include <string.h>

#include "loop/lower.h"

/* ---- What needs no kernel ------------------------------------------------- */

static bool is_leaf(const Node *n)
{
    return n->op == OP_var || n->op == OP_input || n->op == OP_iota || n->op == OP_live ||
           n->op == OP_random || n->op == OP_place || n->op == OP_time || n->op == OP_history ||
           (n->op == OP_const && !n->attr.constant.data);
}

/* A number that every sample and thread can work out for itself. */
static bool is_uniform(const Fusion *f, const Node *n)
{
    if (n->shape.batch || n->shape.rank > 0 || !op_is_map(n->op))
        return false;
    for (int i = 0; i < n->nin; i++) {
        const Node *in = n->in[i];
        bool plain = in->op == OP_live || in->op == OP_time ||
                     (in->op == OP_const && !in->attr.constant.data);
        if (!plain && !f->inlined[in->id])
            return false;
    }
    return true;
}

static bool is_reduction(Op op)
{
    return op == OP_reduce_sum || op == OP_reduce_max;
}

static bool reduces_batch(const Node *n)
{
    return is_reduction(n->op) && n->attr.axes[MAX_RANK];
}

/* Cheap enough to be done again wherever it is read: a change of sign or
 * type, and a little arithmetic on what is in memory anyway. */
static bool is_cheap(const Fusion *f, const Node *n)
{
    if (n->op == OP_neg || n->op == OP_not || n->op == OP_convert)
        return true;
    if (n->op != OP_add && n->op != OP_mul && n->op != OP_lt && n->op != OP_le)
        return false;
    for (int i = 0; i < n->nin; i++) {
        const Node *in = view_base(n->in[i]);
        if (!is_leaf(in) && !(f->inlined[in->id] && in->nin == 1))
            return false;
        if (in->op == OP_random)
            return false;
    }
    return true;
}

/* What only reductions over features read is worked out inside them. */
static void find_inlined(Fusion *f)
{
    bool *other = NEW_ARRAY(bool, f->program->nnodes);
    bool *read = NEW_ARRAY(bool, f->program->nnodes);
    bool *kept = NEW_ARRAY(bool, f->program->nnodes);
    for (int i = 0; i < f->fn->noutputs; i++)
        kept[f->fn->outputs[i]->id] = other[f->fn->outputs[i]->id] = true;
    for (int i = 0; i < f->fn->nupdates; i++)
        kept[f->fn->values[i]->id] = other[f->fn->values[i]->id] = true;
    for (int i = f->nodes.n; i-- > 0;) {
        Node *n = f->nodes.at[i];
        bool passes = op_is_map(n->op) || op_is_view(n->op);
        f->inlined[n->id] = passes && read[n->id] && !other[n->id];
        bool inside = (is_reduction(n->op) && !reduces_batch(n)) || f->inlined[n->id];
        for (int k = 0; k < n->nin; k++)
            (inside ? read : other)[n->in[k]->id] = true;
    }
    for (int i = 0; i < f->nodes.n; i++) {
        Node *n = f->nodes.at[i];
        if (op_is_view(n->op))
            f->inlined[n->id] = false;
        bool plain = op_is_map(n->op) && !op_is_view(n->op) && !kept[n->id];
        if (plain && (is_uniform(f, n) || is_cheap(f, n)))
            f->inlined[n->id] = true;
    }
}

/* ---- What must be in memory ---------------------------------------------------- */

static bool takes_element(const Node *n)
{
    while (op_is_view(n->op) && n->op != OP_element)
        n = n->in[0];
    return n->op == OP_element;
}

/* Contractions go to elements of sequences where they lie. */
static bool takes_address(const Node *n)
{
    return n->op == OP_contract;
}

/* An operand needs a buffer and an affine address in it: else it is copied. */
static void force_operand(Fusion *f, Node *n, bool by_address)
{
    int64_t offset, stride[MAX_RANK];
    Node *base = view_base(n);
    bool leaf = is_leaf(base) && base->op != OP_var && base->op != OP_input &&
                (base->op != OP_history || !by_address);
    if (n == base && f->inlined[n->id])
        f->inlined[n->id] = false;
    else if (leaf || f->inlined[base->id] || !view_strides(n, &offset, stride) ||
             (!by_address && takes_element(n)))
        f->forced[n->id] = true;
}

static bool needs_operands(const Node *n)
{
    if (op_is_map(n->op) || op_is_view(n->op))
        return false;
    return !is_reduction(n->op) || (n->in[0]->shape.batch && !n->shape.batch);
}

Node *reshaped_result(const Fusion *f, Node *n)
{
    Node *base = n;
    while (base->op == OP_reshape)
        base = base->in[0];
    bool computed = !is_leaf(base) && !op_is_view(base->op) && !f->inlined[base->id];
    return base != n && computed && (base->shape.batch || is_natural(base)) ? base : NULL;
}

static void force_result(Fusion *f, Node *n)
{
    bool elsewhere = n->op == OP_var || n->op == OP_input;
    if (reshaped_result(f, n))
        return;
    if (op_is_view(n->op) || (is_leaf(n) && n->op != OP_const && !elsewhere))
        f->forced[n->id] = true;
}

/* An emit of which there is no result: nobody reads it, or not from there. */
static bool is_idle_emit(const Fusion *f, const Node *n, int operand)
{
    int carried = n->attr.scan.carried;
    if (n->op != OP_scan || operand < 2 * carried)
        return false;
    for (int i = 0; i < f->nodes.n; i++) {
        const Node *r = f->nodes.at[i];
        if (r->op == OP_result && r->in[0] == n && r->attr.scan.index == operand - carried)
            return false;
    }
    return true;
}

/* Decided before any node is placed, so that all its readers agree on where
 * a value comes from. */
static void find_forced(Fusion *f)
{
    for (int i = 0; i < f->nodes.n; i++) {
        Node *n = f->nodes.at[i];
        for (int k = 0; k < n->nin && needs_operands(n); k++)
            if ((n->in[k]->shape.rank > 0 || n->op == OP_contract) && !is_idle_emit(f, n, k))
                force_operand(f, n->in[k], takes_address(n));
    }
    for (int i = 0; i < f->fn->noutputs; i++) {
        force_result(f, f->fn->outputs[i]);
        if (f->fn->outputs[i]->op == OP_const)
            f->forced[f->fn->outputs[i]->id] = !f->fn->outputs[i]->attr.constant.data;
    }
    for (int i = 0; i < f->fn->nupdates; i++)
        force_result(f, f->fn->values[i]);
}

/* ---- Dependencies ---------------------------------------------------------- */

static void add_once(NodeList *list, int *cap, Node *n)
{
    for (int i = 0; i < list->n; i++)
        if (list->at[i] == n)
            return;
    PUSH(list->at, list->n, *cap, n);
}

static void add_sources(const Fusion *f, Node *n, NodeList *list, int *cap)
{
    if (f->program->kernel_of[n->id] >= 0 || n->op == OP_var) {
        add_once(list, cap, n);
    } else if (op_is_view(n->op) || f->inlined[n->id]) {
        for (int i = 0; i < n->nin; i++)
            add_sources(f, n->in[i], list, cap);
    }
}

NodeList sources_of(const Fusion *f, const Node *n)
{
    NodeList list = {0};
    int cap = 0;
    for (int i = 0; i < n->nin; i++)
        add_sources(f, n->in[i], &list, &cap);
    return list;
}

bool in_loop(const Program *p, int loop, int outer)
{
    while (loop >= 0 && loop != outer)
        loop = p->scans[loop].outer;
    return loop == outer;
}

int outermost_loop(const Program *p, int loop)
{
    while (loop >= 0 && p->scans[loop].outer >= 0)
        loop = p->scans[loop].outer;
    return loop;
}

static bool depends_on(const Program *p, int k, int target, bool *seen);

/* A loop runs as a whole: each kernel of it after all that any of it needs. */
static bool loop_depends_on(const Program *p, int loop, int target, bool *seen)
{
    for (int k = 0; k < p->nkernels; k++)
        if (p->kernels[k]->scan >= 0 && in_loop(p, p->kernels[k]->scan, loop) &&
            depends_on(p, k, target, seen))
            return true;
    return false;
}

static bool depends_on(const Program *p, int k, int target, bool *seen)
{
    if (k == target)
        return true;
    if (seen[k])
        return false;
    seen[k] = true;
    const Kernel *kernel = p->kernels[k];
    for (int i = 0; i < kernel->ndeps; i++)
        if (depends_on(p, kernel->deps[i], target, seen))
            return true;
    int loop = outermost_loop(p, kernel->scan), own = outermost_loop(p, p->kernels[target]->scan);
    return loop >= 0 && loop != own && loop_depends_on(p, loop, target, seen);
}

bool reaches(const Program *p, int from, int target)
{
    return depends_on(p, from, target, NEW_ARRAY(bool, p->nkernels));
}

void add_dep(Program *p, int kernel, int on)
{
    Kernel *k = p->kernels[kernel];
    if (kernel == on)
        return;
    for (int i = 0; i < k->ndeps; i++)
        if (k->deps[i] == on)
            return;
    PUSH(k->deps, k->ndeps, k->deps_cap, on);
}

void add_deps(Fusion *f, int kernel, const Node *n)
{
    NodeList sources = sources_of(f, n);
    for (int i = 0; i < sources.n; i++)
        if (sources.at[i]->op != OP_var)
            add_dep(f->program, kernel, f->program->kernel_of[sources.at[i]->id]);
}

/* ---- Kernels ---------------------------------------------------------------- */

Kernel *new_kernel(Fusion *f, KernelForm form, Node *root, Shape space)
{
    Program *p = f->program;
    Kernel *k = NEW(Kernel);
    k->form = form;
    k->root = root;
    k->space = space;
    k->kind = space.batch ? KERNEL_BLOCK : KERNEL_UNIT;
    k->pos = root->pos;
    k->layer = root->layer;
    k->scan = f->level[root->id];
    k->id = p->nkernels;
    k->units = 1;
    PUSH(p->kernels, p->nkernels, p->kernels_cap, k);
    return k;
}

static void put_in(Fusion *f, int kernel, Node *n)
{
    Kernel *k = f->program->kernels[kernel];
    add_deps(f, kernel, n);
    PUSH(k->nodes, k->nnodes, k->nodes_cap, n);
    f->program->kernel_of[n->id] = kernel;
}

Kernel *kernel_for(Fusion *f, KernelForm form, Node *n)
{
    Kernel *k = new_kernel(f, form, n, n->shape);
    put_in(f, k->id, n);
    return k;
}

/* ---- Joining a kernel ---------------------------------------------------------- */

/* Is every way from n to values of kernel k element by element? */
static bool elementwise_from(const Fusion *f, const Node *n, int k)
{
    for (int i = 0; i < n->nin; i++) {
        Node *in = n->in[i];
        bool flat = true;
        while (op_is_view(in->op) && f->program->kernel_of[in->id] < 0) {
            flat =
                flat && (in->op == OP_stop_gradient || (in->op == OP_reshape && in->shape.batch));
            in = in->in[0];
        }
        if (f->program->kernel_of[in->id] == k && !flat)
            return false;
        if (f->inlined[in->id] && !elementwise_from(f, in, k))
            return false;
    }
    return true;
}

/* After these roots the lanes are gone or the order of elements is odd. */
static bool takes_followers(const Kernel *k)
{
    int lane_var;
    if (k->form == FORM_LOAD || k->form == FORM_COPY || k->form == FORM_ROWS ||
        k->form == FORM_JOIN || k->form == FORM_ORTHOGONAL || k->form == FORM_INDEX)
        return false;
    if (k->form == FORM_CONTRACT)
        return contract_class(k->root, &lane_var) != CONTRACT_LANE_SUM;
    if (k->form == FORM_REDUCE && k->kind == KERNEL_UNIT && reduces_batch(k->root))
        return k->space.rank <= 1;
    return true;
}

static bool may_join(Fusion *f, Node *n, int k, const NodeList *sources)
{
    Program *p = f->program;
    const Kernel *kernel = p->kernels[k];
    bool same =
        shape_equal(n->shape, kernel->space) || (n->shape.batch && kernel->space.batch &&
                                                 shape_size(n->shape) == shape_size(kernel->space));
    if (!same || kernel->scan != f->level[n->id] || !takes_followers(kernel) ||
        !elementwise_from(f, n, k))
        return false;
    if (!shape_equal(n->shape, kernel->space) && !reads_by_flat(f, n))
        return false;
    if (kernel->form != FORM_MAP && kernel->kind == KERNEL_UNIT && n->shape.rank > 0 &&
        !lanes_fit(p, kernel, n, n->shape.rank - 1))
        return false;
    for (int i = 0; i < sources->n; i++) {
        int other = p->kernel_of[sources->at[i]->id];
        if (other >= 0 && other != k && reaches(p, other, k))
            return false;
    }
    return true;
}

static bool shares_source(Fusion *f, const Kernel *k, const NodeList *sources)
{
    for (int i = 0; i < k->nnodes; i++) {
        NodeList theirs = sources_of(f, k->nodes[i]);
        for (int a = 0; a < theirs.n; a++)
            for (int b = 0; b < sources->n; b++)
                if (theirs.at[a] == sources->at[b])
                    return true;
    }
    return false;
}

/* The latest kernel of a source that takes n, else an elementwise one that
 * reads what n reads or, in a loop, any: each pass over elements costs there. */
static int find_kernel(Fusion *f, Node *n)
{
    Program *p = f->program;
    NodeList sources = sources_of(f, n);
    int best = -1;
    for (int i = 0; i < sources.n; i++) {
        int k = p->kernel_of[sources.at[i]->id];
        if (k > best && may_join(f, n, k, &sources))
            best = k;
    }
    for (int k = p->nkernels; best < 0 && k-- > 0;)
        if (p->kernels[k]->form == FORM_MAP && shape_equal(p->kernels[k]->space, n->shape) &&
            (f->level[n->id] >= 0 || shares_source(f, p->kernels[k], &sources)) &&
            may_join(f, n, k, &sources))
            best = k;
    return best;
}

/* ---- Placing each node -------------------------------------------------------------- */

/* ROWS wants the operand in its lanes with the samples apart. */
static void place_rows(Fusion *f, Node *operand)
{
    Program *p = f->program;
    if (f->rows_kernel[operand->id] >= 0)
        return;
    Kernel *k = new_kernel(f, FORM_ROWS, operand, operand->shape);
    f->rows_kernel[operand->id] = k->id;
    if (p->kernel_of[operand->id] >= 0)
        add_dep(p, k->id, p->kernel_of[operand->id]);
    else
        add_deps(f, k->id, operand);
}

/* A sum over the batch is taken chunk by chunk where a block's operands
 * outweigh the result: they are then read while they are in the caches and
 * need not wait for the end of the batch. Where the result is larger, writing
 * and reading it for each chunk would cost more than that. */
static bool sums_by_chunk(const Fusion *f, const Node *n, ContractClass class)
{
    int64_t operands = 0;
    for (int i = 0; i < n->nin; i++)
        operands += n->in[i]->shape.batch ? shape_size(n->in[i]->shape) * LANES : 0;
    return class == CONTRACT_LANE_SUM && operands >= shape_size(n->shape) && f->level[n->id] < 0;
}

/* Kernel k makes the chunks' parts of n; n is what joins them. */
static void place_join(Fusion *f, Kernel *k, Node *n)
{
    Kernel *join = new_kernel(f, FORM_JOIN, n, n->shape);
    k->kind = KERNEL_CHUNK;
    join->kind = KERNEL_JOIN;
    add_dep(f->program, join->id, k->id);
    f->program->kernel_of[n->id] = join->id;
}

static void place_contraction(Fusion *f, Node *n)
{
    int lane_var;
    ContractClass class = contract_class(n, &lane_var);
    for (int i = 0; i < n->nin; i++)
        if (is_rows_operand(n, i))
            place_rows(f, n->in[i]);
    Kernel *k = kernel_for(f, FORM_CONTRACT, n);
    if (sums_by_chunk(f, n, class))
        place_join(f, k, n);
    for (int i = 0; i < n->nin; i++)
        if (is_rows_operand(n, i))
            add_dep(f->program, k->id, f->rows_kernel[n->in[i]->id]);
    k->flops = contraction_flops(n);
}

/* max pooling: the largest value comes with its place. */
static bool place_beside_argmax(Fusion *f, Node *n)
{
    Node *index = n->in[1];
    int k = f->program->kernel_of[index->id];
    if (n->op != OP_window_gather || index->op != OP_window_argmax || index->in[0] != n->in[0] ||
        memcmp(&index->attr.window, &n->attr.window, sizeof(Window)))
        return false;
    put_in(f, k, n);
    return true;
}

/* Elements in no window are not computed. */
static double pooled_flops(const Node *root, const Node *pool)
{
    Node some = *root;
    for (int i = 0; i < root->shape.rank; i++)
        if (pool->attr.window.size[i] > 1)
            some.attr.contraction.extent[root->attr.contraction.map[0][i].var[0]] =
                pool->shape.dim[i] * pool->attr.window.size[i];
    return contraction_flops(&some);
}

static bool place_in_contraction(Fusion *f, Node *n)
{
    int number = pooling_kernel(f, n);
    if (number < 0)
        return false;
    Kernel *k = f->program->kernels[number];
    put_in(f, number, n);
    k->pool = n;
    k->space = n->shape;
    k->flops = pooled_flops(k->root, n);
    return true;
}

static void place_window(Fusion *f, Node *n)
{
    bool argmax = n->op == OP_window_argmax;
    if (argmax ? !place_in_contraction(f, n) : !place_beside_argmax(f, n))
        kernel_for(f, FORM_WINDOW, n);
}

static void place_map(Fusion *f, Node *n)
{
    int k = find_kernel(f, n);
    if (k >= 0)
        put_in(f, k, n);
    else
        kernel_for(f, FORM_MAP, n);
}

/* The elementwise kernel that computes all parts of a concatenation, or -1. */
static int kernel_of_parts(const Fusion *f, const Node *n)
{
    const Program *p = f->program;
    int k = p->kernel_of[n->in[0]->id];
    for (int i = 0; i < n->nin; i++)
        if (p->kernel_of[n->in[i]->id] != k || op_is_view(n->in[i]->op))
            return -1;
    bool maps = k >= 0 && p->kernels[k]->form == FORM_MAP && p->kernels[k]->kind == KERNEL_BLOCK;
    return maps && p->kernels[k]->scan == f->level[n->id] ? k : -1;
}

/* It puts them together as it writes them. */
static bool place_beside_parts(Fusion *f, Node *n)
{
    int k = n->op == OP_concatenate ? kernel_of_parts(f, n) : -1;
    if (k < 0)
        return false;
    f->program->kernel_of[n->id] = k;
    f->program->by_node[n->id] = new_buffer(f, n, IN_BLOCK, false);
    store_parts(f->program->kernels[k], n, f->program->by_node[n->id], NULL);
    return true;
}

static void place(Fusion *f, Node *n)
{
    if (n->op == OP_scan)
        place_scan(f, n);
    else if (n->op == OP_result || n->op == OP_history) /* by their scan */
        return;
    else if (f->forced[n->id])
        kernel_for(f, FORM_MAP, n);
    else if (is_leaf(n) || op_is_view(n->op) || f->inlined[n->id])
        return;
    else if (op_is_map(n->op))
        place_map(f, n);
    else if (is_reduction(n->op))
        kernel_for(f, FORM_REDUCE, n);
    else if (n->op == OP_contract)
        place_contraction(f, n);
    else if (n->op == OP_window_argmax || n->op == OP_window_gather || n->op == OP_window_scatter)
        place_window(f, n);
    else if (n->op == OP_orthogonal)
        kernel_for(f, FORM_ORTHOGONAL, n);
    else if (n->op == OP_gather_rows || n->op == OP_scatter_add_rows)
        kernel_for(f, FORM_INDEX, n);
    else if (!place_beside_parts(f, n))
        kernel_for(f, FORM_COPY, n);
}

/* ---- One function ------------------------------------------------------------ */

static NodeList all_nodes(const Fn *fn)
{
    int n = fn->noutputs + fn->nupdates;
    Node **roots = NEW_ARRAY(Node *, n);
    for (int i = 0; i < n; i++)
        roots[i] = i < fn->noutputs ? fn->outputs[i] : fn->values[i - fn->noutputs];
    return graph_reach(n, roots);
}

static int highest_id(const NodeList *nodes, const Fn *fn)
{
    int id = 0;
    for (int i = 0; i < nodes->n; i++)
        id = nodes->at[i]->id > id ? nodes->at[i]->id : id;
    for (int i = 0; i < fn->nupdates; i++)
        id = fn->targets[i]->node->id > id ? fn->targets[i]->node->id : id;
    for (int i = 0; i < fn->ninputs; i++)
        id = fn->inputs[i]->id > id ? fn->inputs[i]->id : id;
    return id;
}

/* `a = b` between vars: a node of its own, so that it can wait. */
static void copy_vars(Fn *fn)
{
    for (int i = 0; i < fn->nupdates; i++)
        if (fn->values[i]->op == OP_var)
            fn->values[i] = graph_op1(OP_stop_gradient, fn->values[i]);
}

static void fuse_fn(Fn *fn)
{
    copy_vars(fn);
    Program *p = NEW(Program);
    fn->program = p;
    p->fn = fn;
    open_scans(p);
    Fusion f = {.fn = fn, .program = p, .nodes = all_nodes(fn)};
    p->nnodes = highest_id(&f.nodes, fn) + 1;
    p->by_node = NEW_ARRAY(Buffer *, p->nnodes);
    p->rows_by_node = NEW_ARRAY(Buffer *, p->nnodes);
    p->part_by_node = NEW_ARRAY(Buffer *, p->nnodes);
    p->kernel_of = NEW_ARRAY(int, p->nnodes);
    f.rows_kernel = NEW_ARRAY(int, p->nnodes);
    f.inlined = NEW_ARRAY(bool, p->nnodes);
    f.forced = NEW_ARRAY(bool, p->nnodes);
    memset(p->kernel_of, -1, sizeof(int) * (size_t)p->nnodes);
    memset(f.rows_kernel, -1, sizeof(int) * (size_t)p->nnodes);
    f.level = loop_levels(p, f.nodes);
    make_inputs(&f);
    find_inlined(&f);
    find_forced(&f);
    for (int i = 0; i < f.nodes.n; i++)
        place(&f, f.nodes.at[i]);
    keep_values(&f);
    choose_layouts(&f);
    choose_spreads(&f);
    order_kernels(&f);
}

void fuse(Model *model)
{
    for (int i = 0; i < model->nfns; i++)
        fuse_fn(model->fns[i]);
}
