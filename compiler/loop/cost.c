/* What a schedule costs, in cycles of one core.
 *
 * A leaf takes as long as the scarcest of: multiply-adds, loads, instructions,
 * and the latency of its accumulators' chains. Tiles that are left over at the
 * edges are leaves of their own. What follows a sum overlaps with the next
 * tile's sum as far as the processor looks ahead. Memory: at each level of
 * cache the loops inside of which all data fits read it once; loops around
 * them read it again. Only ratios matter; tests/tile checks them against
 * measurement. */
#include "loop/tile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_AHEAD = 300,      /* instructions under way                      */
    WORK_LATENCY = 40,     /* cycles of a chain of work after a sum       */
    LOOP_INSTRUCTIONS = 3, /* of one round                                */
    FETCH_CYCLES = 1,      /* of an instruction, once                     */
    PATIENCE = 100000,     /* so many instructions take twice the time    */
    APART = 2,             /* times the time of a line with none near before it */
    MOST_CODE = 3000,      /* instructions of a phase; more are refused   */
    EVEN_UNITS = 8,        /* parts for threads                           */
    LARGE = 2000000,       /* cycles of a contraction that long code is for */
    SHORT_LOOP = 24        /* cycles                                      */
};

static const double PASSES = 1.05; /* they repeat code */

struct Pricing {
    const Contracted *c;
    double whole; /* registers of a vector of LANES                        */
    double alive; /* share of the box that exists                          */
    double bytes; /* of all operands                                       */
    /* Of one choice of tiles, whatever the order of loops: */
    const Schedule *by;
    int64_t tile[MAX_VARS];
    int passes;
    double parts;        /* registers of a vector in a pass                 */
    double cycles, code; /* without memory; instructions without segments  */
    bool lost[2];        /* lines of an operand leave L1 before their next splat */
    Estimate sum;
};

/* ---- Shapes ------------------------------------------------------------------- */

/* Values of a linear form over a box of so many offsets of each variable:
 * ranges whose steps are smaller than what is covered overlap. */
static double values_of(const Nest *nest, const Linear *a, const int64_t *count)
{
    bool done[MAX_VARS] = {0};
    double n = 1, span = 1, step = 1;
    for (int round = 0; round < nest->nvars; round++) {
        int next = -1;
        for (int v = 0; v < nest->nvars; v++)
            if (!done[v] && a->coefficient[v] && count[v] > 1 &&
                (next < 0 || llabs(a->coefficient[v]) < llabs(a->coefficient[next])))
                next = v;
        if (next < 0)
            break;
        done[next] = true;
        double c = (double)llabs(a->coefficient[next]), k = (double)count[next];
        step = n == 1 ? c : step;
        n = n == 1 ? k : fmin(n * k, n + (k - 1) * fmax(c / step, 1));
        span += c * (k - 1);
    }
    return fmin(n, span);
}

static double points(const Nest *nest, const int64_t *count, bool reduced)
{
    double n = 1;
    for (int v = 0; v < nest->nvars; v++)
        n *= nest->var[v].reduced == reduced ? (double)count[v] : 1;
    return n;
}

/* The share of v's (and w's) values that a bound leaves. */
static double share_of(const Nest *nest, const Bound *b, int v, int w)
{
    int64_t m = w >= 0 ? nest->var[w].extent : 1, alive = 0;
    for (int64_t i = 0; i < nest->var[v].extent; i++)
        for (int64_t j = 0; j < m; j++) {
            int64_t at = b->at.constant + b->at.coefficient[v] * i;
            at += w >= 0 ? b->at.coefficient[w] * j : 0;
            alive += at >= 0 && at < b->limit;
        }
    return (double)alive / (double)(nest->var[v].extent * m);
}

/* Bounds of one pair of variables are nearly always one bound. */
static double alive_share(const Nest *nest)
{
    double share = 1;
    for (int i = 0; i < nest->nbounds; i++) {
        int v = -1, w = -1;
        for (int k = 0; k < nest->nvars; k++)
            if (nest->bound[i].at.coefficient[k] && nest->var[k].extent > 1) {
                w = v;
                v = k;
            }
        share *= v >= 0 ? share_of(nest, &nest->bound[i], v, w) : 1;
    }
    return share;
}

