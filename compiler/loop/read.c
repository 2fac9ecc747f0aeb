/* Reads the text of print.c back, so that loops can be written by hand, in
 * tests, and kept beside the kernels they came from.
 *
 * needs       a source (diag_source)
 * guarantees  print_program(…, true) of the result is the text read; after an
 *             error, reported at its place, NULL */
#include "loop/loop.h"

#include <stdlib.h>
#include <string.h>

enum { NOWHERE = -1 };

typedef struct Reader {
    const char *at, *start;
    int file, line;
    bool failed;
    Program *program;
    Kernel *kernel;
    Inst **values;
    int nvalues, values_cap; /* by number                  */
} Reader;

/* ---- Words ------------------------------------------------------------------------- */

static const char PUNCTUATION[] = "[](){}=:,";

static void skip_space(Reader *r)
{
    for (; *r->at && strchr(" \t\r\n", *r->at); r->at++)
        if (*r->at == '\n') {
            r->line++;
            r->start = r->at + 1;
        }
}

/* A string with its quotes, a sign of punctuation, or what stands up to the
 * next of either or a space. */
static size_t word_length(const char *at)
{
    if (*at == '"') {
        size_t n = strcspn(at + 1, "\"\n");
        return n + 1 + (at[n + 1] == '"');
    }
    if (*at && strchr(PUNCTUATION, *at))
        return 1;
    return strcspn(at, "[](){}=:, \t\r\n\"");
}

static void fail(Reader *r, const char *expected)
{
    skip_space(r);
    size_t n = word_length(r->at);
    Pos pos = {r->file, r->line, (int)(r->at - r->start) + 1, n ? (int)n : 1};
    if (!r->failed)
        error_at(pos, "expected %s, found %s", expected,
                 n ? format("`%.*s`", (int)n, r->at) : "the end");
    r->failed = true;
}

static bool sees(Reader *r, const char *word)
{
    skip_space(r);
    size_t n = word_length(r->at);
    return !r->failed && n && n == strlen(word) && !strncmp(r->at, word, n);
}

static bool take(Reader *r, const char *word)
{
    bool found = sees(r, word);
    r->at += found ? strlen(word) : 0;
    return found;
}

static void need(Reader *r, const char *word)
{
    if (!take(r, word))
        fail(r, format("`%s`", word));
}

static const char *take_word(Reader *r, const char *expected)
{
    skip_space(r);
    size_t n = word_length(r->at);
    if (r->failed || !n) {
        fail(r, expected);
        return "";
    }
    const char *word = intern_n(r->at, n);
    r->at += n;
    return word;
}

static int64_t take_integer(Reader *r)
{
    skip_space(r);
    char *end;
    int64_t value = strtoll(r->at, &end, 10);
    if (r->failed || end == r->at || (size_t)(end - r->at) != word_length(r->at)) {
        fail(r, "an integer");
        return 0;
    }
    r->at = end;
    return value;
}

static int64_t take_field(Reader *r, const char *name)
{
    need(r, name);
    return take_integer(r);
}

static const char *take_string(Reader *r)
{
    skip_space(r);
    size_t n = word_length(r->at);
    if (r->failed || n < 2 || *r->at != '"' || r->at[n - 1] != '"') {
        fail(r, "a name in quotes");
        return "";
    }
    r->at += n;
    return intern_n(r->at - n + 1, n - 2);
}

/* The index of the next word in a list of names, or NOWHERE and an error. */
static int take_name(Reader *r, const char *const *names, int n, const char *expected)
{
    for (int i = 0; i < n; i++)
        if (names[i] && take(r, names[i]))
            return i;
    fail(r, expected);
    return NOWHERE;
}

/* ---- Values ----------------------------------------------------------------------------- */

/* "v12" -> 12; NOWHERE: not one of the letters, or no number after it. */
static int number_of(const char *word, const char *letters)
{
    if (!word[0] || !strchr(letters, word[0]))
        return NOWHERE;
    char *end;
    long n = strtol(word + 1, &end, 10);
    bool good = end != word + 1 && !*end && n >= 0 && n < 1 << 24;
    return good ? (int)n : NOWHERE;
}

static Inst *new_inst(LoopOp op, ValueType type)
{
    Inst *inst = NEW(Inst);
    inst->op = op;
    inst->type = type;
    return inst;
}

static Inst *nothing(void)
{
    return new_inst(L_iconst, V_INDEX);
}

