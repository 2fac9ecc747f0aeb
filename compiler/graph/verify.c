/* verify_fn: every node that a function reaches is legal (node_error), its
 * operands are older, and inputs, outputs and updates agree with the
 * function's own lists. Checks between passes; a defect stops the compiler. */
#include "ops.h"

static void verify_node(const Fn *fn, const Node *n)
{
    const char *error = node_error(n);
    if (error)
        die("%s: %%%d %s %s", fn->name, n->id, op_name[n->op], error);
    for (int i = 0; i < n->nin; i++)
        if (n->in[i]->id >= n->id)
            die("%s: %%%d uses the younger %%%d", fn->name, n->id, n->in[i]->id);
    if (n->op == OP_input &&
        (n->attr.input < 0 || n->attr.input >= fn->ninputs || fn->inputs[n->attr.input] != n))
        die("%s: %%%d is no input of the function", fn->name, n->id);
    if (n->op == OP_var && n->attr.var->node != n)
        die("%s: %%%d is not the node of %s", fn->name, n->id, n->attr.var->name);
}

static void verify_update(const Fn *fn, const Var *var, const Node *value)
{
    if (var->type != value->type || !shape_equal(var->shape, value->shape))
        die("%s: update of %s, %s %s, by %s %s", fn->name, var->name, type_name[var->type],
            shape_text(var->shape), type_name[value->type], shape_text(value->shape));
}

void verify_fn(const Fn *fn)
{
    NodeList roots = fn_roots(fn), list = graph_reach(roots.n, roots.at);
    for (int i = 0; i < list.n; i++)
        verify_node(fn, list.at[i]);
    for (int i = 0; i < fn->nupdates; i++)
        verify_update(fn, fn->targets[i], fn->values[i]);
}