/* ---- Lines of splats ------------------------------------------------------------ */

enum { PAGE = 4096, LINE = 16, WAY = PAGE / 64 }; /* numbers of a line; sets, so lines of a way */

typedef struct Sets {
    const Nest *nest;
    const Linear *at;
    const int64_t *count;
    int lines[WAY];
} Sets;

static void fill_sets(Sets *s, int v, int64_t address)
{
    if (v == s->nest->nvars) {
        s->lines[(uint64_t)(address / LINE) % WAY]++;
        return;
    }
    int64_t c = s->at->coefficient[v];
    for (int64_t i = 0; i < (llabs(c) < LINE ? 1 : s->count[v]); i++)
        fill_sets(s, v + 1, address + llabs(c) * i);
}

/* The summed variable with a loop along which an operand is dense, or -1. */
static int line_variable(const Contracted *c, const Schedule *by, int operand)
{
    for (int v = 0; v < c->nest->nvars; v++)
        if (c->nest->var[v].reduced && has_loop(by, c->nest, v) &&
            llabs(c->nest->address[operand].coefficient[v]) == 1)
            return v;
    return -1;
}

/* One step of that variable reads a number of each line, the next step another:
 * do more lines come in between than a set of L1 holds? Strides of a power of
 * two put them all into few sets. */
static bool loses_lines(const Contracted *c, const Schedule *by, int operand)
{
    const Nest *nest = c->nest;
    int line = line_variable(c, by, operand);
    if (c->vector[operand] || line < 0)
        return false;
    int64_t count[MAX_VARS];
    for (int v = 0; v < nest->nvars; v++)
        count[v] = nest->var[v].reduced && v > line ? nest->var[v].extent : by->tile[v];
    Sets s = {.nest = nest, .at = &nest->address[operand], .count = count};
    fill_sets(&s, 0, 0);
    double most = 0, other = values_of(nest, &nest->address[1 - operand], count) / WAY;
    for (int i = 0; i < WAY; i++)
        most = fmax(most, s.lines[i]);
    return most + other > (double)c->machine->cache[0] / (WAY * LINE * 4);
}

/* ---- One leaf ----------------------------------------------------------------- */

typedef struct Leaf {
    double outputs, steps, adds; /* accumulators, steps of the sum, products */
    double vectors, splats;      /* loads                                    */
    double lines;                /* from L2 for splats                       */
    double registers;
} Leaf;

static double width_of(const Pricing *p, int operand)
{
    return p->c->vector[operand] ? p->parts : 1;
}

/* Values of an operand that stay in registers, step by step: outputs are
 * walked with the last variable inside, so what depends on the variables
 * inside of one that it does not depend on is used again; and what the next
 * step of the sum uses, too. */
static double live_values(const Contracted *c, int operand, const int64_t *count, double loads)
{
    const Linear *a = &c->nest->address[operand];
    int64_t step[MAX_VARS], stay[MAX_VARS];
    double steps = points(c->nest, count, true);
    bool again = false;
    for (int v = 0; v < c->nest->nvars; v++) {
        bool reduced = c->nest->var[v].reduced;
        step[v] = reduced ? 1 : count[v];
        again = again || (!reduced && count[v] > 1 && !a->coefficient[v]);
        stay[v] = again ? step[v] : 1;
    }
    double all = values_of(c->nest, a, step);
    bool slides = loads < 0.99 * steps * all;
    return slides ? all : values_of(c->nest, a, stay);
}

/* The leaf is emitted step by step, or as a sweep along one operand while all
 * of the other stays (leaf.c). */
static double live_operands(const Pricing *p, const int64_t *count, const double loads[2])
{
    double live = 0;
    for (int i = 0; i < 2; i++)
        live += live_values(p->c, i, count, loads[i]) * width_of(p, i);
    for (int i = 0; i < 2; i++)
        live = fmin(live, width_of(p, i) + loads[1 - i] * width_of(p, 1 - i));
    return live;
}

/* Where that is too much, each step loads its own operands, of one of the two
 * one value after the other. */
