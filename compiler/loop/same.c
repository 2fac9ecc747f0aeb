/* Which kernels do the same: those whose keys are equal.
 *
 * needs       the loops of a kernel (lower) and its buffers' offsets (plan)
 * guarantees  kernels with one key compute the same values from the same
 *             bytes into the same bytes, whatever they and their buffers are
 *             called: one function can stand for them all. Those of one form do
 *             so in other places, with buffers that overlap alike: one function
 *             can stand for them if it is told where the buffers are
 *
 * A key is the body as bytes: instructions in order, numbered as they come,
 * each with all that decides what it does. */
#include "loop/loop.h"

#include <string.h>

typedef struct Key {
    Text text;
    int next;
    bool placed; /* buffers are where they are, not numbers   */
    Buffer **buffers;
    int nbuffers, cap;
} Key;

static void put_number(Key *k, int64_t n)
{
    text_put(&k->text, (const char *)&n, sizeof n);
}

static void put_double(Key *k, double x)
{
    text_put(&k->text, (const char *)&x, sizeof x);
}

static void put_kind(Key *k, const Inst *inst)
{
    put_number(k, inst->op | inst->type << 8 | (int64_t)inst->map << 16);
    put_number(k, inst->integer);
    put_double(k, inst->number);
}

/* Constants and parameters stand in no region: they are what they say. */
static void put_operand(Key *k, const Inst *inst)
{
    bool plain = inst->op == L_iconst || inst->op == L_fconst || inst->op == L_parameter;
    put_number(k, plain ? -1 : inst->id);
    if (plain)
        put_kind(k, inst);
}

static int number_of(Key *k, Buffer *b)
{
    for (int i = 0; i < k->nbuffers; i++)
        if (k->buffers[i] == b)
            return i;
    PUSH(k->buffers, k->nbuffers, k->cap, b);
    return k->nbuffers - 1;
}

/* aecc_orthogonal is told the shape; all else follows from the index. */
static void put_buffer(Key *k, Buffer *b, bool shaped)
{
    int number = number_of(k, b);
    put_number(k, (k->placed ? b->space : b->space == IN_FIXED) | b->element << 8);
    put_number(k, k->placed ? b->offset : number);
    put_number(k, k->placed ? b->size : 0);
    for (int i = 0; shaped && i < b->shape.rank; i++) {
        put_number(k, b->shape.dim[i]);
        put_number(k, b->stride[i]);
    }
}

static void put_region(Key *k, const Region *);

static void put_loop(Key *k, Inst *loop)
{
    put_number(k, loop->passes);
    loop->index->id = k->next++;
    for (int i = 0; i < loop->nargs - 2; i++)
        loop->carried[i]->id = k->next++;
    put_region(k, &loop->body);
    for (int i = 0; i < loop->nargs - 2; i++)
        put_operand(k, loop->yield[i]);
}

static void put_inst(Key *k, Inst *inst)
{
    inst->id = k->next++;
    put_kind(k, inst);
    put_number(k, inst->nargs);
    for (int i = 0; i < inst->nargs; i++)
        put_operand(k, inst->args[i]);
    if (inst->buffer)
        put_buffer(k, inst->buffer, inst->op == L_orthogonal);
    if (inst->op == L_loop)
        put_loop(k, inst);
}

static void put_region(Key *k, const Region *region)
{
    put_number(k, region->n);
    for (int i = 0; i < region->n; i++)
        put_inst(k, region->at[i]);
}

const char *kernel_key(const Kernel *kernel, int *instructions)
{
    Key k = {.placed = true};
    put_region(&k, &kernel->body);
    *instructions = k.next;
    return intern_n(k.text.at, k.text.n);
}

const char *kernel_form(const Kernel *kernel)
{
    Key k = {0};
    put_region(&k, &kernel->body);
    for (int i = 0; i < k.nbuffers; i++)
        for (int j = 0; j < i; j++)
            put_number(&k, buffers_apart(k.buffers[i], k.buffers[j]));
    return intern_n(k.text.at, k.text.n);
}

Buffer **kernel_buffers(const Kernel *kernel, int *n)
{
    Key k = {0};
    put_region(&k, &kernel->body);
    *n = k.nbuffers;
    return k.buffers;
}

bool buffers_apart(const Buffer *a, const Buffer *b)
{
    return a->space != b->space || a->offset + a->size <= b->offset ||
           b->offset + b->size <= a->offset;
}
