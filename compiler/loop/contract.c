/* Contractions: every dense layer, convolution, transposed convolution and
 * gradient of one, by the same nest of loops.
 *
 * needs       a kernel whose root contracts
 * guarantees  its body: what is in the lanes as its class says (schedule.c),
 *             tiles and loops as its schedule says (tile.c) */
#include "graph/ops.h"
#include "loop/leaf.h"
#include "loop/tile.h"

#include <string.h>

typedef struct ContractKernel {
    Program *program;
    Kernel *kernel;
    Node *root;
    ContractClass class;
    int lane_var;
    Nest *nest;
    Eval eval;
    Inst *block, *samples; /* of the loop around the reduced ones: of */
                           /* a block so many samples                 */
    Inst *sample;          /* of the innermost loop                   */
    Inst *from;            /* block by block: the range's first step  */
    int pair;              /* of operands, now                        */
    Linear (*address)[2];  /* of each pair, in this phase             */
} ContractKernel;

/* ---- Operands ---------------------------------------------------------------------- */

static bool holds_lane(const ContractKernel *c, int operand)
{
    return c->lane_var >= 0 && c->nest->address[operand].coefficient[c->lane_var] != 0;
}

static Inst *load_operand(ContractKernel *c, int operand, int64_t offset)
{
    Node *from = c->root->in[2 * c->pair + operand], *n = memory_node(c->program, from);
    Inst *index = iadd(nest_base(c->nest, &c->nest->address[operand]), iconst(offset));
    ValueType type = holds_lane(c, operand) ? V_VF32 : V_F32;
    if (c->from)
        index = iadd(index, imul(c->from, c->nest->address[operand].coefficient[c->nest->ranged]));
    if (c->class == CONTRACT_ROWS && holds_lane(c, operand)) {
        Buffer *rows = c->program->rows_by_node[from->id];
        return load(type, rows, iadd(imul(index, LANES), imul(c->sample, LANES)), c->block);
    }
    index = iadd(index, memory_shift(&c->eval, from));
    Buffer *b = c->program->by_node[n->id];
    if (c->class == CONTRACT_ROWS)
        return splat(load(type, b, iadd(imul(index, LANES), c->sample), c->block));
    if (n->shape.batch)
        return load(V_VF32, b, imul(index, LANES), c->block);
    Inst *value = load(type, b, index, NULL);
    return c->class == CONTRACT_FREE && c->lane_var < 0 ? value : splat(value);
}

/* ---- The leaf ------------------------------------------------------------------------ */

/* Registers of a value: of a vector as many as make one, of a splat one. */
static double registers_of(const ContractKernel *c, int which)
{
    const Machine *m = c->program->machine;
    bool samples = c->class != CONTRACT_ROWS && c->root->in[which]->shape.batch;
    return samples || holds_lane(c, which) ? (double)LANES / m->width / c->nest->by.passes : 1;
}

/* Registers that accumulators leave to operands. */
static double room_of(const ContractKernel *c, int outputs)
{
    const Machine *m = c->program->machine;
    bool scalar = c->class == CONTRACT_FREE && c->lane_var < 0;
    return m->usable - outputs * (scalar ? 1 : (double)LANES / m->width / c->nest->by.passes);
}

static Leaf find_products(const ContractKernel *c)
{
    const Nest *nest = c->nest;
    Leaf leaf = {.noutputs = nest_outputs(nest)};
    int64_t offset[MAX_VARS] = {0};
    int step = 0;
    do {
        for (int i = 0; i < leaf.noutputs; i++) {
            Product p = {.output = i, .step = step};
            nest_output(nest, i, offset);
            if (!nest_alive(nest, offset))
                continue;
            for (int which = 0; which < contraction_operands(c->root); which++)
                p.address[which] = nest_offset(nest, &nest->address[which], offset);
            PUSH(leaf.at, leaf.n, leaf.cap, p);
        }
        step++;
    } while (nest_next(nest, offset));
    for (int which = 0; which < contraction_operands(c->root); which++)
        leaf.registers[which] = registers_of(c, which);
    leaf.room = room_of(c, leaf.noutputs);
    return leaf;
}

