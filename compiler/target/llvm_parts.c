/* The code of a model, in one module or in parts that threads compile.
 *
 * needs       lower() has filled in every kernel for the first target
 * guarantees  kernels that do the same are compiled once, also where they do it
 *             in other places, for several functions; what is written
 *             depends on the model and the targets, never on the number of
 *             threads
 *
 * LLVM's modules are built one after another, in this thread: instructions
 * hold their values while they are walked. Optimization and generation of a
 * part, nine tenths of the time, need nothing but its own context, and begin
 * in another thread while the next part is built. */
#define _GNU_SOURCE
#include "target/llvm.h"

#include <llvm-c/Object.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "loop/lower.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Kernels, equal ones once ---------------------------------------------------- */

typedef struct Shared {
    const Kernel *kernel;
    const char *key, *form;
    KernelSymbol symbol;
    int size; /* instructions                                */
} Shared;

typedef struct Kernels {
    Shared *at;
    int n, cap;
    int64_t size;
    KernelSymbol **symbol; /* [function][kernel]                         */
} Kernels;

static bool is_taken(const Kernels *all, const char *symbol)
{
    for (int i = 0; i < all->n; i++)
        if (all->at[i].symbol.name == symbol)
            return true;
    return false;
}

/* Kernels of different functions may have one name. */
static const char *new_symbol(const Kernels *all, const char *name, const char *suffix)
{
    const char *symbol = intern(format("%s%s", name, suffix));
    for (int i = 2; is_taken(all, symbol); i++)
        symbol = intern(format("%s.%d%s", name, i, suffix));
    return symbol;
}

/* Which of `all` stands for the kernel. */
static int shared_by(Kernels *all, const Kernel *kernel, const char *suffix)
{
    Shared s = {.kernel = kernel, .form = kernel_form(kernel)};
    s.key = kernel_key(kernel, &s.size);
    for (int i = 0; i < all->n; i++)
        if (all->at[i].form == s.form) {
            all->at[i].symbol.placed |= all->at[i].key != s.key;
            return i;
        }
    s.symbol.name = new_symbol(all, kernel->name, suffix);
    all->size += s.size;
    PUSH(all->at, all->n, all->cap, s);
    return all->n - 1;
}

static Kernels find_kernels(const Model *model, const char *suffix)
{
    Kernels all = {.symbol = NEW_ARRAY(KernelSymbol *, model->nfns)};
    int **shared = NEW_ARRAY(int *, model->nfns);
    for (int f = 0; f < model->nfns; f++) {
        const Program *program = model->fns[f]->program;
        shared[f] = NEW_ARRAY(int, program->nkernels);
        for (int k = 0; k < program->nkernels; k++)
            shared[f][k] = shared_by(&all, program->kernels[k], suffix);
    }
    for (int f = 0; f < model->nfns; f++) {
        int n = model->fns[f]->program->nkernels;
        all.symbol[f] = NEW_ARRAY(KernelSymbol, n);
        for (int k = 0; k < n; k++)
            all.symbol[f][k] = all.at[shared[f][k]].symbol;
    }
    return all;
}

/* ---- Parts and the threads that compile them --------------------------------------- */

typedef struct Part {
    Emit emit;
    LLVMMemoryBufferRef code;
    double optimize, generate; /* seconds                                     */
} Part;

enum { PART_SIZE = 3000, MOST_PARTS = 16, MOST_THREADS = 16 };

typedef struct Work {
    OutputForm form;
    Part **parts;
    int nparts, cap;
    int next; /* the first that no thread has taken          */
    bool all; /* no more will come                           */
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread[MOST_THREADS];
    int nthreads, most; /* beside this one                             */
} Work;

static void compile_part(Part *p, OutputForm form)
{
    double start = now();
    optimize_module(&p->emit);
    p->optimize = now() - start;
    if (form != OUT_LLVM)
        p->code = generate(&p->emit, form == OUT_ASSEMBLY ? LLVMAssemblyFile : LLVMObjectFile);
    p->generate = now() - start - p->optimize;
}