static Inst *constant(Reader *r, const char *word)
{
    static const char kinds[] = "fwp";
    char *end;
    double number = strtod(word, &end);
    const char *kind = *end ? strchr(kinds, *end) : NULL;
    bool vector = kind && end[1] == '*';
    if (end == word || !kind || end[1 + vector])
        fail(r, "a value before this");
    int scalar = kind ? (int)(kind - kinds) : 0;
    Inst *inst = new_inst(L_fconst, (ValueType)((vector ? V_VF32 : V_F32) + scalar));
    inst->number = number;
    return inst;
}

static Inst *parameter_named(const Kernel *kernel, const char *word)
{
    Inst *all[N_PARAMETERS];
    kernel_parameters(kernel, all);
    for (int i = 0; i < N_PARAMETERS; i++)
        if (!strcmp(word, parameter_name[i]))
            return all[i];
    return NULL;
}

static Inst *take_operand(Reader *r)
{
    const char *word = take_word(r, "a value");
    char *end;
    int64_t integer = strtoll(word, &end, 10);
    int number = number_of(word, "ivr");
    Inst *parameter = parameter_named(r->kernel, word);
    if (r->failed)
        return nothing();
    if (parameter)
        return parameter;
    if (number != NOWHERE) {
        if (number < r->nvalues && r->values[number])
            return r->values[number];
        fail(r, format("a value before this instead of %s, which is not defined", word));
        return nothing();
    }
    if (end == word || *end)
        return constant(r, word);
    Inst *inst = nothing();
    inst->integer = integer;
    return inst;
}

/* A new value's name and, but for indices and results, its type. */
static Inst *take_new(Reader *r, LoopOp op)
{
    const char *word = take_word(r, "a new value");
    int number = number_of(word, "ivr");
    ValueType type = word[0] == 'i' ? V_INDEX : V_NONE;
    if (number == NOWHERE) {
        fail(r, "a new value, as i1, v2 or r3");
        return nothing();
    }
    if (word[0] == 'v') {
        need(r, ":");
        type = (ValueType)take_name(r, value_type_name, V_NONE, "a type of value");
    }
    Inst *inst = new_inst(op, type);
    while (r->nvalues <= number)
        PUSH(r->values, r->nvalues, r->values_cap, NULL);
    r->values[number] = inst;
    return inst;
}

static void put_arg(Inst *inst, Inst *arg)
{
    Inst **args = NEW_ARRAY(Inst *, inst->nargs + 1);
    for (int i = 0; i < inst->nargs; i++)
        args[i] = inst->args[i];
    args[inst->nargs++] = arg;
    inst->args = args;
}

static void take_args(Reader *r, Inst *inst, int n)
{
    for (int i = 0; i < n; i++)
        put_arg(inst, take_operand(r));
}

/* ---- Instructions ---------------------------------------------------------------------------- */

static void read_region(Reader *r, Region *region);

static Buffer *take_buffer(Reader *r)
{
    const char *word = take_word(r, "a buffer");
    int number = number_of(word, "b");
    if (number == NOWHERE || number >= r->program->nbuffers) {
        fail(r, format("a buffer of the program instead of %s", word));
        return NEW(Buffer);
    }
    return r->program->buffers[number];
}

static void read_access(Reader *r, Inst *inst)
{
    inst->buffer = take_buffer(r);
    need(r, "[");
    take_args(r, inst, 1);
    need(r, "]");
    if (inst->op == L_store)
        take_args(r, inst, 1);
    if (take(r, "at"))
        take_args(r, inst, 1);
}

static void read_carried(Reader *r, Inst *loop, int *cap)
{
    int n = loop->nargs - 2;
    Inst *carried = take_new(r, L_carried);
    carried->home = &loop->body;
    carried->integer = n;
    PUSH(loop->carried, n, *cap, carried);
    need(r, "=");
    take_args(r, loop, 1);
}

static void read_loop(Reader *r, Inst *loop)
{
    int cap = 0;
    loop->index = take_new(r, L_index);
    loop->index->home = &loop->body;
    need(r, "=");
    take_args(r, loop, 1);
    need(r, "..");
    take_args(r, loop, 1);
    loop->integer = loop->index->integer = take_field(r, "step");
    if (take(r, "passes"))
        loop->passes = (int)take_integer(r);
    if (take(r, "carry")) {
        need(r, "(");
        do
            read_carried(r, loop, &cap);
        while (take(r, ","));
        need(r, ")");
    }
    loop->index->nargs = 2;
    loop->index->args = loop->args;
    need(r, "{");
    read_region(r, &loop->body);
    loop->yield = NEW_ARRAY(Inst *, loop->nargs - 2 + 1);
    if (loop->nargs > 2)
        need(r, "yield");
    for (int i = 0; i < loop->nargs - 2; i++)
        loop->yield[i] = take_operand(r);
    need(r, "}");
}