static Inst *operand(ContractKernel *c, Inst **known, int which, const Product *p)
{
    Inst **value = &known[p->value[which]];
    if (!*value)
        *value = load_operand(c, which, p->address[which]);
    return *value;
}

static void add_products(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    Leaf leaf = find_products(c);
    number_values(&leaf);
    order_products(&leaf);
    Inst **known[2] = {NEW_ARRAY(Inst *, leaf.nvalues[0]), NEW_ARRAY(Inst *, leaf.nvalues[1])};
    for (int i = 0; i < leaf.n; i++) {
        const Product *p = &leaf.at[i];
        for (int which = 0; which < 2 && p->fresh; which++)
            memset(known[which], 0, (size_t)leaf.nvalues[which] * sizeof *known[which]);
        Inst *a = operand(c, known[0], 0, p), **sum = &acc[p->output];
        *sum =
            c->root->nin == 1 ? map2(OP_add, *sum, a) : fma3(a, operand(c, known[1], 1, p), *sum);
    }
}

/* What is in a loop, carried by it. */
static Inst **carried_in(const Inst *loop, int n)
{
    Inst **inside = NEW_ARRAY(Inst *, n);
    for (int i = 0; i < n; i++)
        inside[i] = loop->carried[i];
    return inside;
}

/* Samples [lo, hi), `step` of them in each round. */
static void add_samples(NestEmit *e, Inst *lo, Inst *hi, int64_t step, Inst **acc)
{
    ContractKernel *c = e->arg;
    int n = nest_outputs(e->nest);
    Inst *loop = loop_begin(lo, hi, step, n, acc);
    Inst **inside = carried_in(loop, n);
    for (int64_t i = 0; i < step; i++) {
        c->sample = iadd(loop->index, iconst(i));
        add_products(e, inside);
    }
    loop_end(loop, inside, acc);
}

/* Samples one by one, innermost: then a line of each operand is read at once. */
static void add_block_samples(NestEmit *e, Inst **acc)
{
    enum { UNROLL = 4 };
    const ContractKernel *c = e->arg;
    Inst *full = imul(idiv(c->samples, UNROLL), UNROLL);
    add_samples(e, iconst(0), full, UNROLL, acc);
    add_samples(e, full, c->samples, 1, acc);
}

static void contract_leaf(NestEmit *e, Inst **acc)
{
    const ContractKernel *c = e->arg;
    if (c->class == CONTRACT_ROWS)
        add_block_samples(e, acc);
    else
        add_products(e, acc);
}

/* From now on operands are those of this pair. */
static void enter_pair(ContractKernel *c, int pair)
{
    c->pair = pair;
    memcpy(c->nest->address, c->address[pair], sizeof c->nest->address);
}

/* In a block, pair by pair. */
static void reduce_pairs(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    for (int pair = 0; pair < contraction_pairs(c->root); pair++) {
        enter_pair(c, pair);
        nest_reduce(e, acc);
    }
    enter_pair(c, 0);
}

static Inst *contract_start(NestEmit *e, int which)
{
    const ContractKernel *c = e->arg;
    (void)which;
    bool scalar = c->class == CONTRACT_FREE && c->lane_var < 0;
    return scalar ? fconst(0) : splat(fconst(0));
}

/* ---- Loops over blocks ------------------------------------------------------------------ */

static void enter_block(ContractKernel *c, Inst *block)
{
    Inst *left = iadd(live_count(V_INDEX), imul(block, -LANES));
    c->block = block;
    c->samples = imin(iconst(LANES), left);
}

static void over_blocks(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    int n = nest_outputs(e->nest);
    Inst *lo, *hi;
    block_range(c->program, c->kernel, &lo, &hi);
    Inst *loop = loop_begin(lo, hi, 1, n, acc);
    Inst **inside = carried_in(loop, n);
    enter_block(c, loop->index);
    reduce_pairs(e, inside);
    loop_end(loop, inside, acc);
    c->block = NULL;
}

typedef struct Clear {
    Buffer *buffer;
    Inst *block;
} Clear;

static void clear_vector(Inst *i, void *arg)
{
    const Clear *c = arg;
    ValueType type = c->buffer->element == E_U8 ? V_VI32 : V_VF32;
    Inst *at = imul(i, LANES), *all = load(type, c->buffer, at, c->block);
    store(c->buffer, at, map_select(live_mask(c->block), all, vconst(type, 0)), c->block);
}

