/* The graph: one node for each distinct value. Equal nodes (operation, type,
 * shape, operands, attribute byte for byte) are one node, also random ones,
 * since a draw is a function of its path; so building is already CSE. A
 * node's operands have smaller ids, so order of ids is an order to compute. */
#include <stdlib.h>
#include <string.h>

#include "ops.h"

const OpInfo op_info[N_OPS] = {
#define OP(name, arity, kind, attr, type, shape, value, gradient, flags, doc) \
    [OP_##name] = {#name, arity, kind, ATTR_##attr, flags, #value, #gradient, doc},
#include "ops.def"
};

const char *const op_name[N_OPS] = {
#define OP(name, ...) [OP_##name] = #name,
#include "ops.def"
};

const char *const type_name[N_TYPES] = {"f32", "i32", "bool"};

bool op_is_map(Op op)
{
    return op_info[op].kind == MAP;
}

void print_ops(Text *out)
{
    static const char *const kinds[] = {
        [LEAF] = "leaf",         [MAP] = "map",       [LAYOUT] = "layout", [REDUCE] = "reduce",
        [CONTRACT] = "contract", [WINDOW] = "window", [INDEX] = "index",   [SCAN] = "scan",
        [GRADIENT] = "gradient",
    };
    text_printf(out,
                "Operands x y z, result r; below, where there is one, what turns the gradient g\n"
                "of r into those of the operands.\n\n%-17s%-6s%-10s%s\n",
                "operation", "arity", "kind", "meaning");
    for (int op = 0; op < N_OPS; op++) {
        const OpInfo *o = &op_info[op];
        const char *arity = o->arity < 0 ? "any" : format("%d", o->arity);
        text_printf(out, "%-17s%-6s%-10s%s\n", o->name, arity, kinds[o->kind], o->doc);
        if (strcmp(o->gradient, "NONE"))
            text_printf(out, "%-33s%s\n", "", o->gradient);
    }
}

/* ---- The table of nodes ---------------------------------------------------- */

static struct {
    Node **at;   /* open addressing, at most half full */
    size_t mask; /* size - 1, a power of two */
    int n;
    Pos pos;
    const char *layer;
} table;

void graph_reset(void)
{
    memset(&table, 0, sizeof table);
}

void graph_at(Pos pos, const char *layer)
{
    table.pos = pos;
    table.layer = layer;
}

int graph_count(void)
{
    return table.n;
}

/* By words of eight bytes; what is left over counts as zero-filled. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    const char *p = bytes;
    for (size_t i = 0; i < n; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, p + i, n - i < sizeof word ? n - i : sizeof word);
        h = (h ^ word) * 0x9E3779B97F4A7C15;
        h ^= h >> 32;
    }
    return h;
}

static bool has_data(const Node *n)
{
    return n->op == OP_const && n->attr.constant.data;
}

static size_t data_bytes(const Node *n)
{
    return (size_t)shape_size(n->shape) * sizeof(double);
}

static uint64_t node_hash(const Node *n)
{
    uint64_t h = 0xCBF29CE484222325;
    int head[2] = {(int)n->op, (int)n->type};
    h = hash_bytes(h, head, sizeof head);
    h = hash_bytes(h, &n->shape.batch, sizeof n->shape.batch);
    h = hash_bytes(h, n->shape.dim, sizeof n->shape.dim);
    h = hash_bytes(h, n->in, sizeof *n->in * (size_t)n->nin);
    if (has_data(n))
        h = hash_bytes(h, n->attr.constant.data, data_bytes(n));
    else
        h = hash_bytes(h, &n->attr, sizeof n->attr);
    return h ^ h >> 29;
}

static bool node_equal(const Node *a, const Node *b)
{
    if (a->op != b->op || a->type != b->type || a->nin != b->nin ||
        !shape_equal(a->shape, b->shape) || has_data(a) != has_data(b))
        return false;
    if (a->nin && memcmp(a->in, b->in, sizeof *a->in * (size_t)a->nin))
        return false;
    if (has_data(a))
        return !memcmp(a->attr.constant.data, b->attr.constant.data, data_bytes(a));
    return !memcmp(&a->attr, &b->attr, sizeof a->attr);
}

static void table_insert(Node *n)
{
    size_t i = node_hash(n) & table.mask;
    while (table.at[i])
        i = (i + 1) & table.mask;
    table.at[i] = n;
}

static void table_grow(void)
{
    size_t size = table.at ? (table.mask + 1) * 2 : 1024;
    Node **old = table.at;
    size_t n_old = old ? table.mask + 1 : 0;
    table.at = NEW_ARRAY(Node *, size);
    table.mask = size - 1;
    for (size_t i = 0; i < n_old; i++)
        if (old[i])
            table_insert(old[i]);
}

static Node *table_find(const Node *n)
{
    for (size_t i = node_hash(n) & table.mask; table.at[i]; i = (i + 1) & table.mask)
        if (node_equal(table.at[i], n))
            return table.at[i];
    return NULL;
}

Node *graph_node(Op op, Type type, Shape shape, int nin, Node **in, const Attr *attr, Pos pos)
{
    Node key;
    memset(&key, 0, sizeof key);
    key.op = op;
    key.type = type;
    key.shape = shape;
    for (int i = shape.rank; i >= 0 && i < MAX_RANK; i++)
        key.shape.dim[i] = 0;
    key.nin = nin;
    key.in = in;
    if (attr)
        memcpy(&key.attr, attr, sizeof key.attr);
    key.pos = pos;
    key.layer = table.layer;
    const char *error = node_error(&key);
    if (error)
        die("%s %s", op_name[op], error);
    if (!table.at || (size_t)table.n * 2 > table.mask)
        table_grow();
    Node *found = table_find(&key);
    if (found)
        return found;
    Node *n = NEW(Node);
    memcpy(n, &key, sizeof key);
    n->id = table.n++;
    n->in = nin ? NEW_ARRAY(Node *, nin) : NULL;
    for (int i = 0; i < nin; i++)
        n->in[i] = in[i];
    table_insert(n);
    return n;
}

/* ---- Builders --------------------------------------------------------------- */

static const Attr no_attr; /* all bytes zero, as equality needs it */

static Node *build(Op op, Type type, Shape shape, int nin, Node **in, const Attr *attr)
{
    return graph_node(op, type, shape, nin, in, attr, table.pos);
}

Node *graph_op1(Op op, Node *a)
{
    return build(op, op == OP_not ? T_BOOL : a->type, a->shape, 1, &a, NULL);
}

Node *graph_op2(Op op, Node *a, Node *b)
{
    Node *in[] = {a, b};
    bool test = op == OP_lt || op == OP_le || op == OP_eq;
    return build(op, test ? T_BOOL : a->type, a->shape, 2, in, NULL);
}

Node *graph_pow(Node *a, double exponent)
{
    Attr attr = no_attr;
    attr.number = exponent;
    if (exponent == 0)
        return graph_const(a->shape, 1);
    return exponent == 1 ? a : build(OP_pow, T_F32, a->shape, 1, &a, &attr);
}

Node *graph_select(Node *p, Node *a, Node *b)
{
    Node *in[] = {p, a, b};
    return build(OP_select, a->type, a->shape, 3, in, NULL);
}

Node *graph_convert(Node *a, Type type)
{
    return type == a->type ? a : build(OP_convert, type, a->shape, 1, &a, NULL);
}

Node *graph_typed(Type type, Shape shape, double value)
{
    Attr attr = no_attr;
    attr.constant.number = value;
    return build(OP_const, type, shape, 0, NULL, &attr);
}

Node *graph_const(Shape shape, double value)
{
    return graph_typed(T_F32, shape, value);
}

Node *graph_data(Shape shape, const double *values)
{
    int64_t n = shape_size(shape);
    double *copy = NEW_ARRAY(double, n);
    memcpy(copy, values, (size_t)n * sizeof *copy);
    Attr attr = no_attr;
    attr.constant.data = copy;
    return build(OP_const, T_F32, shape, 0, NULL, &attr);
}

Node *graph_iota(Type type, Shape shape, int axis)
{
    Attr attr = no_attr;
    attr.axis = axis;
    return build(OP_iota, type, shape, 0, NULL, &attr);
}

Node *graph_random(RandomKind kind, Shape shape, uint32_t path)
{
    Attr attr = no_attr;
    attr.random.kind = kind;
    attr.random.path = path;
    return build(OP_random, kind == RANDOM_BITS ? T_I32 : T_F32, shape, 0, NULL, &attr);
}

Node *graph_orthogonal(Shape shape, uint32_t path)
{
    Attr attr = no_attr;
    attr.random.kind = RANDOM_NORMAL;
    attr.random.path = path;
    return build(OP_orthogonal, T_F32, shape, 0, NULL, &attr);
}

Node *graph_live(void)
{
    return build(OP_live, T_F32, (Shape){0}, 0, NULL, NULL);
}

Node *graph_place(void)
{
    return build(OP_place, T_I32, (Shape){.batch = true}, 0, NULL, NULL);
}

Node *graph_var(Var *var)
{
    Attr attr = no_attr;
    attr.var = var;
    var->node = build(OP_var, var->type, var->shape, 0, NULL, &attr);
    return var->node;
}

Node *graph_input(Type type, Shape shape, int index, Pos pos)
{
    Attr attr = no_attr;
    attr.input = index;
    return graph_node(OP_input, type, shape, 0, NULL, &attr, pos);
}

Node *graph_gradient(Node *y, Node *x)
{
    Node *in[] = {y, x};
    return build(OP_gradient, T_F32, x->shape, 2, in, NULL);
}

Node *graph_reshape(Node *a, Shape shape)
{
    return shape_equal(a->shape, shape) ? a : build(OP_reshape, a->type, shape, 1, &a, NULL);
}

Node *graph_transpose(Node *a, const int *permutation)
{
    Attr attr = no_attr;
    bool moves = false;
    for (int i = 0; i < a->shape.rank; i++) {
        attr.permutation[i] = permutation[i];
        moves |= permutation[i] != i;
    }
    if (!moves)
        return a;
    return build(OP_transpose, a->type, shape_transpose(a->shape, permutation), 1, &a, &attr);
}

Node *graph_broadcast(Node *a, Shape to, const int *map)
{
    if (shape_equal(a->shape, to))
        return a;
    Attr attr = no_attr;
    for (int i = 0; i < to.rank; i++)
        attr.map[i] = map[i];
    return build(OP_broadcast, a->type, to, 1, &a, &attr);
}

Node *graph_expand(Node *a, Shape to)
{
    int map[MAX_RANK];
    for (int i = 0; i < to.rank; i++) {
        int from = i - (to.rank - a->shape.rank);
        map[i] = from < 0 ? -1 : from;
    }
    return graph_broadcast(a, to, map);
}

Node *graph_pad(Node *a, Node *value, const int64_t *low, const int64_t *high,
                const int64_t *interior)
{
    Attr attr = no_attr;
    bool grows = false;
    for (int i = 0; i < a->shape.rank; i++) {
        attr.pad.low[i] = low[i];
        attr.pad.high[i] = high[i];
        attr.pad.interior[i] = interior[i];
        grows |= low[i] || high[i] || interior[i];
    }
    Node *in[] = {a, value};
    if (!grows)
        return a;
    return build(OP_pad, a->type, shape_pad(a->shape, low, high, interior), 2, in, &attr);
}

Node *graph_slice(Node *a, const int64_t *start, const int64_t *limit, const int64_t *stride)
{
    Attr attr = no_attr;
    bool cuts = false;
    for (int i = 0; i < a->shape.rank; i++) {
        attr.slice.start[i] = start[i];
        attr.slice.limit[i] = limit[i];
        attr.slice.stride[i] = stride[i];
        cuts |= start[i] != 0 || limit[i] != a->shape.dim[i] || stride[i] != 1;
    }
    if (!cuts)
        return a;
    return build(OP_slice, a->type, shape_slice(a->shape, start, limit, stride), 1, &a, &attr);
}

Node *graph_reverse(Node *a, const bool *axes)
{
    Attr attr = no_attr;
    for (int i = 0; i < a->shape.rank; i++)
        attr.reverse[i] = axes[i];
    return build(OP_reverse, a->type, a->shape, 1, &a, &attr);
}

Node *graph_concatenate(int n, Node **parts, int axis)
{
    Attr attr = no_attr;
    attr.axis = axis;
    if (n == 1)
        return parts[0];
    return build(OP_concatenate, parts[0]->type, shape_concatenate(n, parts, axis), n, parts,
                 &attr);
}

Node *graph_reduce(Op op, Node *a, const bool *axes)
{
    Attr attr = no_attr;
    bool any = false;
    for (int i = 0; i <= MAX_RANK; i++)
        any |= attr.axes[i] = axes[i];
    return any ? build(op, a->type, shape_reduce(a->shape, axes), 1, &a, &attr) : a;
}

/* Copies what counts, so that equal contractions are equal bytes. */
static void copy_map(Affine *to, const Affine *from, int rank)
{
    for (int i = 0; i < rank; i++) {
        to[i].constant = from[i].constant;
        to[i].terms = from[i].terms;
        for (int t = 0; t < from[i].terms; t++) {
            to[i].var[t] = from[i].var[t];
            to[i].coefficient[t] = from[i].coefficient[t];
        }
    }
}

Node *graph_contract(Shape out, Node *a, Node *b, const Contraction *c)
{
    Attr attr = no_attr;
    Node *in[] = {a, b};
    attr.contraction.nvars = c->nvars;
    for (int v = 0; v < c->nvars; v++)
        attr.contraction.extent[v] = c->extent[v];
    copy_map(attr.contraction.map[0], c->map[0], out.rank);
    copy_map(attr.contraction.map[1], c->map[1], a->shape.rank);
    if (b)
        copy_map(attr.contraction.map[2], c->map[2], b->shape.rank);
    return build(OP_contract, T_F32, out, b ? 2 : 1, in, &attr);
}

Node *graph_window(Op op, Node *a, Node *index, Shape out, const Window *window)
{
    Attr attr = no_attr;
    Node *in[] = {a, index};
    for (int i = 0; i < out.rank; i++) {
        attr.window.size[i] = window->size[i];
        attr.window.stride[i] = window->stride[i];
        attr.window.dilation[i] = window->dilation[i];
        attr.window.low[i] = window->low[i];
    }
    return build(op, op == OP_window_argmax ? T_I32 : a->type, out, index ? 2 : 1, in, &attr);
}

Node *graph_gather_rows(Node *rows, Node *index)
{
    Node *in[] = {rows, index};
    return build(OP_gather_rows, rows->type, shape_gather_rows(rows->shape, index->shape), 2, in,
                 NULL);
}

Node *graph_scatter_add_rows(Node *into, Node *index, Node *rows)
{
    Node *in[] = {into, index, rows};
    return build(OP_scatter_add_rows, into->type, into->shape, 3, in, NULL);
}

bool splat_of(const Node *n, double *number)
{
    while (n->op == OP_broadcast || n->op == OP_reshape)
        n = n->in[0];
    if (n->op != OP_const || n->attr.constant.data)
        return false;
    *number = n->attr.constant.number;
    return true;
}

bool is_splat(const Node *n, double number)
{
    double value;
    return splat_of(n, &value) && value == number;
}

/* ---- Walks ------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    int x = (*(Node *const *)a)->id, y = (*(Node *const *)b)->id;
    return (x > y) - (x < y);
}

NodeList graph_reach(int n, Node *const *roots)
{
    NodeList list = {0};
    int cap = 0;
    unsigned char *seen = NEW_ARRAY(unsigned char, table.n);
    for (int i = 0; i < n; i++)
        if (!seen[roots[i]->id]++)
            PUSH(list.at, list.n, cap, roots[i]);
    for (int next = 0; next < list.n; next++)
        for (int i = 0; i < list.at[next]->nin; i++) {
            Node *in = list.at[next]->in[i];
            if (!seen[in->id]++)
                PUSH(list.at, list.n, cap, in);
        }
    if (list.n)
        qsort(list.at, (size_t)list.n, sizeof *list.at, by_id);
    return list;
}

static Node *rebuild(Node *n, Node **now)
{
    bool changed = false;
    Node **in = NEW_ARRAY(Node *, n->nin + 1);
    for (int i = 0; i < n->nin; i++) {
        in[i] = now[n->in[i]->id];
        changed |= in[i] != n->in[i];
    }
    return changed ? graph_node(n->op, n->type, n->shape, n->nin, in, &n->attr, n->pos) : n;
}

void graph_substitute(int n, Node **roots, Node *const *to)
{
    Pos pos = table.pos;
    const char *layer = table.layer;
    NodeList list = graph_reach(n, roots);
    Node **now = NEW_ARRAY(Node *, table.n);
    for (int i = 0; i < list.n; i++) {
        Node *old = list.at[i];
        graph_at(old->pos, old->layer);
        now[old->id] = to[old->id] ? to[old->id] : rebuild(old, now);
    }
    for (int i = 0; i < n; i++)
        roots[i] = now[roots[i]->id];
    graph_at(pos, layer);
}

void graph_rewrite(int n, Node **roots, Node *(*replace)(Node *, void *), void *arg)
{
    Pos pos = table.pos;
    const char *layer = table.layer;
    NodeList list = graph_reach(n, roots);
    Node **now = NEW_ARRAY(Node *, table.n); /* by id of the old node */
    for (int i = 0; i < list.n; i++) {
        Node *old = list.at[i];
        graph_at(old->pos, old->layer);
        Node *fresh = rebuild(old, now);
        Node *other = replace(fresh, arg);
        now[old->id] = other ? other : fresh;
    }
    for (int i = 0; i < n; i++)
        roots[i] = now[roots[i]->id];
    graph_at(pos, layer);
}