static double live_in_step(const Pricing *p, const double loads[2])
{
    double live[2];
    for (int i = 0; i < 2; i++)
        live[i] = width_of(p, i) + loads[1 - i] * width_of(p, 1 - i);
    return fmin(live[0], live[1]);
}

/* Loads of each operand in a leaf; the registers that operands take. */
static double loads_of(const Pricing *p, const Leaf *leaf, const int64_t *count, double loads[2])
{
    const Contracted *c = p->c;
    for (int i = 0; i < 2; i++)
        loads[i] = values_of(c->nest, &c->nest->address[i], count);
    double live = live_operands(p, count, loads);
    if (live <= c->machine->usable - leaf->outputs * p->parts)
        return live;
    int64_t step[MAX_VARS];
    for (int v = 0; v < c->nest->nvars; v++)
        step[v] = c->nest->var[v].reduced ? 1 : count[v];
    double own[2];
    for (int i = 0; i < 2; i++)
        own[i] = values_of(c->nest, &c->nest->address[i], step);
    double least = live_in_step(p, own);
    if (least >= live)
        return live;
    for (int i = 0; i < 2; i++)
        loads[i] = own[i] * leaf->steps;
    return least;
}

static Leaf leaf_of(const Pricing *p, const int64_t *count)
{
    const Contracted *c = p->c;
    Leaf leaf = {.outputs = points(c->nest, count, false), .steps = points(c->nest, count, true)};
    double loads[2];
    leaf.adds = leaf.outputs * leaf.steps * p->alive;
    leaf.registers = leaf.outputs * p->parts + loads_of(p, &leaf, count, loads);
    for (int i = 0; i < 2; i++) {
        *(c->vector[i] ? &leaf.vectors : &leaf.splats) += loads[i] * sqrt(p->alive);
        int line = p->lost[i] ? line_variable(c, p->by, i) : -1;
        leaf.lines += line >= 0 ? loads[i] / (double)count[line] : 0;
    }
    return leaf;
}

/* Where a splat serves one product only it can be part of it. */
static double leaf_instructions(const Pricing *p, const Leaf *leaf)
{
    const Machine *m = p->c->machine;
    bool folded = m->memory_operands && leaf->splats > 0.99 * leaf->adds;
    return leaf->adds * p->parts + (folded ? 0 : leaf->splats) + leaf->vectors * p->parts +
           LOOP_INSTRUCTIONS;
}

/* Limits that are close to each other add up a little. */
static double together(const double *limit, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += limit[i] * limit[i] * limit[i] * limit[i] * limit[i] * limit[i];
    return cbrt(sqrt(sum));
}

static double leaf_cycles(Pricing *p, const Leaf *leaf, double times)
{
    const Machine *m = p->c->machine;
    double adds = leaf->adds * p->parts / m->multiply_adds;
    double loads = leaf->vectors * p->parts / m->loads + leaf->splats / m->splats;
    loads += leaf->lines * LINE * 4 / m->bytes[0];
    double chain = leaf->steps * p->alive * m->latency;
    double issue = leaf_instructions(p, leaf) / m->issue;
    p->sum.multiply += adds * times;
    p->sum.load += loads * times;
    p->sum.latency += chain * times;
    p->sum.issue += issue * times;
    return together((double[]){adds, loads, chain, issue}, 4);
}

/* ---- What follows a sum ------------------------------------------------------- */

/* Sums of lanes are made sixteen at a time; then there are numbers, no vectors. */
static double lane_sum_instructions(const Pricing *p, double outputs)
{
    double full = floor(outputs / LANES), rest = outputs - full * LANES;
    return (full + (rest > 3)) * 64 * p->whole + (rest > 3 ? 0 : rest * 10);
}