/* NULL when there are no more. */
static Part *take_part(Work *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->next == w->nparts && !w->all)
        pthread_cond_wait(&w->more, &w->lock);
    Part *p = w->next < w->nparts ? w->parts[w->next++] : NULL;
    pthread_mutex_unlock(&w->lock);
    return p;
}

static void *compile_parts(void *argument)
{
    Work *w = argument;
    for (Part *p; (p = take_part(w)) != NULL;)
        compile_part(p, w->form);
    return NULL;
}

/* A thread that cannot be started is no loss: this one compiles in the end. */
static void publish(Work *w, Part *part)
{
    pthread_mutex_lock(&w->lock);
    PUSH(w->parts, w->nparts, w->cap, part);
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    if (w->nthreads < w->most &&
        pthread_create(&w->thread[w->nthreads], NULL, compile_parts, w) == 0)
        w->nthreads++;
}

static void finish(Work *w)
{
    pthread_mutex_lock(&w->lock);
    w->all = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    compile_parts(w);
    for (int i = 0; i < w->nthreads; i++)
        pthread_join(w->thread[i], NULL);
}

static int processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static Work begin_work(OutputForm form, int jobs)
{
    int threads = form != OUT_OBJECTS ? 1 : jobs ? jobs : processors();
    return (Work){.form = form,
                  .lock = PTHREAD_MUTEX_INITIALIZER,
                  .more = PTHREAD_COND_INITIALIZER,
                  .most = (threads < MOST_THREADS ? threads : MOST_THREADS) - 1};
}

/* ---- The kernels of one target ------------------------------------------------------- */

static int parts_of(const Kernels *all)
{
    int64_t n = (all->size + PART_SIZE - 1) / PART_SIZE;
    return n < 1 ? 1 : n > MOST_PARTS ? MOST_PARTS : (int)n;
}

/* Those from the first-th on that belong to the part; the next part's first. */
static int emit_kernels(Emit *e, const Kernels *all, int first, int64_t *done, int64_t until)
{
    int i = first;
    for (; i < all->n && *done < until; i++) {
        emit_kernel(e, all->at[i].kernel, all->at[i].symbol);
        *done += all->at[i].size;
    }
    return i;
}

typedef struct Variants {
    Target *target;
    const Target **targets;
    const char **suffix;
    int n;
} Variants;

static void emit_in_parts(Work *w, const Model *model, const Variants *v, int which)
{
    Kernels all = find_kernels(model, v->suffix[which]);
    int64_t done = 0;
    for (int i = 0, first = 0, n = parts_of(&all); i < n; i++) {
        Part *p = NEW(Part);
        emit_open(&p->emit, model, &v->target[which], v->suffix[which], false);
        first = emit_kernels(&p->emit, &all, first, &done, all.size * (i + 1) / n);
        if (i == n - 1)
            emit_functions(&p->emit, all.symbol);
        if (i == n - 1 && which == v->n - 1)
            emit_tables(&p->emit, v->targets, v->suffix, v->n);
        publish(w, p);
    }
}

static void emit_whole(Work *w, Part *p, const Model *model, const Variants *v, int which)
{
    Kernels all = find_kernels(model, v->suffix[which]);
    int64_t done = 0;
    if (which == 0)
        emit_open(&p->emit, model, &v->target[0], v->suffix[0], true);
    emit_for(&p->emit, &v->target[which], v->suffix[which]);
    emit_kernels(&p->emit, &all, 0, &done, all.size);
    emit_functions(&p->emit, all.symbol);
    if (which < v->n - 1)
        return;
    emit_tables(&p->emit, v->targets, v->suffix, v->n);
    publish(w, p);
}

/* ---- What came out ---------------------------------------------------------------------- */

