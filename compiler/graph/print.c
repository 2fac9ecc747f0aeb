/* The text form of a function of the graph; read.c reads it back.
 *
 *   fn step "train_1.step" {
 *       var "net.dense_1.kernel" param f32 [3, 2]
 *       %0 = input f32 [batch, 3] index(0) "image"
 *       %1 = var f32 [3, 2] "net.dense_1.kernel"
 *       %2 = contract f32 [batch, 2] %0 %1 extent(2, 3) out(v0) a(v1) b(v1, v0)
 *       %3 = random f32 [3, 2] uniform(17)
 *       init "net.dense_1.kernel" %3
 *       output "coding" %2
 *       update "net.dense_1.kernel" %9
 *   }
 *
 * Nodes are numbered from 0 in order of age. A comment runs from # to the end
 * of the line; the printer writes the layer of a node as one. */
#include <inttypes.h>
#include <string.h>

#include "ops.h"

const char *const fn_kind_name[] = {"init",   "step",   "objective", "network",
                                    "report", "single", "pack"};
const char *const var_kind_name[] = {"param", "state", "slot", "count", "packed"};
const char *const random_kind_name[] = {"uniform", "normal", "bits"};

/* ---- Attributes ------------------------------------------------------------- */

static void print_list(Text *t, const char *name, const int64_t *at, int n)
{
    text_printf(t, " %s(", name);
    for (int i = 0; i < n; i++)
        text_printf(t, "%s%" PRId64, i ? ", " : "", at[i]);
    text_printf(t, ")");
}

static void print_ints(Text *t, const char *name, const int *at, int n)
{
    int64_t wide[MAX_RANK];
    for (int i = 0; i < n; i++)
        wide[i] = at[i];
    print_list(t, name, wide, n);
}

/* The numbers of the axes that are set; `batch` for the last. */
static void print_axes(Text *t, const char *name, const bool *axes, int n)
{
    const char *separator = "";
    text_printf(t, " %s(", name);
    for (int i = 0; i < n; i++)
        if (axes[i]) {
            text_printf(t, i == MAX_RANK ? "%sbatch" : "%s%d", separator, i);
            separator = ", ";
        }
    text_printf(t, ")");
}

static void print_affine(Text *t, const Affine *f)
{
    for (int i = 0; i < f->terms; i++) {
        int64_t k = f->coefficient[i];
        const char *sign = k < 0 ? i ? " - " : "-" : i ? " + " : "";
        if (k == 1 || k == -1)
            text_printf(t, "%sv%d", sign, f->var[i]);
        else
            text_printf(t, "%s%" PRId64 "*v%d", sign, k < 0 ? -k : k, f->var[i]);
    }
    if (!f->terms)
        text_printf(t, "%" PRId64, f->constant);
    else if (f->constant)
        text_printf(t, f->constant < 0 ? " - %" PRId64 : " + %" PRId64,
                    f->constant < 0 ? -f->constant : f->constant);
}

static void print_map(Text *t, const char *name, const Affine *map, int rank)
{
    text_printf(t, " %s(", name);
    for (int i = 0; i < rank; i++) {
        text_printf(t, i ? ", " : "");
        print_affine(t, &map[i]);
    }
    text_printf(t, ")");
}

static void print_contraction(Text *t, const Node *n)
{
    const Contraction *c = &n->attr.contraction;
    print_list(t, "extent", c->extent, c->nvars);
    print_map(t, "out", c->map[0], n->shape.rank);
    print_map(t, "a", c->map[1], n->in[0]->shape.rank);
    if (n->nin > 1)
        print_map(t, "b", c->map[2], n->in[1]->shape.rank);
}

static void print_constant(Text *t, const Node *n)
{
    const double *data = n->attr.constant.data;
    if (!data) {
        text_printf(t, " value(");
        text_double(t, n->attr.constant.number);
        text_printf(t, ")");
        return;
    }
    text_printf(t, " data(");
    for (int64_t i = 0; i < shape_size(n->shape); i++) {
        text_printf(t, i ? ", " : "");
        text_double(t, data[i]);
    }
    text_printf(t, ")");
}