/* The part that does not overlap with the next sum. */
static double after_cycles(Pricing *p, double outputs, double sum)
{
    const Work *w = &p->c->after;
    const Machine *m = p->c->machine;
    bool lane_sums = p->c->class == CONTRACT_LANE_SUM;
    double parts = lane_sums ? 1 : p->whole;
    double instructions = w->instructions * parts * outputs;
    if (lane_sums)
        instructions += lane_sum_instructions(p, outputs);
    double issue = instructions / fmin(m->issue, 2 * m->multiply_adds + 1);
    double ports = parts * outputs * (w->loads / m->loads + w->stores / m->stores);
    double cycles = fmax(issue, ports) + parts * outputs * w->busy + WORK_LATENCY;
    double moves = parts * outputs * (w->loads + w->stores);
    p->code += instructions + moves;
    double hidden = fmin(sum, cycles) * LOOK_AHEAD / (LOOK_AHEAD + instructions + moves);
    return cycles - hidden;
}

/* ---- Tiles and what is left over at the edges --------------------------------- */

static double around_trips(const Contracted *c)
{
    return c->class == CONTRACT_ROWS       ? c->blocks * LANES
           : c->class == CONTRACT_LANE_SUM ? c->blocks
                                           : 1;
}

/* All leaves of one tile of outputs: full steps of each sum, then the rest. */
static double sum_cycles(Pricing *p, int v, int64_t *count, double times)
{
    const Nest *nest = p->c->nest;
    if (v == nest->nvars) {
        Leaf leaf = leaf_of(p, count);
        if (leaf.registers > p->sum.registers)
            p->sum.registers = (int)leaf.registers;
        p->code += leaf_instructions(p, &leaf) * p->passes;
        times *= p->passes;
        return leaf_cycles(p, &leaf, times) * times;
    }
    int64_t extent = nest->var[v].extent, tile = p->by->tile[v];
    if (!nest->var[v].reduced)
        return sum_cycles(p, v + 1, count, times);
    double cycles = 0;
    count[v] = tile < extent ? tile : extent;
    if (count[v] > 0)
        cycles = sum_cycles(p, v + 1, count, times * (double)(extent / count[v]));
    count[v] = count[v] > 0 ? extent % count[v] : 0;
    if (count[v])
        cycles += sum_cycles(p, v + 1, count, times);
    return cycles;
}

static double trips(const Contracted *c, const Schedule *by, int depth)
{
    int v = by->order[depth];
    return ceil((double)c->nest->var[v].extent / (double)by->tile[v]);
}

/* Ways into the innermost loop of a tile's sum. */
static double entries(const Pricing *p)
{
    const Schedule *by = p->by;
    double n = by->passes * (p->c->class == CONTRACT_LANE_SUM ? p->c->blocks : 1);
    for (int i = by->nouter; i + 1 < by->norder; i++)
        n *= trips(p->c, by, i);
    return by->nouter < by->norder && p->c->class != CONTRACT_ROWS ? n : 0;
}

/* Cycles of the multiply-adds of a box that is so large. */
static double box_cycles(const Pricing *p, const int64_t *count)
{
    double products = points(p->c->nest, count, false) * points(p->c->nest, count, true);
    return products * p->alive * p->parts / p->c->machine->multiply_adds;
}

/* The end of a short loop is guessed wrong, and known too late; with passes that
 * of any. Without them it counts where there is much to gain by longer code. */
static double entry_cycles(const Pricing *p)
{
    const Schedule *by = p->by;
    int64_t all[MAX_VARS];
    for (int v = 0; v < p->c->nest->nvars; v++)
        all[v] = p->c->nest->var[v].extent;
    double rounds = by->norder > by->nouter ? trips(p->c, by, by->norder - 1) : 1;
    bool is_short = box_cycles(p, by->tile) * rounds < SHORT_LOOP && box_cycles(p, all) > LARGE;
    return is_short || by->passes > 1 ? entries(p) * p->c->machine->entry : 0;
}

static double tile_cycles(Pricing *p, int64_t *count, double times)
{
    double trips = around_trips(p->c);
    double sum = sum_cycles(p, 0, count, times * trips) / times;
    sum += entry_cycles(p);
    double after = after_cycles(p, points(p->c->nest, count, false), sum);
    p->sum.after += after * times;
    return (sum + after) * times;
}

