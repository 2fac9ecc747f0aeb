/* Programs, kernels and loops as text; read.c reads the form with loops.
 *
 *   program "train_1.step" fixed 4096 block 1280 scratch 640 part 0 chunk 1
 *   buffer b0 "input.3" block f32 [4] strides 1 size 256 offset 0
 *   kernel "dense_1.14x1" block units 1 inputs {
 *     r0 = loop i1 = 0 .. 4 step 1 carry (v2: vf32 = 0f*) {
 *       i3 = imul i1 16
 *       v4: vf32 = load b0 [i3]
 *       v5: vf32 = fma v4 v4 v2
 *       yield v5
 *     }
 *     v6: vf32 = result r0 0
 *     store b1 [0] v6
 *   }
 *
 * Indices are i1, i3, …, instructions with several results r0, …, all other
 * values v2, … with their type. Constants stand where they are used: 16, or
 * 0.5f (i32: 3w, bool: 1p; a vector of equal lanes: 0f*). The parameters are
 * block, u0, u1, live, time0 and so on. `at i7` after an access names another block. */
#include "loop/loop.h"

#include <inttypes.h>

typedef struct Printer {
    Text *out;
    int next, depth;
} Printer;

static const char *const element_name[] = {"f32", "i32", "u8"};

static bool is_vector(ValueType type)
{
    return type >= V_VF32 && type < V_NONE;
}

/* ---- Operands ------------------------------------------------------------------- */

static void put_constant(Text *out, const Inst *a)
{
    static const char suffix[] = {'f', 'w', 'p'};
    text_double(out, a->number);
    text_printf(out, "%c%s", suffix[(a->type - V_F32) % 3], is_vector(a->type) ? "*" : "");
}

static void put_operand(Text *out, const Inst *a)
{
    if (a->op == L_iconst)
        text_printf(out, "%" PRId64, a->integer);
    else if (a->op == L_fconst)
        put_constant(out, a);
    else if (a->op == L_parameter)
        text_printf(out, "%s", parameter_name[a->integer]);
    else
        text_printf(out, "%c%d", a->type == V_INDEX ? 'i' : a->type == V_NONE ? 'r' : 'v', a->id);
}

static void put_operands(Text *out, int n, Inst *const *args)
{
    for (int i = 0; i < n; i++) {
        text_printf(out, " ");
        put_operand(out, args[i]);
    }
}

static void put_new(Printer *p, Inst *a)
{
    a->id = p->next++;
    put_operand(p->out, a);
    if (a->type != V_INDEX && a->type != V_NONE)
        text_printf(p->out, ": %s", value_type_name[a->type]);
}

/* ---- Instructions ----------------------------------------------------------------- */

static void put_region(Printer *p, const Region *region);

static void indent(const Printer *p)
{
    text_printf(p->out, "%*s", 2 * p->depth, "");
}

static void put_access(Printer *p, const Inst *a, Inst *block)
{
    text_printf(p->out, " b%d [", a->buffer->id);
    put_operand(p->out, a->args[0]);
    text_printf(p->out, "]");
    if (a->op == L_store)
        put_operands(p->out, 1, a->args + 1);
    if (block) {
        text_printf(p->out, " at");
        put_operands(p->out, 1, &block);
    }
}

/* " carry (v0: vf32 = 0f, …)" */
static void put_carried(Printer *p, const Inst *loop)
{
    for (int i = 0; i < loop->nargs - 2; i++) {
        text_printf(p->out, i ? ", " : " carry (");
        put_new(p, loop->carried[i]);
        text_printf(p->out, " =");
        put_operands(p->out, 1, &loop->args[2 + i]);
    }
    text_printf(p->out, loop->nargs > 2 ? ") {\n" : " {\n");
}

static void put_loop(Printer *p, const Inst *loop)
{
    text_printf(p->out, " ");
    put_new(p, loop->index);
    text_printf(p->out, " =");
    put_operands(p->out, 1, loop->args);
    text_printf(p->out, " ..");
    put_operands(p->out, 1, loop->args + 1);
    text_printf(p->out, " step %" PRId64, loop->integer);
    if (loop->passes)
        text_printf(p->out, " passes %d", loop->passes);
    put_carried(p, loop);
    p->depth++;
    put_region(p, &loop->body);
    if (loop->nargs > 2) {
        indent(p);
        text_printf(p->out, "yield");
        put_operands(p->out, loop->nargs - 2, loop->yield);
        text_printf(p->out, "\n");
    }
    p->depth--;
    indent(p);
    text_printf(p->out, "}");
}

/* What follows the operands. */
static void put_attributes(Text *out, const Inst *a)
{
    switch (a->op) {
    case L_imul:
    case L_idiv:
    case L_irem:
    case L_shl:
    case L_shr:
    case L_sar:
    case L_pick:
    case L_result: text_printf(out, " %" PRId64, a->integer); break;
    case L_philox:
        text_printf(out, " %" PRId64 " %s", a->integer, a->number != 0 ? "vector" : "scalar");
        break;
    case L_map:
        text_printf(out, a->map == OP_pow ? " " : "");
        if (a->map == OP_pow)
            text_double(out, a->number);
        break;
    default: break;
    }
}