/* Operands stand on the instruction's line. */
static void read_operands(Reader *r, Inst *inst)
{
    for (;;) {
        size_t spaces = strspn(r->at, " \t");
        if (r->failed || !r->at[spaces] || strchr("\r\n}", r->at[spaces]))
            return;
        put_arg(inst, take_operand(r));
    }
}

static void read_map(Reader *r, Inst *inst)
{
    int op = take_name(r, op_name, N_OPS, "an elementwise operation");
    inst->map = op == NOWHERE ? OP_add : (Op)op;
    if (inst->map != OP_pow) {
        read_operands(r, inst);
        return;
    }
    take_args(r, inst, 1);
    inst->number = strtod(take_word(r, "an exponent"), NULL);
}

static void read_rest(Reader *r, Inst *inst)
{
    switch (inst->op) {
    case L_loop: read_loop(r, inst); break;
    case L_load:
    case L_store: read_access(r, inst); break;
    case L_map: read_map(r, inst); break;
    case L_orthogonal:
        inst->buffer = take_buffer(r);
        inst->integer = take_integer(r);
        break;
    case L_imul:
    case L_idiv:
    case L_irem:
    case L_shl:
    case L_shr:
    case L_sar:
    case L_pick:
    case L_result:
    case L_philox:
        take_args(r, inst, 1);
        inst->integer = take_integer(r);
        if (inst->op == L_philox && !(inst->number = take(r, "vector")))
            need(r, "scalar");
        break;
    default: read_operands(r, inst); break;
    }
}

static LoopOp take_op(Reader *r)
{
    int op = take_name(r, loop_op_name, N_LOOP_OPS, "an instruction");
    return op == NOWHERE ? L_iconst : (LoopOp)op;
}

static bool starts_value(const Reader *r)
{
    return *r->at && strchr("ivr", *r->at) && r->at[1] >= '0' && r->at[1] <= '9';
}

static void read_inst(Reader *r, Region *region)
{
    Inst *inst;
    skip_space(r);
    if (starts_value(r)) {
        inst = take_new(r, L_iconst);
        need(r, "=");
        inst->op = take_op(r);
    } else {
        inst = new_inst(take_op(r), V_NONE);
    }
    inst->body.up = region;
    inst->home = region;
    read_rest(r, inst);
    PUSH(region->at, region->n, region->cap, inst);
}

static void read_region(Reader *r, Region *region)
{
    while (!r->failed && !sees(r, "}") && !sees(r, "yield"))
        read_inst(r, region);
}

/* ---- Kernels and programs ---------------------------------------------------- */

/* The number of a loop of kernels that stands above. */
static int loop_number(Reader *r)
{
    int64_t number = take_integer(r);
    if (!r->failed && (number < 0 || number >= r->program->nscans))
        fail(r, "the number of a scan above");
    return r->failed ? -1 : (int)number;
}

static void read_kernel(Reader *r)
{
    Kernel *kernel = r->kernel = NEW(Kernel);
    r->nvalues = 0;
    kernel->name = take_string(r);
    kernel->kind = (KernelKind)take_name(r, kernel_kind_name, KERNEL_UNIT + 1, "a kind of kernel");
    kernel->units = take_field(r, "units");
    kernel->load_inputs = take(r, "inputs");
    kernel->barrier = take(r, "barrier");
    kernel->meet = take(r, "meet");
    if (sees(r, "shared"))
        kernel->shared_bytes = take_field(r, "shared");
    kernel->scan = -1;
    if (take(r, "scan"))
        kernel->scan = loop_number(r);
    loop_into(loop_kernel(kernel));
    need(r, "{");
    read_region(r, &kernel->body);
    need(r, "}");
    kernel->id = r->program->nkernels;
    PUSH(r->program->kernels, r->program->nkernels, r->program->kernels_cap, kernel);
}

static void read_shape(Reader *r, Shape *shape)
{
    need(r, "[");
    shape->batch = take(r, "batch");
    if (shape->batch)
        take(r, ",");
    while (!r->failed && !sees(r, "]")) {
        if (shape->rank == MAX_RANK) {
            fail(r, "at most 8 dimensions");
            return;
        }
        shape->dim[shape->rank++] = take_integer(r);
        if (!take(r, ","))
            break;
    }
    need(r, "]");
}