static double output_cycles(Pricing *p, int v, int64_t *count, double times)
{
    const Nest *nest = p->c->nest;
    if (v == nest->nvars)
        return tile_cycles(p, count, times);
    int64_t extent = nest->var[v].extent, tile = p->by->tile[v];
    if (nest->var[v].reduced)
        return output_cycles(p, v + 1, count, times);
    count[v] = tile < extent ? tile : extent;
    double cycles = output_cycles(p, v + 1, count, times * (double)(extent / count[v]));
    count[v] = extent % count[v];
    if (count[v])
        cycles += output_cycles(p, v + 1, count, times);
    return cycles;
}

/* ---- Memory ------------------------------------------------------------------- */

/* Bytes of an operand inside of loop number `depth`, and all loops within. */
static double footprint(const Contracted *c, const Schedule *by, int operand, int depth)
{
    int64_t count[MAX_VARS];
    for (int v = 0; v < c->nest->nvars; v++)
        count[v] = c->nest->var[v].extent;
    for (int i = 0; i < depth; i++)
        count[by->order[i]] = by->tile[by->order[i]];
    double around = depth <= by->nouter && c->nest->nvars ? around_trips(c) : 1;
    bool batch = c->bytes[operand] != 4 || c->class == CONTRACT_ROWS;
    double n = values_of(c->nest, &c->nest->address[operand], count) * (batch ? around : 1);
    return n * (double)c->bytes[operand] *
           (c->vector[operand] && c->bytes[operand] == 4 ? LANES : 1);
}

/* The sets of a way that a box of vectors touches, bit by bit. */
static uint64_t sets_of(const Nest *nest, const Linear *at, const int64_t *count, int64_t bytes)
{
    uint64_t sets = 1;
    for (int v = 0; v < nest->nvars; v++) {
        uint64_t from = sets;
        int64_t step = llabs(at->coefficient[v]) * bytes / (LINE * 4);
        for (int64_t i = 1; i < count[v] && step && ~sets; i++) {
            int by = (int)(step * i % WAY);
            sets |= by ? from << by | from >> (WAY - by) : from;
        }
    }
    return sets;
}

/* Bytes of L1 that an operand needs in order to stay: strides of a power of
 * two put its lines into a few sets, and the other sets are of no use. */
static double crowded(const Contracted *c, const Schedule *by, int operand, int depth)
{
    double bytes = footprint(c, by, operand, depth);
    if (!c->vector[operand])
        return bytes;
    int64_t count[MAX_VARS];
    for (int v = 0; v < c->nest->nvars; v++)
        count[v] = c->nest->var[v].extent;
    for (int i = 0; i < depth; i++)
        count[by->order[i]] = by->tile[by->order[i]];
    uint64_t sets = sets_of(c->nest, &c->nest->address[operand], count, c->bytes[operand]);
    return bytes * WAY / __builtin_popcountll(sets);
}

/* What the loops inside of this one read stays in the cache of a level. */
static bool stays(const Contracted *c, const Schedule *by, int level, int depth)
{
    double need = 0;
    for (int i = 0; i < 2; i++)
        need += level == 0 ? crowded(c, by, i, depth) : footprint(c, by, i, depth);
    return need <= 0.75 * (double)c->machine->cache[level];
}

/* Bytes that come from beyond the cache of a level. */
static double traffic(const Contracted *c, const Schedule *by, int level)
{
    int depth = 0;
    while (depth < by->norder && !stays(c, by, level, depth))
        depth++;
    double bytes = 0;
    for (int i = 0; i < 2; i++) {
        double again = 1;
        for (int d = 0; d < depth; d++) {
            bool same = d == depth - 1 && !c->nest->address[i].coefficient[by->order[d]];
            again *= same ? 1 : trips(c, by, d);
            again *= by->passes > 1 && d == by->parted ? by->passes : 1;
            if (d + 1 == by->nouter && depth > by->nouter)
                again *= around_trips(c);
        }
        bytes += footprint(c, by, i, depth) * again;
    }
    return bytes;
}

/* Lines that are neighbors in memory come one after the other only where the
 * loop along them is the innermost of the outputs: a factor of their time. */
