/* keep: the second part of fuse(), what goes to memory.
 *
 * A value is kept where another kernel, an output or an update reads it; all
 * else lives in registers. An update is written in place by the kernel that
 * computes it where every reader of the old value can go before; otherwise
 * the new value waits in a buffer of its own. */
#include "graph/fuse.h"
#include "loop/lower.h"

/* ---- Buffers ---------------------------------------------------------------------------- */

/* Places in a window are bytes in memory where that is enough. */
static bool fits_byte(const Fusion *f, const Node *n)
{
    int64_t taps = 1;
    for (int i = 0; i < n->shape.rank && n->op == OP_window_argmax; i++)
        taps *= n->attr.window.size[i];
    for (int i = 0; i < f->fn->noutputs; i++)
        if (f->fn->outputs[i] == n)
            return false;
    return n->op == OP_window_argmax && taps <= 256;
}

void set_size(Buffer *b, int64_t values)
{
    b->size = (values * (b->element == E_U8 ? 1 : 4) + 63) / 64 * 64;
}

/* Strides where the last axis is in whole vectors; returns the elements. */
static int64_t pad_rows(Buffer *b)
{
    int64_t count = 1;
    for (int i = b->shape.rank; i-- > 0;) {
        b->stride[i] = count;
        count *= i == b->shape.rank - 1 ? (b->shape.dim[i] + LANES - 1) / LANES * LANES
                                        : b->shape.dim[i];
    }
    return count;
}

Buffer *new_buffer(Fusion *f, Node *n, BufferSpace space, bool rows)
{
    Program *p = f->program;
    Buffer *b = NEW(Buffer);
    int64_t elements = shape_size(n->shape);
    b->space = space;
    b->rows = rows;
    b->shape = n->shape;
    b->node = n;
    b->element = n->type == T_BOOL || fits_byte(f, n) ? E_U8 : n->type == T_I32 ? E_I32 : E_F32;
    int64_t count = storage_of(n->shape, b->stride);
    if (space == IN_BLOCK || n->op == OP_input)
        for (int64_t i = n->shape.rank - 1, s = 1; i >= 0; s *= n->shape.dim[i--])
            b->stride[i] = s;
    if (space == IN_BLOCK)
        count = (rows ? pad_rows(b) : elements) * LANES;
    set_size(b, count);
    b->id = p->nbuffers;
    b->name = format("%s%s.%d", op_name[n->op], rows ? ".rows" : "", n->id);
    PUSH(p->buffers, p->nbuffers, p->buffers_cap, b);
    return b;
}

static Buffer *var_buffer(Fusion *f, Var *var)
{
    Node *n = var->node;
    if (!f->program->by_node[n->id]) {
        Buffer *b = new_buffer(f, n, IN_FIXED, false);
        b->var = var;
        b->name = var->name;
        f->program->by_node[n->id] = b;
    }
    return f->program->by_node[n->id];
}

static void add_store(Kernel *k, Store s)
{
    for (int i = 0; i < k->nstores; i++) {
        const Store *o = &k->stores[i];
        if (o->node == s.node && o->buffer == s.buffer && o->slot == s.slot && o->part == s.part &&
            o->axis == s.axis && o->start == s.start)
            return;
    }
    PUSH(k->stores, k->nstores, k->stores_cap, s);
}

void store_in(Kernel *k, Node *n, Buffer *b, Node *slot)
{
    add_store(k, (Store){n, b, slot, false, 0, 0});
}

void store_parts(Kernel *k, Node *n, Buffer *b, Node *slot)
{
    int64_t start = 0;
    for (int i = 0; i < n->nin; i++) {
        add_store(k, (Store){n->in[i], b, slot, true, n->attr.axis, start});
        start += n->in[i]->shape.dim[n->attr.axis];
    }
}

void keep(Fusion *f, Node *n)
{
    Program *p = f->program;
    int k = p->kernel_of[n->id];
    if (k < 0 || p->by_node[n->id])
        return;
    p->by_node[n->id] = new_buffer(f, n, n->shape.batch ? IN_BLOCK : IN_FIXED, false);
    store_in(p->kernels[k], n, p->by_node[n->id], NULL);
}

/* What kernel `reader` (-1: an inlined node) reads of other kernels. */
static void keep_sources(Fusion *f, const Node *n, int reader)
{
    NodeList sources = sources_of(f, n);
    for (int i = 0; i < sources.n; i++) {
        Node *s = sources.at[i];
        if (s->op == OP_var)
            var_buffer(f, s->attr.var);
        else if (f->program->kernel_of[s->id] != reader)
            keep(f, s);
    }
}

static void keep_reads(Fusion *f)
{
    Program *p = f->program;
    for (int k = 0; k < p->nkernels; k++) {
        Kernel *kernel = p->kernels[k];
        for (int i = 0; i < kernel->nnodes; i++)
            keep_sources(f, kernel->nodes[i], k);
        if (kernel->kind == KERNEL_CHUNK) {
            p->part_by_node[kernel->root->id] = new_buffer(f, kernel->root, IN_PART, false);
            store_in(kernel, kernel->root, p->part_by_node[kernel->root->id], NULL);
        }
        if (kernel->form == FORM_ROWS) {
            Node *root = kernel->root;
            keep(f, memory_node(p, root));
            p->rows_by_node[root->id] = new_buffer(f, root, IN_BLOCK, true);
            store_in(kernel, root, p->rows_by_node[root->id], NULL);
        }
        if (kernel->form == FORM_CONTRACT && sums_block_by_block(kernel->root))
            p->part_by_node[kernel->root->id] = new_buffer(f, kernel->root, IN_FIXED, false);
    }
}

