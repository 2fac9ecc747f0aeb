/* Contractions: every dense layer, convolution, transposed convolution and
 * gradient of one, by the same nest of loops.
 *
 * The class (schedule.c) says what is in the lanes; here tiles are chosen:
 * 10 to 20 accumulators, so that the latency of a multiply-add is hidden and
 * nothing spills. The order of a sum never depends on the tile. */
#include "loop/lower.h"

typedef struct ContractKernel {
    Program *program;
    Kernel *kernel;
    Node *root;
    ContractClass class;
    int lane_var;
    Nest *nest;
    Eval eval;
    Inst *block, *sample, *mask; /* of loops around the reduced ones */
} ContractKernel;

/* ---- Operands ---------------------------------------------------------------------- */

enum { MAX_KNOWN = 512 };

/* Operands already loaded in this leaf, by their constant part. */
typedef struct Known {
    int n;
    int64_t at[MAX_KNOWN];
    Inst *value[MAX_KNOWN];
} Known;

static bool holds_lane(const ContractKernel *c, int operand)
{
    return c->lane_var >= 0 && c->nest->address[operand].coefficient[c->lane_var] != 0;
}

static Inst *load_operand(ContractKernel *c, int operand, int64_t offset)
{
    Node *n = memory_node(c->program, c->root->in[operand]);
    Inst *index = iadd(nest_base(c->nest, &c->nest->address[operand]), iconst(offset));
    ValueType type = holds_lane(c, operand) ? V_VF32 : V_F32;
    if (c->class == CONTRACT_ROWS) {
        Buffer *rows = c->program->rows_by_node[n->id];
        int64_t row = rows->size / 4 / LANES;
        return splat(load(type, rows, iadd(imul(c->sample, row), index), c->block));
    }
    Buffer *b = c->program->by_node[n->id];
    if (n->shape.batch)
        return load(V_VF32, b, imul(index, LANES), c->block);
    Inst *value = load(type, b, index, NULL);
    return c->class == CONTRACT_FREE && c->lane_var < 0 ? value : splat(value);
}

static Inst *operand(ContractKernel *c, Known *known, int which, const int64_t *offset)
{
    int64_t at = nest_offset(c->nest, &c->nest->address[which], offset);
    for (int i = 0; i < known->n; i++)
        if (known->at[i] == at)
            return known->value[i];
    Inst *value = load_operand(c, which, at);
    if (known->n < MAX_KNOWN) {
        known->at[known->n] = at;
        known->value[known->n++] = value;
    }
    return value;
}

/* ---- The leaf ------------------------------------------------------------------------ */

static Inst *accumulate(ContractKernel *c, Known known[2], const int64_t *offset, Inst *acc)
{
    Inst *a = operand(c, &known[0], 0, offset);
    Inst *next =
        c->root->nin == 1 ? map2(OP_add, acc, a) : fma3(a, operand(c, &known[1], 1, offset), acc);
    return c->mask ? map_select(c->mask, next, acc) : next;
}

static void contract_leaf(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    int64_t offset[MAX_VARS] = {0};
    int n = nest_outputs(e->nest);
    Known *known = NEW_ARRAY(Known, 2);
    do {
        for (int i = 0; i < n; i++) {
            nest_output(e->nest, i, offset);
            if (nest_alive(e->nest, offset))
                acc[i] = accumulate(c, known, offset, acc[i]);
        }
    } while (nest_next(e->nest, offset));
}

static Inst *contract_start(NestEmit *e, int which)
{
    const ContractKernel *c = e->arg;
    (void)which;
    bool scalar = c->class == CONTRACT_FREE && c->lane_var < 0;
    return scalar ? fconst(0) : splat(fconst(0));
}

/* ---- Loops over blocks and samples ------------------------------------------------------ */

