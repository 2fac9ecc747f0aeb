/* The text forms of a program as input: `aecc model.graph --emit=graph`.
 *
 * needs       what --emit=graph, --emit=grad or --emit=loop printed, or a
 *             hand-written text of that form
 * guarantees  the text is read and verified, and printed again in the same
 *             form: byte for byte what print.c would write; errors stand at
 *             their lines (exit 1) */
#include "driver.h"
#include "graph/ops.h"
#include "loop/loop.h"

#include <ctype.h>
#include <string.h>

/* Behind spaces and comments. */
static const char *first_word(const char *at)
{
    while (isspace((unsigned char)*at) || *at == '#')
        at += *at == '#' ? strcspn(at, "\n") : 1;
    return at;
}

TextForm text_form(const char *text)
{
    const char *at = first_word(text);
    return strncmp(at, "fn ", 3) == 0          ? FORM_GRAPH
           : strncmp(at, "program \"", 9) == 0 ? FORM_LOOPS
                                               : FORM_NONE;
}

/* ---- Graphs ------------------------------------------------------------- */

/* The first line of print_graph names the program. */
static void put_title(Text *out, const char *text)
{
    if (*text == '#')
        text_printf(out, "%.*s\n", (int)strcspn(text, "\n"), text);
}

static bool has_gradient(const Fn *fn)
{
    NodeList roots = fn_roots(fn), list = graph_reach(roots.n, roots.at);
    for (int i = 0; i < list.n; i++)
        if (list.at[i]->op == OP_gradient)
            return true;
    return false;
}

typedef struct Graph {
    Text *out;
    const char *emit;
} Graph;

static void reprint_fn(void *job, const Fn *fn)
{
    Graph *g = job;
    verify_fn(fn);
    if (strcmp(g->emit, "grad") == 0 && has_gradient(fn))
        fail_usage("--emit=grad: %s \"%s\" has a gradient left; a text is printed in its own "
                   "form, here --emit=graph",
                   fn_kind_name[fn->kind], fn->name);
    text_printf(g->out, g->out->n ? "\n" : "");
    print_fn(g->out, fn);
}

/* ---- Loops -------------------------------------------------------------- */

static void reprint_loops(Text *out, int file)
{
    int n;
    Program **programs = read_programs(file, &n);
    for (int i = 0; programs && i < n; i++) {
        for (int k = 0; k < programs[i]->nkernels; k++)
            verify_kernel(programs[i]->kernels[k]);
        print_program(out, programs[i], true);
    }
}

/* ---- Entry -------------------------------------------------------------- */

static void check_form(const char *path, TextForm form, const char *emit)
{
    bool graph = strcmp(emit, "graph") == 0 || strcmp(emit, "grad") == 0;
    bool loops = strcmp(emit, "loop") == 0;
    if (form == FORM_GRAPH && !graph)
        fail_usage("%s is the text of a graph: it is read with --emit=graph or --emit=grad", path);
    if (form == FORM_LOOPS && !loops)
        fail_usage("%s is the text of a program's loops: it is read with --emit=loop", path);
}

int reprint(const Options *o, const char *path, const char *text, size_t n)
{
    Text out = {0};
    TextForm form = text_form(text);
    check_form(path, form, o->emit ? o->emit : "exe");
    int file = diag_source(path, text, n);
    blamed_text = path;
    text_put(&out, "", 0);
    if (form == FORM_GRAPH) {
        put_title(&out, text);
        read_graph(file, reprint_fn, &(Graph){&out, o->emit});
    } else {
        reprint_loops(&out, file);
    }
    blamed_text = NULL;
    if (error_count() > 0)
        return EXIT_PROGRAM;
    write_file(o->output ? o->output : "-", out.at, out.n);
    return EXIT_DONE;
}