static double scatter(const Contracted *c, const Schedule *by, const Linear *at)
{
    int line = -1;
    for (int v = 0; v < c->nest->nvars; v++)
        if (at->coefficient[v] && !c->nest->var[v].reduced &&
            (line < 0 || llabs(at->coefficient[v]) < llabs(at->coefficient[line])))
            line = v;
    for (int i = 0; i < by->nouter; i++)
        if (by->order[i] == line)
            return 1 + 0.5 * (by->nouter - 1 - i);
    return 1;
}

/* Numbers that are written one by one: lines of which a loop outside takes a
 * few numbers at a time come and go again. */
static double partial_lines(const Contracted *c, const Schedule *by)
{
    for (int i = 0; i + 1 < by->nouter; i++)
        if (llabs(c->written.coefficient[by->order[i]]) == 1)
            return fmax(1, (double)LANES / (double)by->tile[by->order[i]]);
    return 1;
}

static int level_of(const Machine *m, double bytes)
{
    int level = 0;
    while (level < 2 && bytes > 0.75 * (double)m->cache[level + 1])
        level++;
    return level;
}

static double write_cycles(const Contracted *c, const Schedule *by)
{
    double bytes = 4, moves = c->after.loads + c->after.stores;
    for (int v = 0; v < c->nest->nvars; v++)
        bytes *= c->nest->var[v].reduced ? 1 : (double)c->nest->var[v].extent;
    bytes *= c->class == CONTRACT_SAMPLES || c->lane_var >= 0 ? LANES : 1;
    double again = c->class == CONTRACT_LANE_SUM  ? partial_lines(c, by)
                   : c->class == CONTRACT_SAMPLES ? scatter(c, by, &c->written)
                                                  : 1;
    return bytes * moves * again / c->machine->bytes[level_of(c->machine, bytes * moves)];
}

/* Lines that lie apart come without being fetched ahead: the leaf, or the loop
 * next to it, has to go from line to line in small steps. */
static double apart(const Contracted *c, const Schedule *by, int operand)
{
    int next = by->norder ? by->order[by->norder - 1] : -1;
    for (int v = 0; v < c->nest->nvars; v++) {
        int64_t step = llabs(c->nest->address[operand].coefficient[v]) * c->bytes[operand];
        if (step && step < PAGE / 4 && (by->tile[v] > 1 || v == next))
            return 1;
    }
    return c->vector[operand] ? APART : 1;
}

static double read_cycles(const Pricing *p, const Schedule *by)
{
    const Contracted *c = p->c;
    const Machine *m = c->machine;
    double cycles = 0;
    for (int i = 0; i < 3; i++) {
        double again = 1;
        if (i > 0 && p->bytes <= 0.75 * (double)m->cache[i])
            break;
        for (int k = 0; k < 2 && i > 0 && c->class == CONTRACT_SAMPLES; k++)
            again = c->vector[k] ? scatter(c, by, &c->nest->address[k]) : again;
        if (i == 0)
            again = fmax(apart(c, by, 0), apart(c, by, 1));
        cycles += traffic(c, by, i) * again / m->bytes[i];
    }
    return cycles;
}

/* ---- A schedule --------------------------------------------------------------- */

/* Threads share the units: few of them leave some waiting. */
static double unevenness(const Contracted *c, const Schedule *by)
{
    double units = by->unit_var >= 0 ? trips(c, by, 0) : 1;
    double rounds = ceil(units / EVEN_UNITS) * EVEN_UNITS / units - 1;
    return 1 + rounds * (c->class == CONTRACT_SAMPLES ? 0.01 : 0.1);
}

static bool is_looped(const Schedule *by, const Linear *at, int but)
{
    for (int i = 0; i < by->norder; i++)
        if (by->order[i] != but && at->coefficient[by->order[i]])
            return true;
    return false;
}

/* Segments at the borders repeat the code; between two loops there are none. */
static double segments(const Contracted *c, const Schedule *by)
{
    double n = 1;
    for (int i = 0; i < by->norder; i++)
        for (int b = 0; b < c->nest->nbounds; b++) {
            const Linear *at = &c->nest->bound[b].at;
            if (!at->coefficient[by->order[i]] || is_looped(by, at, by->order[i]))
                continue;
            n *= fmin(trips(c, by, i), 3);
            break;
        }
    return n;
}