static void over_samples(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    int n = nest_outputs(e->nest);
    Inst *left = iadd(live_count(V_INDEX), imul(c->block, -LANES));
    Inst *loop = loop_begin(iconst(0), imin(iconst(LANES), left), 1, n, acc);
    Inst **inside = NEW_ARRAY(Inst *, n);
    for (int i = 0; i < n; i++)
        inside[i] = loop->carried[i];
    c->sample = loop->index;
    nest_reduce(e, inside);
    loop_end(loop, inside, acc);
}

static void over_blocks(NestEmit *e, Inst **acc)
{
    ContractKernel *c = e->arg;
    int n = nest_outputs(e->nest);
    Inst *blocks = block_count();
    Inst *loop = loop_begin(iconst(0), blocks, 1, n, acc);
    Inst **inside = NEW_ARRAY(Inst *, n);
    for (int i = 0; i < n; i++)
        inside[i] = loop->carried[i];
    c->block = loop->index;
    if (c->class == CONTRACT_ROWS) {
        over_samples(e, inside);
    } else {
        c->mask = live_mask(c->block);
        nest_reduce(e, inside);
        c->mask = NULL;
    }
    loop_end(loop, inside, acc);
    c->block = NULL;
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

/* ---- Tiles ----------------------------------------------------------------------------------- */

enum {
    MAX_PIXELS = 16,
    MAX_UNROLLED_TAPS = 5,
    ACCUMULATORS = 20,
    PIXEL_ACCUMULATORS = 16,
    ROW_ACCUMULATORS = 10
};

static bool shares_bound(const Nest *nest, int v, int w)
{
    for (int i = 0; i < nest->nbounds; i++)
        if (nest->bound[i].at.coefficient[v] && nest->bound[i].at.coefficient[w])
            return true;
    return false;
}

static bool is_bound(const Nest *nest, int v)
{
    for (int i = 0; i < nest->nbounds; i++)
        if (nest->bound[i].at.coefficient[v])
            return true;
    return false;
}

/* Equal tiles of at most `most`. */
static int64_t even_tile(int64_t extent, int64_t most)
{
    int64_t tiles = (extent + most - 1) / most;
    return (extent + tiles - 1) / tiles;
}

/* The tile in 7..16 with the least left over, larger first. */
static int64_t pixel_tile(int64_t extent)
{
    int64_t best = extent < MAX_PIXELS ? extent : 0, waste = best ? 0 : extent;
    for (int64_t t = MAX_PIXELS; !best && t >= 7; t--) {
        int64_t rest = extent % t ? t - extent % t : 0;
        if (rest < waste) {
            waste = rest;
            best = rest == 0 ? t : best;
        }
    }
    return best ? best : 14;
}

/* Taps under an unrolled row of pixels are unrolled too, or the row is not. */
static void unroll_taps(Nest *nest, int pixel)
{
    for (int w = 0; w < nest->nvars; w++)
        if (nest->var[w].reduced && shares_bound(nest, pixel, w)) {
            if (nest->var[w].extent <= MAX_UNROLLED_TAPS)
                nest->var[w].tile = nest->var[w].extent;
            else if (nest->var[pixel].tile < nest->var[pixel].extent)
                nest->var[pixel].tile = 1;
        }
}

static int last_output(const Nest *nest, const Linear *with, bool inside)
{
    for (int v = nest->nvars; v-- > 0;)
        if (!nest->var[v].reduced && nest->var[v].extent > 1 &&
            (with->coefficient[v] != 0) == inside)
            return v;
    return -1;
}

static void add_loop(Nest *nest, int v)
{
    if (nest->var[v].tile < nest->var[v].extent)
        nest->order[nest->norder++] = v;
}

/* Where two loops share a bound the inner one gets its limits from the outer;
 * that takes steps of one. */
static void untile_bound_loops(Nest *nest)
{
    for (int v = 0; v < nest->nvars; v++)
        for (int w = 0; w < nest->nvars; w++)
            if (v != w && shares_bound(nest, v, w) && nest->var[v].tile < nest->var[v].extent &&
                nest->var[w].tile < nest->var[w].extent)
                nest->var[v].tile = nest->var[w].tile = 1;
}

/* Outputs (the unit's first), then the reduced in the order of the sum. */
static void set_order(Nest *nest, int unit)
{
    untile_bound_loops(nest);
    if (unit >= 0 && nest->var[unit].tile < nest->var[unit].extent) {
        nest->unit_var = unit;
        add_loop(nest, unit);
    }
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && v != nest->unit_var)
            add_loop(nest, v);
    nest->nouter = nest->norder;
    for (int v = 0; v < nest->nvars; v++)
        if (nest->var[v].reduced)
            add_loop(nest, v);
}

