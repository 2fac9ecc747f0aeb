/* Looking at a compilation between passes: --dump and --emit, --verify,
 * --stats. */
#include "pipeline.h"
#include "loop/tile.h"

/* ---- As text ------------------------------------------------------------ */

static void put_programs(Text *out, const Model *m, bool loops)
{
    for (int i = 0; i < m->nfns; i++)
        if (m->fns[i]->program)
            print_program(out, m->fns[i]->program, loops);
}

static void put_code(Text *out, const Compilation *c)
{
    Code code = emit_code(
        c->model, &(CodeOptions){.targets = c->targets, .ntargets = c->ntargets, .form = OUT_LLVM});
    text_put(out, code.part[0].at, code.part[0].n);
}

void put_program(Text *out, const Compilation *c, Holds holds)
{
    text_put(out, "", 0);
    switch (holds) {
    case TREE: print_ast(out, c->tree); break;
    case GRAPH: print_graph(out, c->model); break;
    case KERNELS: put_programs(out, c->model, false); break;
    case LOOPS: put_programs(out, c->model, true); break;
    case CODE: put_code(out, c); break;
    case NOTHING: break;
    }
}

/* ---- Verification ------------------------------------------------------- */

static void verify_loops(const Program *program)
{
    for (int i = 0; program && i < program->nkernels; i++)
        verify_kernel(program->kernels[i]);
}

void verify_program(const Compilation *c, Holds holds)
{
    for (int i = 0; holds >= GRAPH && i < c->model->nfns; i++) {
        verify_fn(c->model->fns[i]);
        if (holds == LOOPS)
            verify_loops(c->model->fns[i]->program);
    }
}

/* ---- Sizes -------------------------------------------------------------- */

typedef struct Sizes {
    int functions, operations, kernels, buffers;
    int64_t parameters, fixed_bytes, block_bytes;
} Sizes;

static int operations_of(const Fn *fn)
{
    NodeList outputs = graph_reach(fn->noutputs, fn->outputs);
    NodeList both = {NEW_ARRAY(Node *, outputs.n + fn->nupdates), 0};
    for (int i = 0; i < fn->noutputs; i++)
        both.at[both.n++] = fn->outputs[i];
    for (int i = 0; i < fn->nupdates; i++)
        both.at[both.n++] = fn->values[i];
    return graph_reach(both.n, both.at).n;
}

static void add_program(Sizes *s, const Program *p)
{
    if (!p)
        return;
    s->kernels += p->nkernels;
    s->buffers += p->nbuffers;
    if (p->fixed_bytes > s->fixed_bytes)
        s->fixed_bytes = p->fixed_bytes;
    if (p->block_bytes > s->block_bytes)
        s->block_bytes = p->block_bytes;
}

static Sizes sizes_of(const Model *m)
{
    Sizes s = {.functions = m->nfns};
    for (int i = 0; i < m->nvars; i++)
        if (m->vars[i]->kind == VAR_PARAM)
            s.parameters += shape_size(m->vars[i]->shape);
    for (int i = 0; i < m->nfns; i++) {
        s.operations += operations_of(m->fns[i]);
        add_program(&s, m->fns[i]->program);
    }
    return s;
}

void put_stats_heading(Text *out)
{
    text_printf(out, "%-10s %9s %10s %10s %8s %8s %11s %11s\n", "pass", "functions", "parameters",
                "operations", "kernels", "buffers", "fixed bytes", "block bytes");
}

void put_stats(Text *out, const char *pass, const Compilation *c, Holds holds)
{
    if (holds < GRAPH)
        return;
    Sizes s = sizes_of(c->model);
    text_printf(out, "%-10s %9d %10lld %10d %8d %8d %11lld %11lld\n", pass, s.functions,
                (long long)s.parameters, s.operations, s.kernels, s.buffers,
                (long long)(c->model->fixed_bytes + s.fixed_bytes), (long long)s.block_bytes);
}

/* ---- What scans keep ---------------------------------------------------- */

/* Is b a sequence of this loop's steps that is read after it? */
static bool outlives_loop(const Program *p, const ScanLoop *loop, const Buffer *b)
{
    const Node *n = b->node;
    const Node *scan = n->op == OP_result ? n->in[0] : n->op == OP_history ? n : NULL;
    if (b->rows || !scan || scan->attr.scan.id != loop->id)
        return false;
    for (int k = loop->end; k < p->nkernels; k++)
        for (int i = 0; i < p->kernels[k]->ntouched; i++)
            if (p->kernels[k]->touched[i] == b)
                return true;
    return false;
}

static void put_kept(Text *out, const Program *p, const ScanLoop *loop)
{
    int sequences = 0;
    int64_t each = 0, once = 0;
    for (int i = 0; i < p->nbuffers; i++) {
        const Buffer *b = p->buffers[i];
        if (!outlives_loop(p, loop, b))
            continue;
        sequences++;
        *(holds_samples(b) ? &each : &once) += b->size;
    }
    const Kernel *k = p->kernels[loop->first];
    for (int i = loop->first; i < loop->end && !k->layer; i++)
        k = p->kernels[i];
    text_printf(out, "%8lld %10d %14lld %8lld  %s%s%s%s\n", (long long)loop->steps, sequences,
                (long long)(each / LANES), (long long)once, p->fn->name, k->layer ? " " : "",
                k->layer ? k->layer : "", loop->reverse ? " backwards" : "");
}

void put_sequences(Text *out, const Model *m)
{
    for (int i = 0; i < m->nfns; i++) {
        const Program *p = m->fns[i]->program;
        for (int l = p->nscans; l-- > 0;) {
            if (out->n == 0)
                text_printf(out, "\n%8s %10s %14s %8s  %s\n", "steps", "sequences",
                            "bytes a sample", "and once", "kept of a scan, for what comes later");
            put_kept(out, p, &p->scans[l]);
        }
    }
}

/* ---- Schedules ---------------------------------------------------------- */

typedef struct Listing {
    Text *out;
    const Program *program;
    const Kernel *kernel;
} Listing;

static void put_phase(const Contracted *c, int phase, void *arg)
{
    const Listing *l = arg;
    Schedule by = chosen_schedule(l->program->choices, c);
    text_printf(l->out, "%12.0f  %s %s", estimate(pricing(c), &by).cycles, l->program->fn->name,
                l->kernel->name);
    if (phase > 0)
        text_printf(l->out, " phase %d", phase);
    text_printf(l->out, ": ");
    put_schedule(l->out, c->nest, &by);
    text_printf(l->out, "\n");
}

void put_schedules(Text *out, const Model *m)
{
    for (int i = 0; i < m->nfns; i++) {
        Program *p = m->fns[i]->program;
        for (int k = 0; k < p->nkernels; k++) {
            if (p->kernels[k]->form != FORM_CONTRACT)
                continue;
            if (out->n == 0)
                text_printf(out, "\n%12s  schedule, for %s\n", "cycles", p->machine->name);
            contract_phases(p, p->kernels[k], put_phase, &(Listing){out, p, p->kernels[k]});
        }
    }
}

/* ---- Code --------------------------------------------------------------- */

void put_code_sizes(Text *out, const Code *code)
{
    if (code->nfunctions > 0)
        text_printf(out, "\n%12s %12s  %s\n", "instructions", "bytes", "function");
    for (int i = 0; i < code->nfunctions; i++)
        text_printf(out, "%12d %12lld  %s\n", code->functions[i].instructions,
                    (long long)code->functions[i].bytes, code->functions[i].name);
}
