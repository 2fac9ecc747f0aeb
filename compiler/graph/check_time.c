/* Sequences whose length is known at run time.
 *
 * The graph has the maximum: `x: [time <= 512, 28]` is a tensor [512, 28] with
 * a second one beside it, its lengths (i32, one for each sample), which its
 * Value names. Time is the first axis. What goes on step by step keeps the
 * lengths; what joins steps selects those below the length; what could do
 * neither is reported.
 *
 *   mean(x)      sum(select(time < length, x, 0)) / (28 * sum(length))
 *   scan s in x  next = select(time < length, next, carried)
 *
 * Padded steps hold what the first step holds, which every sequence has: so
 * what is made of them is as much a number as what is made of the others, and
 * so are the gradients that sums, which select, leave at zero. Zeros would
 * give 0 * infinity behind a logarithm. What a function gives is zero there. */
#include "graph/check.h"

/* ---- Values -------------------------------------------------------------------- */

bool is_sequence(Value v)
{
    return v.kind == V_TENSOR && v.length && v.most == 0;
}

bool is_count(Value v)
{
    return v.kind == V_TENSOR && v.length && v.most > 0;
}

Value v_sequence(Node *node, Node *length)
{
    Value v = v_tensor(node);
    if (!node || !length)
        return v;
    Shape each = node->shape;
    each.batch = true;
    v.node = graph_expand(node, each);
    v.length = length;
    return v;
}

Value v_count(Node *length, int64_t most)
{
    Value v = v_tensor(graph_convert(length, T_F32));
    v.length = length;
    v.most = most;
    return v;
}

/* ---- Which steps count ------------------------------------------------------------ */

Node *valid_steps(Node *length, Shape shape)
{
    Shape steps = {.rank = shape.rank};
    for (int i = 0; i < shape.rank; i++)
        steps.dim[i] = i ? 1 : shape.dim[0];
    shape.batch = true;
    return graph_op2(OP_lt, graph_expand(graph_iota(T_I32, steps, 0), shape),
                     graph_expand(length, shape));
}

Node *valid_or(Node *length, Node *x, double otherwise)
{
    Node *other = graph_typed(x->type, x->shape, otherwise);
    return graph_select(valid_steps(length, x->shape), x, other);
}

Node *filled(Node *length, Node *x)
{
    int64_t start[MAX_RANK] = {0}, limit[MAX_RANK], stride[MAX_RANK];
    for (int i = 0; i < x->shape.rank; i++) {
        limit[i] = i ? x->shape.dim[i] : 1;
        stride[i] = 1;
    }
    Node *first = graph_expand(graph_slice(x, start, limit, stride), x->shape);
    return graph_select(valid_steps(length, x->shape), x, first);
}

Node *under_filling(Node *n)
{
    if (n->op != OP_select)
        return NULL;
    for (const Node *first = n->in[2]; first->nin > 0; first = first->in[0])
        if (first->op == OP_slice && first->in[0] == n->in[1])
            return n->in[1];
    return NULL;
}

Value v_filled(Node *node, Node *length)
{
    return length ? v_sequence(filled(length, node), length) : v_tensor(node);
}

/* ---- What goes on step by step ------------------------------------------------------ */

void report_lengths(Check *c, Pos pos, Value a, Value b)
{
    report(c, pos, "these sequences have different lengths: %s, %s", introduce(a), introduce(b));
    if (a.name && a.declared.line)
        note(c, a.declared, "`%s` is bound here", a.name);
    if (b.name && b.declared.line)
        note(c, b.declared, "`%s` is bound here", b.name);
    advise(c, "what goes step by step together comes as one sequence: "
              "`x: [time <= …, features of both]`, then `split(x, [3, 2])`");
}

bool common_length(Check *c, Pos pos, int n, const Value *v, Node **length)
{
    const Value *first = NULL;
    *length = NULL;
    for (int i = 0; i < n; i++) {
        if (!is_sequence(v[i]))
            continue;
        if (first && first->length != v[i].length) {
            report_lengths(c, pos, *first, v[i]);
            return false;
        }
        first = first ? first : &v[i];
        *length = v[i].length;
    }
    return true;
}

Value step_by_step(Check *c, Pos pos, Value result, int n, const Value *v)
{
    Node *length;
    if (result.kind != V_TENSOR || !common_length(c, pos, n, v, &length))
        return result.kind == V_TENSOR ? v_error() : result;
    for (int i = 0; i < n && length; i++) {
        Shape to = result.node->shape, from = is_sequence(v[i]) ? v[i].node->shape : to;
        if (from.rank == to.rank && from.dim[0] == to.dim[0])
            continue;
        report(c, pos, "%s, and the result is %s: steps stay the first axis", introduce(v[i]),
               sample_text(to));
        return v_error();
    }
    return v_sequence(result.node, length);
}

bool only_fixed(Check *c, Pos pos, const char *what, int n, const Value *v)
{
    for (int i = 0; i < n; i++) {
        if (!is_sequence(v[i]))
            continue;
        report(c, v[i].pos.line ? v[i].pos : pos,
               "%s, a sequence of varying length: %s would not know its last step", introduce(v[i]),
               what);
        advise(c, "a `scan` goes through the steps there are, `backwards` from the last one");
        return false;
    }
    return true;
}

/* ---- length(x) ------------------------------------------------------------------------ */

Value length_value(Check *c, Call *call)
{
    Value x = call->arg[0];
    if (is_sequence(x))
        return v_count(x.length, x.node->shape.dim[0]);
    if (x.kind == V_TENSOR && x.node->shape.rank > 0)
        return v_number((double)x.node->shape.dim[0]);
    report(c, x.pos, "%s, expected a sequence: its length is the number of its steps",
           introduce(x));
    return v_error();
}

/* ---- Signatures ------------------------------------------------------------------------- */

const Ast *varying_size(const Ast *shape)
{
    int first = shape && shape->kids.n > 0 && shape->kids.at[0]->kind == AST_NAME &&
                shape->kids.at[0]->name == intern("batch");
    const Ast *e = shape && shape->kids.n > first ? shape->kids.at[first] : NULL;
    return e && e->kind == AST_AT_MOST && e->name != intern("batch") ? e : NULL;
}

bool maximum_of(Check *c, const Ast *size, Env *env, int64_t *most)
{
    return to_whole(c, eval(c, size->a, env), format("the maximum of `%s`", size->name), 1,
                    MAX_ELEMENTS, most);
}