/* The innermost reduced loop takes several steps at a time where it would
 * otherwise hold only a few multiply-adds. */
static void unroll_sum(Nest *nest, int64_t outputs)
{
    int inner = -1;
    for (int v = 0; v < nest->nvars; v++) {
        if (nest->var[v].reduced && nest->var[v].tile > 1)
            return;
        if (nest->var[v].reduced && nest->var[v].extent > 1)
            inner = v;
    }
    if (inner >= 0 && nest->var[inner].extent >= 8 && outputs <= 32 && !is_bound(nest, inner))
        nest->var[inner].tile = 4;
}

static int64_t tile_outputs(const Nest *nest)
{
    int64_t n = 1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced)
            n *= nest->var[v].tile < nest->var[v].extent ? nest->var[v].tile : nest->var[v].extent;
    return n;
}

static void tile_samples(ContractKernel *c, Nest *nest)
{
    int in_lanes = c->root->in[0]->shape.batch ? 0 : 1;
    const Linear *address = &nest->address[in_lanes];
    int pixel = last_output(nest, address, true), channel = last_output(nest, address, false);
    int64_t pixels = 1;
    if (pixel >= 0) {
        nest->var[pixel].tile = pixel_tile(nest->var[pixel].extent);
        unroll_taps(nest, pixel);
        pixels = nest->var[pixel].tile;
    }
    for (int v = 0; v < nest->nvars && pixels <= 4 && pixel >= 0; v++)
        if (v != pixel && !nest->var[v].reduced && address->coefficient[v] &&
            nest->var[v].extent * pixels <= 12 && nest->var[v].extent > 1) {
            nest->var[v].tile = nest->var[v].extent;
            pixels *= nest->var[v].extent;
        }
    if (channel >= 0) {
        int64_t most = (pixels > 1 ? PIXEL_ACCUMULATORS : ACCUMULATORS) / pixels;
        nest->var[channel].tile = even_tile(nest->var[channel].extent, most > 1 ? most : 1);
        most = pixels * 2 <= 18 && nest->var[channel].extent > 1 ? 2 : 1;
        if (nest->var[channel].tile < most)
            nest->var[channel].tile = most;
    }
    unroll_sum(nest, tile_outputs(nest));
    set_order(nest, channel >= 0 && nest->var[channel].tile < nest->var[channel].extent ? channel
                                                                                        : pixel);
}

/* Does the operand that slides under the taps depend on v? */
static bool slides_with(const Nest *nest, int v)
{
    for (int i = 0; i < 2; i++)
        for (int tap = 0; tap < nest->nvars; tap++)
            if (!nest->var[tap].reduced && is_bound(nest, tap) &&
                nest->address[i].coefficient[tap] && nest->address[i].coefficient[v])
                return true;
    return false;
}

/* Taps of a window in registers; what slides under them is loaded once for
 * all channels of the tile. */
static void tile_lane_sum(Nest *nest)
{
    int64_t taps = 1;
    int unit = -1, inner = -1;
    for (int v = nest->nvars; v-- > 0;)
        if (!nest->var[v].reduced && is_bound(nest, v) && taps * nest->var[v].extent <= 9) {
            nest->var[v].tile = nest->var[v].extent;
            taps *= nest->var[v].extent;
        }
    for (int v = nest->nvars; v-- > 0;) {
        if (nest->var[v].reduced || is_bound(nest, v) || nest->var[v].extent <= 1)
            continue;
        if (inner < 0 || (slides_with(nest, inner) && !slides_with(nest, v))) {
            unit = inner >= 0 ? inner : unit;
            inner = v;
        } else if (unit < 0) {
            unit = v;
        }
    }
    int64_t each = taps >= 6 ? 2 : 4;
    if (inner >= 0)
        nest->var[inner].tile = even_tile(nest->var[inner].extent, each);
    if (unit >= 0 && taps < 3)
        nest->var[unit].tile = even_tile(nest->var[unit].extent, 4);
    set_order(nest, unit >= 0 ? unit : inner);
}