static int count_instructions(LLVMValueRef function)
{
    int n = 0;
    LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(function);
    for (; block; block = LLVMGetNextBasicBlock(block)) {
        LLVMValueRef inst = LLVMGetFirstInstruction(block);
        for (; inst; inst = LLVMGetNextInstruction(inst))
            n++;
    }
    return n;
}

static void add_function(Code *code, const char *name, int64_t bytes, LLVMModuleRef module)
{
    LLVMValueRef function = LLVMGetNamedFunction(module, name);
    CodeSize size = {.name = intern(name), .bytes = bytes};
    if (!function || LLVMIsDeclaration(function))
        return;
    size.instructions = count_instructions(function);
    PUSH(code->functions, code->nfunctions, code->functions_cap, size);
}

static void measure(Code *code, const Part *p)
{
    char *message = NULL;
    LLVMBinaryRef object = LLVMCreateBinary(p->code, NULL, &message);
    if (!object)
        die("LLVM: its own object: %s", message);
    LLVMSymbolIteratorRef end = LLVMObjectFileCopySymbolIterator(object);
    while (!LLVMObjectFileIsSymbolIteratorAtEnd(object, end)) {
        add_function(code, LLVMGetSymbolName(end), (int64_t)LLVMGetSymbolSize(end), p->emit.module);
        LLVMMoveToNextSymbol(end);
    }
    LLVMDisposeSymbolIterator(end);
    LLVMDisposeBinary(object);
}

static Text text_of(const Part *p)
{
    Text out = {0};
    if (p->code)
        text_put(&out, LLVMGetBufferStart(p->code), LLVMGetBufferSize(p->code));
    else
        write_text(&p->emit, &out);
    return out;
}

static void take_code(Code *code, Part *p, OutputForm form, bool sizes)
{
    if (sizes && (form == OUT_OBJECT || form == OUT_OBJECTS))
        measure(code, p);
    code->part[code->nparts++] = text_of(p);
    code->optimize += p->optimize;
    code->generate += p->generate;
    if (p->code)
        LLVMDisposeMemoryBuffer(p->code);
    emit_close(&p->emit);
}

/* ---- Entry --------------------------------------------------------------------------------- */

static Variants find_variants(const TargetOptions *options, int n)
{
    Variants v = {NEW_ARRAY(Target, n), NEW_ARRAY(const Target *, n), NEW_ARRAY(const char *, n),
                  n};
    for (int i = 0; i < n; i++) {
        v.target[i] = target_of(&options[i]);
        v.targets[i] = &v.target[i];
        v.suffix[i] = n > 1 ? format(".%s", v.target[i].cpu) : "";
    }
    return v;
}

static void emit_variants(Work *w, const Model *model, const Variants *v)
{
    Part *whole = w->form == OUT_OBJECTS ? NULL : NEW(Part);
    for (int i = 0; i < v->n; i++) {
        if (i > 0) {
            Machine *machine = NEW(Machine);
            *machine = machine_for(&v->target[i].options);
            lower(model, machine);
        }
        if (whole)
            emit_whole(w, whole, model, v, i);
        else
            emit_in_parts(w, model, v, i);
    }
}

Code emit_code(const Model *model, const CodeOptions *o)
{
    double start = now();
    Variants v = find_variants(o->targets, o->ntargets);
    Work w = begin_work(o->form, o->jobs);
    emit_variants(&w, model, &v);
    Code code = {.emit = now() - start, .threads = w.nthreads + 1};
    finish(&w);
    code.part = NEW_ARRAY(Text, w.nparts);
    for (int i = 0; i < w.nparts; i++)
        take_code(&code, w.parts[i], o->form, o->sizes);
    return code;
}

void emit_llvm(const Model *model, const TargetOptions *target, OutputForm form, Text *out)
{
    CodeOptions o = {.targets = target, .ntargets = 1, .form = form};
    Code code = emit_code(model, &o);
    text_put(out, code.part[0].at, code.part[0].n);
}