/* A kernel without a body stands for the runtime that fills the inputs. */
void make_inputs(Fusion *f)
{
    Program *p = f->program;
    if (f->fn->ninputs == 0)
        return;
    Kernel *k = new_kernel(f, FORM_LOAD, f->fn->inputs[0], f->fn->inputs[0]->shape);
    k->load_inputs = true;
    p->input_buffers = NEW_ARRAY(Buffer *, f->fn->ninputs);
    for (int i = 0; i < f->fn->ninputs; i++) {
        Node *n = f->fn->inputs[i];
        Buffer *b = new_buffer(f, n, n->shape.batch ? IN_BLOCK : IN_FIXED, false);
        b->name = f->fn->input_names[i];
        p->input_buffers[i] = b;
        p->by_node[n->id] = b;
        p->kernel_of[n->id] = k->id;
    }
}

/* ---- Outputs and updates ----------------------------------------------------- */

/* The buffer of an output: its own, a var's, an input's, or a copy's. */
static Buffer *output_buffer(Fusion *f, Node *n)
{
    Program *p = f->program;
    if (n->op == OP_var)
        return var_buffer(f, n->attr.var);
    Node *base = reshaped_result(f, n);
    n = base ? base : n;
    keep(f, n);
    if (!p->by_node[n->id])
        die("output %d of %s is computed nowhere", n->id, f->fn->name);
    return p->by_node[n->id];
}

static bool reads_through(const Fusion *f, const Node *n, const Var *var)
{
    NodeList sources = sources_of(f, n);
    for (int i = 0; i < sources.n; i++)
        if (sources.at[i] == var->node)
            return true;
    return false;
}

static bool reads_var(const Fusion *f, const Kernel *k, const Var *var)
{
    for (int i = 0; i < k->nnodes; i++)
        if (reads_through(f, k->nodes[i], var))
            return true;
    return false;
}

/* Does n read the var other than element by element? */
static bool reads_elsewhere(const Fusion *f, const Node *n, const Var *var)
{
    for (int i = 0; i < n->nin; i++) {
        Node *in = n->in[i];
        bool inlined = f->inlined[in->id] && f->program->kernel_of[in->id] < 0;
        if (in == var->node      ? !op_is_map(n->op)
            : op_is_view(in->op) ? reads_through(f, in, var)
                                 : inlined && reads_elsewhere(f, in, var))
            return true;
    }
    return false;
}

/* Does k read the var only at the element that it is about to write? */
static bool reads_in_place(const Fusion *f, const Kernel *k, const Var *var)
{
    for (int i = 0; i < k->nnodes; i++)
        if (reads_elsewhere(f, k->nodes[i], var))
            return false;
    return k->form == FORM_MAP || k->form == FORM_CONTRACT || k->form == FORM_REDUCE;
}

/* Every reader of the old value goes before `writer`; false: impossible. */
static bool order_after_readers(Fusion *f, int writer, const Var *var)
{
    Program *p = f->program;
    int before = p->kernels[writer]->ndeps;
    for (int k = 0; k < p->nkernels; k++) {
        if (k == writer || !reads_var(f, p->kernels[k], var))
            continue;
        if (reaches(p, k, writer)) {
            p->kernels[writer]->ndeps = before;
            return false;
        }
        add_dep(p, writer, k);
    }
    return true;
}

static bool update_in_place(Fusion *f, Var *var, Node *value)
{
    Program *p = f->program;
    int k = p->kernel_of[value->id];
    if (k < 0 || value->shape.batch || !shape_equal(value->shape, var->shape))
        return false;
    Kernel *kernel = p->kernels[k];
    if (kernel->kind == KERNEL_JOIN) /* later chunks read the var */
        return false;
    bool own = reads_var(f, kernel, var);
    if (own && (!reads_in_place(f, kernel, var) || !shape_equal(kernel->space, var->shape) ||
                kernel->root == NULL))
        return false;
    if (!order_after_readers(f, k, var))
        return false;
    store_in(kernel, value, var_buffer(f, var), NULL);
    return true;
}

/* The value waits in a buffer of its own until everybody has read. */
static void update_by_copy(Fusion *f, Var *var, Node *value)
{
    Program *p = f->program;
    keep(f, value);
    Kernel *copy = new_kernel(f, FORM_MAP, value, var->shape);
    PUSH(copy->nodes, copy->nnodes, copy->nodes_cap, value);
    if (p->kernel_of[value->id] >= 0)
        add_dep(p, copy->id, p->kernel_of[value->id]);
    else
        add_deps(f, copy->id, value);
    store_in(copy, value, var_buffer(f, var), NULL);
}

static void place_updates(Fusion *f)
{
    bool *late = NEW_ARRAY(bool, f->fn->nupdates);
    for (int i = 0; i < f->fn->nupdates; i++) {
        var_buffer(f, f->fn->targets[i]);
        late[i] = !update_in_place(f, f->fn->targets[i], f->fn->values[i]);
    }
    int first = f->program->nkernels;
    for (int i = 0; i < f->fn->nupdates; i++)
        if (late[i])
            update_by_copy(f, f->fn->targets[i], f->fn->values[i]);
    for (int k = first; k < f->program->nkernels; k++)
        for (int j = 0; j < f->fn->nupdates; j++)
            if (f->program->kernels[k]->stores[0].buffer->var == f->fn->targets[j])
                if (!order_after_readers(f, k, f->fn->targets[j]))
                    die("an update of %s cannot be ordered", f->fn->targets[j]->name);
}

void keep_values(Fusion *f)
{
    Program *p = f->program;
    keep_reads(f);
    p->output_buffers = NEW_ARRAY(Buffer *, f->fn->noutputs);
    for (int i = 0; i < f->fn->noutputs; i++)
        p->output_buffers[i] = output_buffer(f, f->fn->outputs[i]);
    place_updates(f);
}