/* Accumulators of the lanes whose turn it is not are in memory. */
static double passing(const Pricing *p, const Schedule *by)
{
    const Machine *m = p->c->machine;
    double times = around_trips(p->c), outputs = points(p->c->nest, by->tile, false);
    for (int i = 0; i < by->parted; i++)
        times *= trips(p->c, by, i);
    return by->passes > 1 ? times * outputs * p->whole * (1 / m->loads + 1 / m->stores) : 0;
}

/* What does not fit into registers is stored and loaded again, which the next
 * product waits for. */
static double spilling(const Contracted *c, int registers)
{
    double over = registers - c->machine->usable;
    return over > 0 ? 1 + 0.5 * over : 1;
}

Pricing *pricing(const Contracted *c)
{
    Pricing *p = NEW(Pricing);
    Schedule whole = untiled(c->nest);
    *p = (Pricing){.c = c,
                   .whole = (double)LANES / c->machine->width,
                   .alive = alive_share(c->nest),
                   .bytes = footprint(c, &whole, 0, 0) + footprint(c, &whole, 1, 0)};
    return p;
}

static void price_tiles(Pricing *p, const Schedule *by)
{
    bool same = p->by && p->passes == by->passes && memcmp(p->tile, by->tile, sizeof p->tile) == 0;
    p->by = by;
    p->passes = by->passes;
    p->parts = p->whole / by->passes;
    if (same)
        return;
    memcpy(p->tile, by->tile, sizeof p->tile);
    p->code = 0;
    p->sum = (Estimate){0};
    for (int i = 0; i < 2; i++)
        p->lost[i] = loses_lines(p->c, by, i);
    int64_t count[MAX_VARS] = {0};
    p->cycles = output_cycles(p, 0, count, 1);
}

/* Long code costs fetching it, and whoever compiles it more than that. */
static double with_code(double cycles, double code)
{
    double long_code = fmax(1, code / MOST_CODE);
    return (cycles * (1 + code / PATIENCE) + FETCH_CYCLES * code) * long_code * long_code;
}

double least_cycles(Pricing *p, const Schedule *by)
{
    price_tiles(p, by);
    return with_code(p->cycles * spilling(p->c, p->sum.registers), p->code);
}

Estimate estimate(Pricing *p, const Schedule *by)
{
    const Contracted *c = p->c;
    price_tiles(p, by);
    Estimate e = p->sum;
    double code = p->code * segments(c, by);
    e.memory = read_cycles(p, by) + write_cycles(c, by);
    e.code = (int64_t)code;
    e.cycles = together((double[]){p->cycles + passing(p, by), e.memory}, 2) * unevenness(c, by);
    e.cycles *= by->passes > 1 ? PASSES : 1;
    e.cycles = with_code(e.cycles * spilling(c, e.registers), code);
    return e;
}

/* ---- Work after a sum --------------------------------------------------------- */

double op_instructions(const Node *n)
{
    switch (n->op) {
    case OP_exp:
    case OP_tanh:
    case OP_logistic:
    case OP_log:
    case OP_sin:
    case OP_cos: return 20;
    case OP_pow:
    case OP_softplus:
    case OP_erf:
    case OP_random: return 40;
    case OP_var:
    case OP_input:
    case OP_const: return 0;
    default: return op_is_map(n->op) ? 1 : 0;
    }
}

/* A value of everything is computed once, at the top. */
static bool is_uniform(const Node *n)
{
    return !n->shape.batch && shape_size(n->shape) == 1;
}

Work work_after(const Program *p, const Kernel *k)
{
    Work w = {.stores = k->nstores};
    for (int i = 0; i < k->nnodes; i++) {
        const Node *n = k->nodes[i];
        if (n == k->root || is_uniform(n))
            continue;
        w.instructions += op_instructions(n);
        w.busy += n->op == OP_div || n->op == OP_sqrt ? 8 : 0;
        for (int j = 0; j < n->nin; j++) {
            const Node *from = view_base(n->in[j]);
            bool here = p->kernel_of[from->id] == k->id && from->op != OP_var;
            w.loads += !here && !is_uniform(from) && from->op != OP_const;
        }
    }
    return w;
}