static void clear_block(Inst *block, void *arg)
{
    Clear *c = arg;
    int64_t bytes = c->buffer->element == E_U8 ? LANES : 4 * LANES;
    c->block = block;
    for_each(iconst(0), iconst(c->buffer->size / bytes), 1, clear_vector, c);
}

/* Dead lanes of what is summed over lanes become zero where it lies, of the
 * block that is not full: no product needs a mask. Nobody else asks what they
 * are, and threads that share the kernel all write the same. */
static void clear_dead_lanes(const ContractKernel *c)
{
    Inst *lo, *hi;
    block_range(c->program, c->kernel, &lo, &hi);
    lo = imax(lo, idiv(live_count(V_INDEX), LANES));
    for (int i = 0; i < c->root->nin; i++) {
        Node *n = memory_node(c->program, c->root->in[i]);
        Clear clear = {.buffer = c->program->by_node[n->id]};
        if (n->shape.batch)
            for_each(lo, hi, 1, clear_block, &clear);
    }
}

/* ---- Results ------------------------------------------------------------------------------ */

static At output_at(ContractKernel *c, int i, LaneMode mode)
{
    int64_t offset[MAX_VARS] = {0};
    At at = {.mode = mode, .lane = mode == LANE_AXIS ? c->nest->out_rank - 1 : -1};
    nest_output(c->nest, i, offset);
    for (int a = 0; a < c->nest->out_rank; a++)
        at.axis[a] = nest_value(c->nest, &c->nest->out[a], offset);
    return at;
}

static void finish_one(ContractKernel *c, int i, Inst *value, LaneMode mode)
{
    At at = output_at(c, i, mode);
    eval_at(&c->eval, c->root, value);
    eval_stores(&c->eval, &at);
}

static void contract_finish(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    LaneMode mode = c->class == CONTRACT_SAMPLES ? LANE_SAMPLE
                    : c->lane_var >= 0           ? LANE_AXIS
                                                 : LANE_NONE;
    for (int i = 0; i < nest_outputs(e->nest); i++)
        finish_one(c, i, acc[i], mode);
}

static void contract_pool(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    pool_finish(c->nest, &c->eval, acc);
}

/* Sixteen lane sums cost little more than four. */
static void lane_sum_finish(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    int n = nest_outputs(e->nest), i = 0;
    for (; n - i > 3; i += LANES) {
        Inst *group[LANES], *sums;
        for (int k = 0; k < LANES; k++)
            group[k] = acc[i + k < n ? i + k : n - 1];
        sums = lane_sums(group);
        for (int k = 0; k < LANES && i + k < n; k++)
            finish_one(c, i + k, pick(sums, k), LANE_NONE);
    }
    for (; i < n; i++)
        finish_one(c, i, lane_sum(acc[i]), LANE_NONE);
}

/* ---- Block by block ------------------------------------------------------------------------- */

/* Sums so far are in memory, where they are stored again after each block. */
static Inst *sum_index(ContractKernel *c, int i)
{
    const Buffer *sums = c->program->part_by_node[c->root->id];
    At at = output_at(c, i, LANE_AXIS);
    return strided_index(sums->shape.rank, sums->stride, at.axis);
}

static void add_range(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    Buffer *sums = c->program->part_by_node[c->root->id];
    Inst *place = map_convert(iadd(c->block, c->from), T_I32);
    Inst *first = map2(OP_lt, place, vconst(V_I32, 1));
    for (int i = 0; i < nest_outputs(e->nest); i++) {
        Inst *before = load(V_VF32, sums, sum_index(c, i), NULL);
        acc[i] = c->pair ? before : map_select(first, acc[i], before);
    }
    nest_reduce(e, acc);
}

static void store_sums(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    Buffer *sums = c->program->part_by_node[c->root->id];
    for (int i = 0; i < nest_outputs(e->nest); i++)
        store(sums, sum_index(c, i), acc[i], NULL);
}

static void load_sums(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    Buffer *sums = c->program->part_by_node[c->root->id];
    for (int i = 0; i < nest_outputs(e->nest); i++)
        acc[i] = load(V_VF32, sums, sum_index(c, i), NULL);
}

