/* Views: operations that only say where an element is. A chain of them over
 * a tensor in memory is an affine address when no reshape breaks it. */
#include "loop/lower.h"

bool op_is_view(Op op)
{
    switch (op) {
    case OP_reshape:
    case OP_transpose:
    case OP_broadcast:
    case OP_slice:
    case OP_reverse:
    case OP_element:
    case OP_stop_gradient: return true;
    default: return false;
    }
}

Node *view_base(Node *n)
{
    while (op_is_view(n->op))
        n = n->in[0];
    return n;
}

static void natural_strides(Shape shape, int64_t stride[MAX_RANK])
{
    int64_t s = 1;
    for (int i = shape.rank - 1; i >= 0; i--) {
        stride[i] = s;
        s *= shape.dim[i];
    }
}

/* As its buffer has them; natural before there are buffers (p is NULL).
 * Inputs are as the runtime writes them, without padding. */
static void base_strides(const Program *p, const Node *n, int64_t stride[MAX_RANK])
{
    const Buffer *b = p ? p->by_node[n->id] : NULL;
    if (b)
        for (int i = 0; i < n->shape.rank; i++)
            stride[i] = b->stride[i];
    else if (n->shape.batch || n->op == OP_input)
        natural_strides(n->shape, stride);
    else
        storage_of(n->shape, stride);
}

/* Axes of length 1 may have any stride: they never move. */
static bool has_natural(Shape shape, const int64_t *stride)
{
    int64_t expected[MAX_RANK];
    natural_strides(shape, expected);
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] != 1 && stride[i] != expected[i])
            return false;
    return true;
}

bool is_natural(const Node *n)
{
    int64_t stride[MAX_RANK];
    base_strides(NULL, n, stride);
    return has_natural(n->shape, stride);
}

static bool strides_through(const Program *p, Node *n, int64_t *offset, int64_t stride[MAX_RANK])
{
    if (!op_is_view(n->op) || (p && p->kernel_of[n->id] >= 0)) {
        *offset = 0;
        base_strides(p, n, stride);
        return true;
    }
    Node *in = n->in[0];
    int64_t s[MAX_RANK];
    if (!strides_through(p, in, offset, s))
        return false;
    switch (n->op) {
    case OP_reshape:
        if (!has_natural(in->shape, s))
            return false;
        natural_strides(n->shape, stride);
        return true;
    case OP_transpose:
        for (int i = 0; i < n->shape.rank; i++)
            stride[i] = s[n->attr.permutation[i]];
        return true;
    case OP_broadcast:
        for (int i = 0; i < n->shape.rank; i++) {
            int from = n->attr.map[i];
            stride[i] = from < 0 || in->shape.dim[from] == 1 ? 0 : s[from];
        }
        return in->shape.batch == n->shape.batch;
    case OP_slice:
        for (int i = 0; i < n->shape.rank; i++) {
            *offset += n->attr.slice.start[i] * s[i];
            stride[i] = s[i] * n->attr.slice.stride[i];
        }
        return true;
    case OP_reverse:
        for (int i = 0; i < n->shape.rank; i++) {
            bool flip = n->attr.reverse[i];
            *offset += flip ? (n->shape.dim[i] - 1) * s[i] : 0;
            stride[i] = flip ? -s[i] : s[i];
        }
        return true;
    case OP_element: /* its place along the first axis is in memory_shift() */
        for (int i = 0; i < n->shape.rank; i++)
            stride[i] = s[i + 1];
        return true;
    default: /* stop_gradient */
        for (int i = 0; i < n->shape.rank; i++)
            stride[i] = s[i];
        return true;
    }
}

Node *memory_node(const Program *p, Node *n)
{
    while (op_is_view(n->op) && p->kernel_of[n->id] < 0)
        n = n->in[0];
    return n;
}

bool view_strides(Node *n, int64_t *offset, int64_t stride[MAX_RANK])
{
    return strides_through(NULL, n, offset, stride);
}

void memory_strides(const Program *p, Node *n, int64_t *offset, int64_t stride[MAX_RANK])
{
    if (!strides_through(p, n, offset, stride))
        die("operand %d has no affine address", n->id);
}

Inst *memory_shift(Eval *e, Node *n)
{
    Inst *shift = iconst(0);
    for (; op_is_view(n->op) && e->program->kernel_of[n->id] < 0; n = n->in[0]) {
        int64_t offset, stride[MAX_RANK];
        if (n->op != OP_element)
            continue;
        if (!strides_through(e->program, n->in[0], &offset, stride))
            die("operand %d has no affine address", n->id);
        shift = iadd(shift, imul(eval_index(e, n->in[1]), stride[0]));
    }
    return shift;
}