static void print_window(Text *t, const Window *w, int rank)
{
    print_list(t, "size", w->size, rank);
    print_list(t, "stride", w->stride, rank);
    print_list(t, "dilation", w->dilation, rank);
    print_list(t, "low", w->low, rank);
}

/* id; carried, result: id or which; scan: carried, steps, 1 if reverse;
 * the input that says how many steps there are; `again` (see aecc.h). */
static void print_scan(Text *t, const Node *n)
{
    const int64_t of[] = {n->attr.scan.id, n->attr.scan.index};
    const int64_t all[] = {n->attr.scan.id, n->attr.scan.carried, n->attr.scan.steps,
                           n->attr.scan.reverse};
    switch (n->op) {
    case OP_time: print_list(t, "of", of, 1); break;
    case OP_history:
    case OP_carried: print_list(t, "of", of, 2); break;
    case OP_result: print_list(t, "index", of + 1, 1); break;
    default:
        print_list(t, "scan", all, 4);
        if (n->attr.scan.lengths)
            print_list(t, "lengths", (int64_t[]){n->attr.scan.lengths - 1}, 1);
        if (n->attr.scan.stretch)
            print_list(t, "stretch", &n->attr.scan.stretch, 1);
        if (n->attr.scan.again)
            text_printf(t, " again");
    }
}

static void print_attr(Text *t, const Node *n)
{
    const Attr *a = &n->attr;
    int rank = n->nin ? n->in[0]->shape.rank : n->shape.rank;
    switch (op_info[n->op].attr) {
    case ATTR_none: break;
    case ATTR_var: text_printf(t, " \"%s\"", a->var->name); break;
    case ATTR_input: print_ints(t, "index", &a->input, 1); break;
    case ATTR_constant: print_constant(t, n); break;
    case ATTR_axis: print_ints(t, "axis", &a->axis, 1); break;
    case ATTR_random:
        text_printf(t, " %s(%" PRIu32 ")", random_kind_name[a->random.kind], a->random.path);
        break;
    case ATTR_number:
        text_printf(t, " value(");
        text_double(t, a->number);
        text_printf(t, ")");
        break;
    case ATTR_permutation: print_ints(t, "permutation", a->permutation, rank); break;
    case ATTR_map: print_ints(t, "map", a->map, n->shape.rank); break;
    case ATTR_pad:
        print_list(t, "low", a->pad.low, rank);
        print_list(t, "high", a->pad.high, rank);
        print_list(t, "interior", a->pad.interior, rank);
        break;
    case ATTR_slice:
        print_list(t, "start", a->slice.start, rank);
        print_list(t, "limit", a->slice.limit, rank);
        print_list(t, "stride", a->slice.stride, rank);
        break;
    case ATTR_reverse: print_axes(t, "axes", a->reverse, rank); break;
    case ATTR_axes: print_axes(t, "axes", a->axes, MAX_RANK + 1); break;
    case ATTR_contraction: print_contraction(t, n); break;
    case ATTR_window: print_window(t, &a->window, rank); break;
    case ATTR_scan: print_scan(t, n); break;
    }
}

/* ---- Functions ---------------------------------------------------------------- */

typedef struct Listing {
    Text *out;
    const Fn *fn;
    NodeList nodes;
    int *number; /* by id */
    Var **vars;  /* whose nodes are reached, updated, and owners */
    int nvars, cap;
} Listing;

static void list_var(Listing *l, Var *var)
{
    for (int i = 0; i < l->nvars; i++)
        if (l->vars[i] == var)
            return;
    if (var->owner)
        list_var(l, var->owner);
    PUSH(l->vars, l->nvars, l->cap, var);
}