/* The outermost summed variable, in ranges of so many steps that the vectors
 * of a tile fill half of L1: they are there for all tiles that need them. */
static int64_t range_steps(const ContractKernel *c, int v)
{
    const Nest *nest = c->nest;
    int64_t bytes = nest->by.tile[c->lane_var] * LANES * LANES * 4, extent = nest->var[v].extent;
    for (int w = v + 1; w < nest->nvars; w++)
        bytes *= nest->var[w].reduced ? nest->var[w].extent : 1;
    int64_t ranges = (extent * bytes - 1) / (c->program->machine->cache[0] / 2) + 1;
    return ranges < extent ? (extent + ranges - 1) / ranges : 1;
}

static int outermost_sum(const Nest *nest)
{
    int v = 0;
    while (!nest->var[v].reduced || nest->var[v].extent == 1)
        v++;
    return v;
}

static void emit_range(Inst *from, void *arg)
{
    NestEmit *e = arg;
    ContractKernel *c = e->arg;
    Nest *nest = c->nest;
    int64_t extent = nest->var[nest->ranged].extent;
    c->from = from;
    nest->limit = imin(iconst(range_steps(c, nest->ranged)), iadd(iconst(extent), imul(from, -1)));
    nest_emit(e);
    nest->limit = c->from = NULL;
}

static void emit_block(Inst *block, void *arg)
{
    NestEmit *e = arg;
    ContractKernel *c = e->arg;
    Nest *nest = c->nest;
    enter_block(c, block);
    nest->ranged = outermost_sum(nest);
    for (int pair = 0; pair < contraction_pairs(c->root); pair++) {
        enter_pair(c, pair);
        for_each(iconst(0), iconst(nest->var[nest->ranged].extent), range_steps(c, nest->ranged),
                 emit_range, e);
    }
    enter_pair(c, 0);
}

/* All outputs of a block, before the next block; what follows the sums comes
 * after the last. */
static void emit_by_block(NestEmit *e)
{
    ContractKernel *c = e->arg;
    NestEmit sums = *e, rest = *e;
    sums.around = add_range;
    sums.finish = store_sums;
    rest.around = load_sums;
    for_each(iconst(0), block_count(), 1, emit_block, &sums);
    c->block = NULL;
    nest_emit(&rest);
}

/* ---- A kernel ---------------------------------------------------------------- */

static Linear written(const ContractKernel *c)
{
    Linear all = {0};
    if (c->kernel->nstores == 0 || c->kernel->stores[0].buffer->shape.rank != c->nest->out_rank)
        return all;
    for (int i = 0; i < c->nest->out_rank; i++)
        for (int v = 0; v < c->nest->nvars; v++)
            all.coefficient[v] +=
                c->nest->out[i].coefficient[v] * c->kernel->stores[0].buffer->stride[i];
    return all;
}

/* A schedule that is good for large batches costs small ones little, but not
 * the other way round. */
static double expected_blocks(const Program *p, const Kernel *k)
{
    enum { LEAST = 8 };
    int64_t blocks = (p->samples + LANES - 1) / LANES;
    blocks = blocks > LEAST ? blocks : LEAST;
    if (k->kind == KERNEL_CHUNK && p->chunk < blocks)
        blocks = p->chunk;
    return (double)(sums_block_by_block(k->root) ? 1 : blocks) * contraction_pairs(k->root);
}

static Contracted contracted(const ContractKernel *c)
{
    const Program *p = c->program;
    Contracted all = {.machine = p->machine,
                      .nest = c->nest,
                      .class = c->class,
                      .lane_var = c->lane_var,
                      .owner = owned_output(c->kernel),
                      .written = written(c),
                      .blocks = expected_blocks(p, c->kernel),
                      .after = work_after(p, c->kernel)};
    for (int i = 0; i < contraction_operands(c->root); i++) {
        bool lanes = c->class != CONTRACT_ROWS && c->root->in[i]->shape.batch;
        all.vector[i] = lanes || holds_lane(c, i);
        all.bytes[i] = lanes ? 4 * LANES : 4;
    }
    return all;
}

typedef struct EachPhase {
    ContractKernel c;
    int phase;
    PhaseBody *each;
    void *arg;
} EachPhase;

