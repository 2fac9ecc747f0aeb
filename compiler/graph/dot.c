/* print_dot: a model as a picture for Graphviz, a cluster for each function;
 * constants are written into the nodes that use them. */
#include "ops.h"

/* Names can hold anything: quotes and backslashes are escaped. */
static void print_label(Text *t, const char *s)
{
    for (; *s; s++)
        text_printf(t, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
}

static const char *color(const Node *n)
{
    switch (op_info[n->op].kind) {
    case LEAF: return "lightyellow";
    case CONTRACT: return "lightblue";
    case REDUCE: return "lightgreen";
    case LAYOUT: return "gray90";
    default: return "white";
    }
}

static bool inside_its_users(const Node *n)
{
    return n->op == OP_const && !n->attr.constant.data;
}

static void dot_node(Text *t, int fn, const Node *n)
{
    text_printf(t, "    n%d_%d [fillcolor=%s label=\"", fn, n->id, color(n));
    print_label(t, n->op == OP_var ? n->attr.var->name : op_name[n->op]);
    for (int i = 0; i < n->nin; i++)
        if (inside_its_users(n->in[i])) {
            text_printf(t, " ");
            text_double(t, n->in[i]->attr.constant.number);
        }
    text_printf(t, "\\n%s", shape_text(n->shape));
    if (n->layer) {
        text_printf(t, "\\n");
        print_label(t, n->layer);
    }
    text_printf(t, "\"];\n");
    for (int i = 0; i < n->nin; i++)
        if (!inside_its_users(n->in[i]))
            text_printf(t, "    n%d_%d -> n%d_%d;\n", fn, n->in[i]->id, fn, n->id);
}

static void dot_result(Text *t, int fn, int i, const char *name, const Node *value)
{
    text_printf(t, "    r%d_%d [shape=plaintext label=\"", fn, i);
    print_label(t, name);
    text_printf(t, "\"];\n    n%d_%d -> r%d_%d;\n", fn, value->id, fn, i);
}

static bool is_root(const Node *n, NodeList roots)
{
    for (int i = 0; i < roots.n; i++)
        if (roots.at[i] == n)
            return true;
    return false;
}

static const char *result_name(const Fn *fn, int i)
{
    if (i >= fn->noutputs)
        return fn->targets[i - fn->noutputs]->name;
    return fn->output_names ? fn->output_names[i] : "out";
}

static void dot_fn(Text *t, int index, const Fn *fn)
{
    NodeList roots = fn_roots(fn), list = graph_reach(roots.n, roots.at);
    text_printf(t, "  subgraph cluster_%d {\n    label=\"", index);
    print_label(t, fn->name);
    text_printf(t, "\";\n");
    for (int i = 0; i < roots.n; i++)
        dot_result(t, index, i, result_name(fn, i), roots.at[i]);
    for (int i = 0; i < list.n; i++)
        if (!inside_its_users(list.at[i]) || is_root(list.at[i], roots))
            dot_node(t, index, list.at[i]);
    text_printf(t, "  }\n");
}

void print_dot(Text *t, const Model *m)
{
    text_printf(t, "digraph \"");
    print_label(t, m->name);
    text_printf(t, "\" {\n  node [shape=box style=filled fontname=sans];\n");
    for (int i = 0; i < m->nfns; i++)
        dot_fn(t, i, m->fns[i]);
    text_printf(t, "}\n");
}