/* Vectors along the lane variable times rows: the fewest loads for each
 * multiply-add within ROW_ACCUMULATORS: few, since the update that follows a
 * tile's sum is long, and only a short one overlaps with the next tile's sum
 * (10 instead of 21 take 6 % off a step of the stacked autoencoder). */
static void tile_rows(ContractKernel *c, Nest *nest)
{
    int lane = c->lane_var, row = -1;
    double best = 1e9;
    int64_t vectors = nest->var[lane].extent, rows = 1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && v != lane && nest->var[v].extent > 1)
            row = v;
    int64_t height = row >= 0 ? nest->var[row].extent : 1;
    for (int64_t v = 1; v <= 7 && v <= vectors; v++) {
        int64_t r = ROW_ACCUMULATORS / v < height ? ROW_ACCUMULATORS / v : height;
        double steps = (double)((vectors + v - 1) / v) * (double)((height + r - 1) / r);
        double cost = steps * (double)(v + r + v * r);
        if (cost < best) {
            best = cost;
            nest->var[lane].tile = v;
            rows = r;
        }
    }
    if (row >= 0)
        nest->var[row].tile = even_tile(height, rows);
    set_order(nest, row >= 0 && nest->var[row].tile < height ? row : lane);
}

static void tile_scalars(Nest *nest)
{
    int last = -1;
    for (int v = 0; v < nest->nvars; v++)
        if (!nest->var[v].reduced && !is_bound(nest, v) && nest->var[v].extent > 1)
            last = v;
    if (last >= 0)
        nest->var[last].tile = even_tile(nest->var[last].extent, 8);
    set_order(nest, last);
}

/* ---- A kernel ---------------------------------------------------------------- */

static void count_lane_var_in_vectors(Nest *nest, int v)
{
    nest->var[v].extent = (nest->var[v].extent + LANES - 1) / LANES;
    for (int i = 0; i < nest->out_rank; i++)
        nest->out[i].coefficient[v] *= LANES;
    for (int i = 0; i < 2; i++)
        nest->address[i].coefficient[v] *= LANES;
}

static void lower_nest(Nest *nest, void *arg)
{
    ContractKernel *c = arg;
    c->nest = nest;
    NestEmit e = {.nest = nest,
                  .kernel = c->kernel,
                  .arg = c,
                  .carry = 1,
                  .start = contract_start,
                  .leaf = contract_leaf,
                  .finish = contract_finish};
    if (c->lane_var >= 0)
        count_lane_var_in_vectors(nest, c->lane_var);
    if (c->class == CONTRACT_SAMPLES) {
        tile_samples(c, nest);
    } else if (c->class == CONTRACT_LANE_SUM) {
        tile_lane_sum(nest);
        e.finish = lane_sum_finish;
    } else if (c->lane_var >= 0) {
        tile_rows(c, nest);
    } else {
        tile_scalars(nest);
    }
    if (c->class == CONTRACT_ROWS || c->class == CONTRACT_LANE_SUM)
        e.around = over_blocks;
    nest_emit(&e);
}

void lower_contraction(Program *p, Kernel *k)
{
    ContractKernel c = {.program = p, .kernel = k, .root = k->root, .eval = eval_begin(p, k)};
    c.class = contract_class(k->root, &c.lane_var);
    nest_phases(p, k->root->shape, &k->root->attr.contraction, k->root->in[0],
                k->root->nin > 1 ? k->root->in[1] : NULL, lower_nest, &c);
}