/* An initial value may reach further variables, so this runs to a fixed point. */
static void list_nodes(Listing *l)
{
    const Fn *fn = l->fn;
    for (int known = -1; known < l->nvars;) {
        Node **roots = NULL;
        int n = 0, cap = 0;
        known = l->nvars;
        for (int i = 0; i < fn->ninputs; i++)
            PUSH(roots, n, cap, fn->inputs[i]);
        for (int i = 0; i < fn->noutputs; i++)
            PUSH(roots, n, cap, fn->outputs[i]);
        for (int i = 0; i < fn->nupdates; i++) {
            PUSH(roots, n, cap, fn->values[i]);
            list_var(l, fn->targets[i]);
        }
        for (int i = 0; i < l->nvars; i++)
            if (l->vars[i]->init)
                PUSH(roots, n, cap, l->vars[i]->init);
        l->nodes = graph_reach(n, roots);
        for (int i = 0; i < l->nodes.n; i++)
            if (l->nodes.at[i]->op == OP_var)
                list_var(l, l->nodes.at[i]->attr.var);
    }
}

static void print_var(Text *t, const Var *var)
{
    text_printf(t, "    var \"%s\" %s %s %s", var->name, var_kind_name[var->kind],
                type_name[var->type], shape_text(var->shape));
    if (var->owner)
        text_printf(t, " owner \"%s\"", var->owner->name);
    text_printf(t, "\n");
}

static void print_node(Listing *l, const Node *n)
{
    Text *t = l->out;
    text_printf(t, "    %%%d = %s %s %s", l->number[n->id], op_name[n->op], type_name[n->type],
                shape_text(n->shape));
    for (int i = 0; i < n->nin; i++)
        text_printf(t, " %%%d", l->number[n->in[i]->id]);
    print_attr(t, n);
    if (n->op == OP_input && l->fn->input_names)
        text_printf(t, " \"%s\"", l->fn->input_names[n->attr.input]);
    if (n->layer)
        text_printf(t, "  # %s", n->layer);
    text_printf(t, "\n");
}

/* Of an input: the one whose length it is, or -1, and the most it can be. */
static void print_steps(Text *out, const Fn *fn)
{
    for (int i = 0; i < fn->ninputs && (fn->length_of || fn->most); i++) {
        int of = fn->length_of ? fn->length_of[i] : -1;
        int64_t most = fn->most ? fn->most[i] : 0;
        if (of >= 0 || most > 0)
            text_printf(out, "    steps of(%d, %d, %lld)\n", i, of, (long long)most);
    }
}

void print_fn(Text *out, const Fn *fn)
{
    Listing l = {.out = out, .fn = fn};
    list_nodes(&l);
    l.number = NEW_ARRAY(int, graph_count() + 1);
    text_printf(out, "fn %s \"%s\" {\n", fn_kind_name[fn->kind], fn->name);
    for (int i = 0; i < l.nvars; i++)
        print_var(out, l.vars[i]);
    for (int i = 0; i < l.nodes.n; i++) {
        l.number[l.nodes.at[i]->id] = i;
        print_node(&l, l.nodes.at[i]);
    }
    for (int i = 0; i < l.nvars; i++)
        if (l.vars[i]->init)
            text_printf(out, "    init \"%s\" %%%d\n", l.vars[i]->name,
                        l.number[l.vars[i]->init->id]);
    print_steps(out, fn);
    for (int i = 0; i < fn->noutputs; i++) {
        text_printf(out, "    output \"%s\" %%%d", fn->output_names ? fn->output_names[i] : "out",
                    l.number[fn->outputs[i]->id]);
        if (fn->length && fn->length[i] >= 0)
            text_printf(out, " length(%d)", fn->length[i]);
        text_printf(out, "\n");
    }
    for (int i = 0; i < fn->nupdates; i++)
        text_printf(out, "    update \"%s\" %%%d\n", fn->targets[i]->name,
                    l.number[fn->values[i]->id]);
    text_printf(out, "}\n");
}

void print_graph(Text *out, const Model *m)
{
    text_printf(out, "# %s, from %s\n", m->name, m->source ? m->source : "memory");
    for (int i = 0; i < m->nfns; i++) {
        text_printf(out, "\n");
        print_fn(out, m->fns[i]);
    }
}