NodeList fn_roots(const Fn *fn)
{
    NodeList roots = {NULL, 0};
    int cap = 0;
    for (int i = 0; i < fn->noutputs; i++)
        PUSH(roots.at, roots.n, cap, fn->outputs[i]);
    for (int i = 0; i < fn->nupdates; i++)
        PUSH(roots.at, roots.n, cap, fn->values[i]);
    return roots;
}

void fn_set_roots(Fn *fn, Node *const *roots)
{
    for (int i = 0; i < fn->noutputs; i++)
        fn->outputs[i] = *roots++;
    for (int i = 0; i < fn->nupdates; i++)
        fn->values[i] = *roots++;
}

void rewrite_model(Model *m, void (*rewrite)(int n, Node **roots))
{
    Node **roots = NULL;
    int n = 0, cap = 0;
    for (int i = 0; i < m->nfns; i++) {
        NodeList of_fn = fn_roots(m->fns[i]);
        for (int j = 0; j < of_fn.n; j++)
            PUSH(roots, n, cap, of_fn.at[j]);
    }
    for (int i = 0; i < m->nvars; i++)
        if (m->vars[i]->init)
            PUSH(roots, n, cap, m->vars[i]->init);
    rewrite(n, roots);
    n = 0;
    for (int i = 0; i < m->nfns; i++) {
        fn_set_roots(m->fns[i], roots + n);
        n += m->fns[i]->noutputs + m->fns[i]->nupdates;
    }
    for (int i = 0; i < m->nvars; i++)
        if (m->vars[i]->init)
            m->vars[i]->init = roots[n++];
}