/* Where operand i lies, which ROWS may read from a copy. */
static void address_operand(const ContractKernel *c, int i)
{
    Node *operand = c->root->in[i];
    int64_t offset = 0, stride[MAX_RANK];
    if (is_rows_operand(c->root, i))
        memcpy(stride, c->program->rows_by_node[operand->id]->stride, sizeof stride);
    else
        memory_strides(c->program, operand, &offset, stride);
    nest_address(c->nest, i % 2, &c->root->attr.contraction, operand->shape.rank, offset, stride);
    if (c->lane_var >= 0)
        c->nest->address[i % 2].coefficient[c->lane_var] *= LANES;
}

/* For enter_pair; the lane variable counts vectors. */
static void address_pairs(ContractKernel *c)
{
    c->address = arena_alloc((size_t)contraction_pairs(c->root) * sizeof *c->address);
    for (int i = 0; i < c->root->nin; i++) {
        address_operand(c, i);
        c->address[i / 2][i % 2] = c->nest->address[i % 2];
    }
    enter_pair(c, 0);
}

static void each_phase(Nest *nest, void *arg)
{
    EachPhase *e = arg;
    e->c.nest = nest;
    if (e->c.lane_var >= 0)
        nest_count_vectors(nest, e->c.lane_var);
    address_pairs(&e->c);
    int64_t side[MAX_VARS];
    if (e->c.kernel->pool)
        pool_nest(nest, e->c.kernel->pool, side);
    Contracted all = contracted(&e->c);
    all.side = e->c.kernel->pool ? side : NULL;
    e->each(&all, e->phase++, e->arg);
}

static void phases_of(ContractKernel *c, PhaseBody *each, void *arg)
{
    EachPhase e = {.c = *c, .each = each, .arg = arg};
    Node *root = c->root;
    nest_phases(c->program, root->shape, &root->attr.contraction, root->in[0],
                root->nin > 1 ? root->in[1] : NULL, each_phase, &e);
}

static ContractKernel contract_kernel(Program *p, Kernel *k)
{
    ContractKernel c = {.program = p, .kernel = k, .root = k->root};
    c.class = contract_class(k->root, &c.lane_var);
    return c;
}

void contract_phases(Program *p, Kernel *k, PhaseBody *each, void *arg)
{
    ContractKernel c = contract_kernel(p, k);
    phases_of(&c, each, arg);
}

typedef struct Chosen {
    ContractKernel *c;
    int n;
    Schedule *by;
    int cap;
} Chosen;

/* All phases, before code of the first: they share the units. */
static void choose_phase(const Contracted *all, int phase, void *arg)
{
    Chosen *chosen = arg;
    Kernel *k = chosen->c->kernel;
    Schedule by = phase < k->nby ? k->by[phase] : chosen_schedule(chosen->c->program->choices, all);
    PUSH(chosen->by, chosen->n, chosen->cap, by);
    all->nest->by = by;
    int64_t units = nest_units(all->nest);
    k->units = units > k->units ? units : k->units;
}

static void lower_phase(const Contracted *all, int phase, void *arg)
{
    const Chosen *chosen = arg;
    ContractKernel *c = chosen->c;
    c->nest = all->nest;
    address_pairs(c);
    NestEmit e = {.nest = c->nest,
                  .kernel = c->kernel,
                  .arg = c,
                  .carry = 1,
                  .start = contract_start,
                  .leaf = contract_leaf,
                  .finish = contract_finish};
    c->nest->by = chosen->by[phase];
    if (c->kernel->pool)
        e.finish = contract_pool;
    if (c->class == CONTRACT_LANE_SUM)
        e.finish = lane_sum_finish;
    if (c->class == CONTRACT_ROWS || c->class == CONTRACT_LANE_SUM)
        e.around = over_blocks;
    if (sums_block_by_block(c->root))
        emit_by_block(&e);
    else
        nest_emit(&e);
}

void lower_contraction(Program *p, Kernel *k)
{
    ContractKernel c = contract_kernel(p, k);
    Chosen chosen = {.c = &c};
    phases_of(&c, choose_phase, &chosen);
    c.eval = eval_begin(p, k);
    if (c.class == CONTRACT_LANE_SUM)
        clear_dead_lanes(&c);
    phases_of(&c, lower_phase, &chosen);
}