static bool has_results(const Inst *a)
{
    return a->type != V_NONE || (a->op == L_loop && a->nargs > 2) || a->op == L_transpose ||
           a->op == L_philox || a->op == L_normal;
}

static void put_inst(Printer *p, Inst *a)
{
    indent(p);
    if (has_results(a)) {
        put_new(p, a);
        text_printf(p->out, " = ");
    }
    text_printf(p->out, "%s", loop_op_name[a->op]);
    if (a->op == L_map)
        text_printf(p->out, " %s", op_name[a->map]);
    if (a->op == L_load)
        put_access(p, a, a->nargs > 1 ? a->args[1] : NULL);
    else if (a->op == L_store)
        put_access(p, a, a->nargs > 2 ? a->args[2] : NULL);
    else if (a->op == L_orthogonal)
        text_printf(p->out, " b%d %" PRId64, a->buffer->id, a->integer);
    else if (a->op == L_loop)
        put_loop(p, a);
    else
        put_operands(p->out, a->nargs, a->args);
    put_attributes(p->out, a);
    text_printf(p->out, "\n");
}

static void put_region(Printer *p, const Region *region)
{
    for (int i = 0; i < region->n; i++)
        put_inst(p, region->at[i]);
}

/* ---- Kernels ------------------------------------------------------------------------- */

static void put_heading(Text *out, const Kernel *k)
{
    text_printf(out, "kernel \"%s\" %s units %" PRId64 "%s%s%s", k->name, kernel_kind_name[k->kind],
                k->units, k->load_inputs ? " inputs" : "", k->barrier ? " barrier" : "",
                k->meet ? " meet" : "");
    if (k->shared_bytes)
        text_printf(out, " shared %" PRId64, k->shared_bytes);
    if (k->scan >= 0)
        text_printf(out, " scan %d", k->scan);
}

void print_kernel(Text *out, const Kernel *kernel)
{
    Printer p = {.out = out, .depth = 1};
    put_heading(out, kernel);
    text_printf(out, " {\n");
    put_region(&p, &kernel->body);
    text_printf(out, "}\n");
}

/* The operations of a kernel and the buffers that it writes. */
static void put_nodes(Text *out, const Kernel *kernel)
{
    put_heading(out, kernel);
    if (kernel->layer)
        text_printf(out, " of %s", kernel->layer);
    text_printf(out, "\n ");
    for (int i = 0; i < kernel->nnodes; i++)
        text_printf(out, " %%%d %s", kernel->nodes[i]->id, op_name[kernel->nodes[i]->op]);
    text_printf(out, "\n");
    for (int i = 0; i < kernel->nstores; i++)
        text_printf(out, "  %%%d -> b%d%s\n", kernel->stores[i].node->id,
                    kernel->stores[i].buffer->id, kernel->stores[i].slot ? " of a step" : "");
}

/* ---- Programs ------------------------------------------------------------------------- */

static void put_buffer(Text *out, const Buffer *b)
{
    text_printf(out, "buffer b%d \"%s\" %s %s %s strides", b->id, b->name ? b->name : "",
                space_name[b->space], element_name[b->element], shape_text(b->shape));
    for (int i = 0; i < b->shape.rank; i++)
        text_printf(out, " %" PRId64, b->stride[i]);
    text_printf(out, " size %" PRId64 " offset %" PRId64 "%s\n", b->size, b->offset,
                b->rows ? " rows" : "");
}

/* Kernels [first, end), once for each step. */
static void put_loop_of_kernels(Text *out, const ScanLoop *loop)
{
    text_printf(out, "scan steps %" PRId64 " kernels %d %d", loop->steps, loop->first, loop->end);
    if (loop->outer >= 0)
        text_printf(out, " in %d", loop->outer);
    text_printf(out, "%s", loop->reverse ? " reverse" : "");
    if (loop->lengths)
        text_printf(out, " lengths b%d by %" PRId64 " of", loop->lengths->id, loop->stretch);
    for (int i = 0; i < loop->nsequences && loop->lengths; i++)
        text_printf(out, " b%d", loop->sequences[i]->id);
    text_printf(out, "\n");
}

void print_program(Text *out, const Program *program, bool loops)
{
    text_printf(out,
                "program \"%s\" fixed %" PRId64 " block %" PRId64 " scratch %" PRId64
                " part %" PRId64 " chunk %" PRId64,
                program->fn ? program->fn->name : "", program->fixed_bytes, program->block_bytes,
                program->scratch_bytes, program->part_bytes, program->chunk);
    if (program->shared_blocks)
        text_printf(out, " shared %" PRId64, program->shared_blocks);
    text_printf(out, "\n");
    for (int i = 0; i < program->nbuffers; i++)
        put_buffer(out, program->buffers[i]);
    for (int i = 0; i < program->nscans; i++)
        put_loop_of_kernels(out, &program->scans[i]);
    for (int i = 0; i < program->nkernels; i++)
        if (loops)
            print_kernel(out, program->kernels[i]);
        else
            put_nodes(out, program->kernels[i]);
}
