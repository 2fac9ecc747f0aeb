/* The order of the products of a leaf.
 *
 * needs       products in the order of each output's sum
 * guarantees  the same products; those of one output keep their order, so no
 *             sum changes
 *
 * Step by step, all operands of a step are alive at once, and what slides
 * under the taps of a window stays alive until its last tap. A sweep along the
 * addresses of one operand uses each of its values up before the next:
 *
 *     a0 w0, a1 w0, a2 w0, a1 w1, a2 w1, a3 w1     4 of a, 1 of w alive
 *     a0 w0, a1 w0, a1 w1, a2 w0, a2 w1, a3 w1     1 of a, 2 of w
 *
 * The order with the fewest registers alive wins. Where even that one has no
 * room, operands are loaded again at each step:
 *
 *     a0 w0, a1 w0, a2 w0 | a1 w1, a2 w1, a3 w1    1 of a, 1 of w alive     */
#include "loop/leaf.h"

#include <stdlib.h>
#include <string.h>

/* ---- Values -------------------------------------------------------------------- */

void number_values(Leaf *leaf)
{
    for (int which = 0; which < 2; which++) {
        int64_t *known = NEW_ARRAY(int64_t, leaf->n + 1);
        int n = 0;
        for (int i = 0; i < leaf->n; i++) {
            Product *p = &leaf->at[i];
            int id = 0;
            while (id < n && known[id] != p->address[which])
                id++;
            if (id == n)
                known[n++] = p->address[which];
            p->value[which] = id;
        }
        leaf->nvalues[which] = n;
    }
}

/* Where each value of an operand is used for the first and the last time; room
 * for all values of the leaf. */
typedef struct Uses {
    int *first[2], *last[2];
} Uses;

static Uses new_uses(const Leaf *leaf)
{
    Uses uses;
    for (int which = 0; which < 2; which++) {
        uses.first[which] = NEW_ARRAY(int, leaf->nvalues[which]);
        uses.last[which] = NEW_ARRAY(int, leaf->nvalues[which]);
    }
    return uses;
}

/* The most registers that operands of n products take at once; outputs always
 * take theirs. */
static double registers_of(const Leaf *leaf, const Product *order, int n, Uses *uses)
{
    double most = 0, alive = 0;
    for (int which = 0; which < 2; which++) {
        for (int i = n; i-- > 0;)
            uses->first[which][order[i].value[which]] = i;
        for (int i = 0; i < n; i++)
            uses->last[which][order[i].value[which]] = i;
    }
    for (int i = 0; i < n; i++) {
        for (int which = 0; which < 2; which++)
            if (uses->first[which][order[i].value[which]] == i)
                alive += leaf->registers[which];
        most = alive > most ? alive : most;
        for (int which = 0; which < 2; which++)
            if (uses->last[which][order[i].value[which]] == i)
                alive -= leaf->registers[which];
    }
    return most;
}

/* ---- Sweeps ---------------------------------------------------------------------- */

/* Products by output, those of output i from start[i] on. */
static Product *by_output(const Leaf *leaf, int *start)
{
    Product *sorted = NEW_ARRAY(Product, leaf->n);
    memset(start, 0, (size_t)(leaf->noutputs + 1) * sizeof *start);
    for (int i = 0; i < leaf->n; i++)
        start[leaf->at[i].output + 1]++;
    for (int i = 0; i < leaf->noutputs; i++)
        start[i + 1] += start[i];
    int *next = NEW_ARRAY(int, leaf->noutputs);
    memcpy(next, start, (size_t)leaf->noutputs * sizeof *next);
    for (int i = 0; i < leaf->n; i++)
        sorted[next[leaf->at[i].output]++] = leaf->at[i];
    return sorted;
}

/* Again and again the least (greatest) address that any output needs next. */
static Product *sweep(const Leaf *leaf, int which, int direction)
{
    int *start = NEW_ARRAY(int, leaf->noutputs + 1), *next = NEW_ARRAY(int, leaf->noutputs);
    Product *sorted = by_output(leaf, start), *order = NEW_ARRAY(Product, leaf->n);
    memcpy(next, start, (size_t)leaf->noutputs * sizeof *next);
    for (int n = 0; n < leaf->n;) {
        const Product *best = NULL;
        for (int i = 0; i < leaf->noutputs; i++) {
            const Product *p = &sorted[next[i]];
            if (next[i] < start[i + 1] &&
                (!best || direction * (p->address[which] - best->address[which]) < 0))
                best = p;
        }
        int64_t address = best->address[which];
        for (int i = 0; i < leaf->noutputs; i++)
            while (next[i] < start[i + 1] && sorted[next[i]].address[which] == address)
                order[n++] = sorted[next[i]++];
    }
    return order;
}

/* ---- Step by step ------------------------------------------------------------------ */

/* In the order of steps, of one operand's values, of outputs. */
static int by_step(const Product *p, const Product *q, int which)
{
    return p->step != q->step                   ? p->step - q->step
           : p->value[which] != q->value[which] ? p->value[which] - q->value[which]
                                                : p->output - q->output;
}

static int by_first(const void *p, const void *q)
{
    return by_step(p, q, 0);
}

static int by_second(const void *p, const void *q)
{
    return by_step(p, q, 1);
}

/* Within a step the values of one operand are used up one after the other. */
static Product *step_by_step(const Leaf *leaf, int which)
{
    Product *order = NEW_ARRAY(Product, leaf->n);
    memcpy(order, leaf->at, (size_t)leaf->n * sizeof *order);
    qsort(order, (size_t)leaf->n, sizeof *order, which ? by_second : by_first);
    for (int i = 0; i < leaf->n; i++)
        order[i].fresh = i > 0 && order[i].step != order[i - 1].step;
    return order;
}

/* The most registers that the operands of a step take. */
static double registers_of_steps(const Leaf *leaf, const Product *order, Uses *uses)
{
    double most = 0;
    for (int i = 0, n; i < leaf->n; i += n) {
        for (n = 1; i + n < leaf->n && !order[i + n].fresh; n++)
            ;
        double registers = registers_of(leaf, order + i, n, uses);
        most = registers > most ? registers : most;
    }
    return most;
}

static void load_again(Leaf *leaf, double least, Uses *uses)
{
    for (int which = 0; which < 2; which++) {
        Product *order = step_by_step(leaf, which);
        double registers = registers_of_steps(leaf, order, uses);
        if (registers < least) {
            least = registers;
            leaf->at = order;
        }
    }
}

void order_products(Leaf *leaf)
{
    Uses uses = new_uses(leaf);
    double least = registers_of(leaf, leaf->at, leaf->n, &uses);
    for (int which = 0; which < 2; which++)
        for (int direction = -1; direction <= 1; direction += 2) {
            Product *order = sweep(leaf, which, direction);
            double registers = registers_of(leaf, order, leaf->n, &uses);
            if (registers < least) {
                least = registers;
                leaf->at = order;
            }
        }
    if (least > leaf->room)
        load_again(leaf, least, &uses);
}