/* Of a loop that ends with the samples: that buffer, and what it writes. */
static void read_lengths(Reader *r, ScanLoop *loop)
{
    int cap = 0;
    loop->lengths = take_buffer(r);
    loop->stretch = take_field(r, "by");
    need(r, "of");
    while (!r->failed && !sees(r, "scan") && !sees(r, "kernel") && !sees(r, "program") && *r->at)
        PUSH(loop->sequences, loop->nsequences, cap, take_buffer(r));
    bool good = holds_samples(loop->lengths) && loop->lengths->element == E_I32 &&
                loop->stretch > 0;
    for (int i = 0; i < loop->nsequences; i++) {
        const Buffer *b = loop->sequences[i];
        bool known = holds_samples(b) || b->space == IN_FIXED;
        good &= known && b->shape.rank > 0 && b->shape.dim[0] >= loop->steps;
    }
    if (!good)
        fail(r, "the lengths of samples and sequences of as many steps");
}

static void read_loop_of_kernels(Reader *r)
{
    ScanLoop loop = {.outer = -1, .steps = take_field(r, "steps")};
    need(r, "kernels");
    loop.first = (int)take_integer(r);
    loop.end = (int)take_integer(r);
    if (take(r, "in"))
        loop.outer = loop_number(r);
    loop.reverse = take(r, "reverse");
    if (take(r, "lengths"))
        read_lengths(r, &loop);
    loop.depth = loop.outer >= 0 ? r->program->scans[loop.outer].depth + 1 : 0;
    if (loop.steps < 1 || loop.first < 0 || loop.end <= loop.first ||
        loop.depth >= MAX_SCAN_DEPTH)
        fail(r, "a scan of some steps and kernels");
    PUSH(r->program->scans, r->program->nscans, r->program->scans_cap, loop);
}

static void read_buffer(Reader *r)
{
    static const char *const elements[] = {"f32", "i32", "u8"};
    Program *p = r->program;
    Buffer *b = NEW(Buffer);
    if (number_of(take_word(r, "a buffer"), "b") != p->nbuffers)
        fail(r, format("buffer b%d before this", p->nbuffers));
    b->id = p->nbuffers;
    b->name = take_string(r);
    b->space = (BufferSpace)take_name(r, space_name, N_SPACES, "a part of memory");
    b->element = (ElementType)take_name(r, elements, 3, "a type of element");
    read_shape(r, &b->shape);
    need(r, "strides");
    for (int i = 0; i < b->shape.rank; i++)
        b->stride[i] = take_integer(r);
    b->size = take_field(r, "size");
    b->offset = take_field(r, "offset");
    b->rows = take(r, "rows");
    PUSH(p->buffers, p->nbuffers, p->buffers_cap, b);
}

static Program *read_one(Reader *r)
{
    Fn *fn = NEW(Fn);
    r->program = NEW(Program);
    need(r, "program");
    fn->name = take_string(r);
    fn->program = r->program;
    r->program->fn = fn;
    r->program->fixed_bytes = take_field(r, "fixed");
    r->program->block_bytes = take_field(r, "block");
    r->program->scratch_bytes = take_field(r, "scratch");
    r->program->part_bytes = take_field(r, "part");
    r->program->chunk = take_field(r, "chunk");
    if (sees(r, "shared"))
        r->program->shared_blocks = take_field(r, "shared");
    while (!r->failed && take(r, "buffer"))
        read_buffer(r);
    while (!r->failed && take(r, "scan"))
        read_loop_of_kernels(r);
    while (!r->failed && take(r, "kernel"))
        read_kernel(r);
    for (int i = 0; i < r->program->nscans; i++)
        if (r->program->scans[i].end > r->program->nkernels)
            fail(r, "as many kernels as its scans say");
    skip_space(r);
    return r->program;
}

static Reader reader_of(int file)
{
    size_t n;
    const char *text = source_text(file, &n);
    return (Reader){.at = text, .start = text, .file = file, .line = 1};
}

Program *read_program(int file)
{
    Reader r = reader_of(file);
    Program *program = read_one(&r);
    if (*r.at)
        fail(&r, "a kernel");
    return r.failed ? NULL : program;
}

Program **read_programs(int file, int *n)
{
    Reader r = reader_of(file);
    Program **programs = NULL;
    int cap = 0;
    *n = 0;
    do {
        PUSH(programs, *n, cap, read_one(&r));
    } while (!r.failed && sees(&r, "program"));
    if (*r.at)
        fail(&r, "a kernel or a program");
    return r.failed ? NULL : programs;
}
