/* `scan`: the statements of its block become the body of a scan of the graph.
 *
 * A carried value has the shape that its first value and the block's agree
 * on: `h = 0` grows to what the block makes of it. So the block is evaluated
 * again until that is settled; it is the same lines, and so the same
 * parameters, each time. */
#include "graph/check.h"

#include <string.h>

enum { MAX_CARRIED = 64, MAX_SEQUENCES = 16, MAX_ROUNDS = MAX_RANK + 3 };

typedef struct Carried {
    const Ast *ast; /* `h = zeros(units)`                           */
    Value first;
    Node *init;
    Shape shape;
    Node *next;
} Carried;

typedef struct Scan {
    const Ast *decl, *ast;
    Env *env; /* around the scan                              */
    int id;
    int64_t steps;
    Value varying;                 /* the first sequence whose length varies, or an error */
    Node *sequence[MAX_SEQUENCES]; /* time first; NULL: the step's number    */
    double from[MAX_SEQUENCES];    /* of a range                             */
    int nsequences;
    Carried carried[MAX_CARRIED];
    int ncarried;
    Value emit[MAX_CARRIED];
    int nemits;
    bool backwards;
    int64_t checkpoint; /* 0: none                                       */
    bool failed;
} Scan;

/* ---- Sequences ------------------------------------------------------------------- */

/* The place of a name in the shape that the signature gives `sequence`, from
 * the left or, behind `...`, from the right. */
static bool axis_of_signature(const Scan *s, const Ast *sequence, int rank, int *axis)
{
    for (int i = 0; sequence->kind == AST_NAME && i < s->decl->params.n; i++) {
        const Ast *p = s->decl->params.at[i];
        if (p->name != sequence->name || !p->a)
            continue;
        AstList sizes = p->a->kids;
        bool batch =
            sizes.n && sizes.at[0]->kind == AST_NAME && sizes.at[0]->name == intern("batch");
        bool open = false;
        for (int k = batch; k < sizes.n; k++) {
            const Ast *size = sizes.at[k];
            open |= size->kind == AST_ELLIPSIS;
            if (size->kind != AST_ELLIPSIS && size->name == s->ast->c->name) {
                *axis = open ? rank - (sizes.n - k) : k - batch;
                return true;
            }
        }
    }
    return false;
}

/* The only axis of the size that the name stands for. */
static bool axis_of_size(Check *c, const Scan *s, Shape shape, int *axis)
{
    const Ast *along = s->ast->c;
    Binding *b = env_find(s->env, along->name);
    int found = 0;
    if (!b || b->lazy || b->value.kind != V_NUMBER) {
        report(c, along->pos, "`%s` is no axis of a signature", along->name);
        advise(c, "name the axis in the signature, as in `x: [batch, %s, n]`", along->name);
        return false;
    }
    for (int i = 0; i < shape.rank; i++)
        if ((double)shape.dim[i] == b->value.number) {
            *axis = i;
            found++;
        }
    if (found == 1)
        return true;
    report(c, along->pos, "%s has %s of size %lld", sample_text(shape),
           found ? "several axes" : "no axis", (long long)b->value.number);
    if (found)
        advise(c, "scan a parameter of the layer, whose signature names its axes");
    return false;
}

static Node *time_first(Node *x, int axis)
{
    int permutation[MAX_RANK];
    for (int i = 0; i < x->shape.rank; i++)
        permutation[i] = i == 0 ? axis : i <= axis ? i - 1 : i;
    return graph_transpose(x, permutation);
}

static bool agree_on_steps(Check *c, Scan *s, Pos pos, int64_t steps)
{
    if (s->steps && s->steps != steps) {
        report(c, pos, "this sequence has %lld steps, the first one %lld", (long long)steps,
               (long long)s->steps);
        return false;
    }
    s->steps = steps;
    return true;
}

static bool agree_on_length(Check *c, Scan *s, Value v)
{
    if (s->varying.length && s->varying.length != v.length) {
        report_lengths(c, v.pos, s->varying, v);
        return false;
    }
    s->varying = s->varying.length ? s->varying : v;
    return true;
}

static bool open_tensor(Check *c, Scan *s, const Ast *e, int at)
{
    Value v = eval(c, e, s->env);
    int axis = 0;
    if (v.kind == V_ERROR)
        return false;
    if (v.kind != V_TENSOR || v.node->shape.rank < 1) {
        report(c, e->pos, "%s, expected a sequence: a tensor with an axis to go along",
               introduce(v));
        advise(c, "`scan i in 0..n` counts");
        return false;
    }
    Shape shape = v.node->shape;
    if (s->ast->c && !axis_of_signature(s, e, shape.rank, &axis) &&
        !axis_of_size(c, s, shape, &axis))
        return false;
    s->sequence[at] = time_first(v.node, axis);
    if (is_sequence(v) && axis > 0) {
        report(c, e->pos, "%s: only its steps are gone along where their number varies",
               introduce(v));
        return false;
    }
    return agree_on_steps(c, s, e->pos, shape.dim[axis]) &&
           (!is_sequence(v) || agree_on_length(c, s, v));
}

static bool open_range(Check *c, Scan *s, const Ast *e, int at)
{
    int64_t low, high;
    Value a = eval(c, e->a, s->env), b = eval(c, e->b, s->env);
    if (is_count(b) && a.kind == V_NUMBER && a.number == 0) { /* 0..length(x) */
        s->from[at] = 0;
        return agree_on_steps(c, s, e->pos, b.most) && agree_on_length(c, s, b);
    }
    if (!to_whole(c, a, "the start of a range", -MAX_ELEMENTS, MAX_ELEMENTS, &low) ||
        !to_whole(c, b, "the end of a range", -MAX_ELEMENTS, MAX_ELEMENTS, &high))
        return false;
    if (high <= low) {
        report(c, e->pos, "the range %lld..%lld is empty", (long long)low, (long long)high);
        return false;
    }
    s->from[at] = (double)low;
    return agree_on_steps(c, s, e->pos, high - low);
}

static bool open_sequences(Check *c, Scan *s)
{
    AstList names = s->ast->b->kids, of = s->ast->a->kids;
    bool ok = true;
    if (names.n != of.n || names.n > MAX_SEQUENCES) {
        report(c, s->ast->pos, "%d name%s for %d sequence%s", names.n, names.n == 1 ? "" : "s",
               of.n, of.n == 1 ? "" : "s");
        advise(c, "each sequence has a name, in their order: `scan s, t in x, y`");
        return false;
    }
    for (int i = 0; i < of.n; i++) {
        bool range = of.at[i]->kind == AST_BINARY && of.at[i]->op == AST_OP_RANGE;
        ok &= range ? open_range(c, s, of.at[i], i) : open_tensor(c, s, of.at[i], i);
    }
    s->nsequences = of.n;
    return ok;
}

/* `backwards`, or `backwards if c` with a c known at compile time. */
static bool read_direction(Check *c, Scan *s)
{
    const Ast *along = s->ast->c;
    s->backwards = along && along->flag;
    if (!along || !along->b)
        return true;
    Value v = eval(c, along->b, s->env);
    return to_bool(c, v, "what decides the direction", &s->backwards);
}

/* `checkpoint k`; none is none. */
static bool read_checkpoint(Check *c, Scan *s)
{
    const Ast *every = s->ast->a->a;
    Value v = every ? eval(c, every, s->env) : v_none();
    if (v.kind == V_NONE)
        return true;
    return to_whole(c, v, "the steps between checkpoints", 1, MAX_ELEMENTS, &s->checkpoint);
}

/* ---- Carried values ------------------------------------------------------------------ */

static bool open_carried(Check *c, Scan *s)
{
    bool ok = true;
    if (s->ast->params.n > MAX_CARRIED) {
        report(c, s->ast->pos, "a scan carries at most %d values", MAX_CARRIED);
        return false;
    }
    for (int i = 0; i < s->ast->params.n; i++) {
        Carried *h = &s->carried[s->ncarried++];
        h->ast = s->ast->params.at[i];
        h->first = eval(c, h->ast->a, s->env);
        Node *init = h->first.kind == V_ERROR ? NULL : to_number_node(c, h->first);
        ok &= init != NULL;
        if (init) {
            h->init = init;
            h->shape = init->shape;
        }
    }
    return ok;
}

/* ---- The block ------------------------------------------------------------------------ */

static Value step_value(const Scan *s, int i)
{
    Node *time = graph_time(s->id);
    if (s->sequence[i])
        return v_tensor(graph_element(s->sequence[i], time));
    return v_tensor(graph_op2(OP_add, graph_convert(time, T_F32), scalar(s->from[i])));
}

static Env *enter(const Scan *s)
{
    Env *env = env_new(s->env);
    AstList names = s->ast->b->kids;
    for (int i = 0; i < s->nsequences; i++)
        env_bind(env, names.at[i]->name, step_value(s, i), names.at[i]->pos, B_VALUE);
    for (int i = 0; i < s->ncarried; i++) {
        const Carried *h = &s->carried[i];
        const Ast *name = h->ast->kids.at[0];
        env_bind(env, name->name, v_tensor(graph_carried(s->id, i, T_F32, h->shape)), name->pos,
                 B_VALUE);
    }
    return env_new(env);
}

static void emit(Check *c, Scan *s, const Ast *statement, Env *env)
{
    Value v = eval(c, statement->a, env);
    Node *node = v.kind == V_ERROR ? NULL : to_node(c, v);
    s->failed |= !node;
    if (s->nemits == MAX_CARRIED) {
        report(c, statement->pos, "a scan emits at most %d values", MAX_CARRIED);
        s->failed = true;
    } else if (node) {
        s->emit[s->nemits++] = v_tensor(node);
    }
}

static void run_block(Check *c, Scan *s, Env *env)
{
    for (int i = 0; i < s->ast->kids.n; i++) {
        const Ast *line = s->ast->kids.at[i];
        Value v;
        switch (line->kind) {
        case AST_BIND:
            v = eval(c, line->a, env);
            s->failed |= v.kind == V_ERROR;
            bind_names(c, line, v, env);
            break;
        case AST_EMIT: emit(c, s, line, env); break;
        case AST_SCAN: eval_scan(c, s->decl, line, env); break;
        default:
            report(c, line->pos, "%s does not belong in a scan's block", ast_kind_name(line->kind));
            advise(c, "the block binds names and emits: `h = tanh(s + h)`, `emit h`");
            s->failed = true;
        }
    }
}

/* What the block leaves in a carried name; its shape as it has to be. */
static void take_next(Check *c, Scan *s, Carried *h, const Env *env)
{
    const Ast *name = h->ast->kids.at[0];
    Binding *b = env_own(env, name->name);
    if (!b) {
        report(c, name->pos, "the block gives `%s` no next value", name->name);
        advise(c, "bind it in the block: `%s = …`", name->name);
        s->failed = true;
        return;
    }
    Node *next = b->value.kind == V_ERROR ? NULL : to_number_node(c, b->value);
    Shape both;
    s->failed |= !next;
    if (!next)
        return;
    if (!broadcast_shapes(h->shape, next->shape, &both)) {
        report(c, b->pos, "`%s` starts as %s and becomes %s", name->name, sample_text(h->shape),
               sample_text(next->shape));
        note(c, name->pos, "its first value");
        s->failed = true;
        return;
    }
    both.batch |= s->varying.length != NULL;
    h->next = next;
    h->shape = both;
}

/* One evaluation of the block; whether the carried shapes were settled. */
static bool settle(Check *c, Scan *s)
{
    Shape before[MAX_CARRIED];
    bool settled = true;
    Env *env = enter(s);
    const Steps steps = {c->at.scan, s->id, s->steps}, *outer = c->at.scan;
    s->nemits = 0;
    c->at.scan = &steps;
    run_block(c, s, env);
    c->at.scan = outer;
    for (int i = 0; i < s->ncarried; i++) {
        before[i] = s->carried[i].shape;
        take_next(c, s, &s->carried[i], env);
        settled &= shape_equal(before[i], s->carried[i].shape);
    }
    return settled;
}

/* ---- What it gives --------------------------------------------------------------------- */

static void bind_result(Check *c, const Scan *s, const char *name, Pos pos, Value v, bool again)
{
    Binding *b = env_own(s->env, name);
    if (b && again) {
        b->value = v;
    } else if (b) {
        report(c, pos, "`%s` is bound twice", name);
        note(c, b->pos, "first here");
        advise(c, "the scan's last `%s` would be bound here; carry it by another name", name);
    } else {
        env_bind(s->env, name, v, pos, B_VALUE);
    }
}

/* result: carried values after the last step, then all that was emitted; NULL
 * after an error. */
static void bind_all(Check *c, const Scan *s, Node *const *result)
{
    Value *emitted = NEW_ARRAY(Value, s->nemits + 1);
    for (int i = 0; i < s->ncarried; i++) {
        const Ast *name = s->carried[i].ast->kids.at[0];
        Value v = result ? v_tensor(result[i]) : v_error();
        bind_result(c, s, name->name, name->pos, v, false);
    }
    for (int i = 0; i < s->nemits; i++)
        emitted[i] = result ? v_filled(result[s->ncarried + i], s->varying.length) : v_error();
    Value all = s->nemits == 1 ? emitted[0] : v_list(s->nemits, emitted);
    if (s->nemits != 1)
        all.kind = V_TUPLE;
    if (!result)
        all = v_error();
    if (s->nemits > 0 || !result)
        bind_result(c, s, intern("emitted"), s->ast->pos, all, true);
}

/* Does the step count, for each element of a value? NULL: they all do. */
static Node *step_counts(const Scan *s, Shape shape)
{
    Node *time = graph_time(s->id), *length = s->varying.length;
    if (!length)
        return NULL;
    return graph_op2(OP_lt, graph_expand(time, shape), graph_expand(length, shape));
}

/* Beyond the last step what is carried stays as it is, and zeros are emitted. */
static void skip_padding(const Scan *s, Node **next, Node **emits)
{
    for (int i = 0; i < s->ncarried && s->varying.length; i++) {
        Shape shape = next[i]->shape;
        next[i] =
            graph_select(step_counts(s, shape), next[i], graph_carried(s->id, i, T_F32, shape));
    }
    for (int i = 0; i < s->nemits && s->varying.length; i++) {
        Shape shape = emits[i]->shape;
        shape.batch = true;
        emits[i] = graph_select(step_counts(s, shape), graph_expand(emits[i], shape),
                                graph_typed(emits[i]->type, shape, 0));
    }
}

static Node **results_of(Check *c, const Scan *s, Node *scan)
{
    int n = s->ncarried + s->nemits;
    Node **result = NEW_ARRAY(Node *, n + 1);
    for (int i = 0; i < n && !s->checkpoint; i++)
        result[i] = graph_result(scan, i);
    if (s->checkpoint && !scan_in_stretches(scan, s->checkpoint, result)) {
        report(c, s->ast->a->a->pos, "a sequence with %d axes has none to spare for checkpoints",
               MAX_RANK);
        return NULL;
    }
    return result;
}

static Node **build(Check *c, Scan *s)
{
    Node *init[MAX_CARRIED], *next[MAX_CARRIED], *emits[MAX_CARRIED];
    for (int i = 0; i < s->ncarried; i++) {
        init[i] = graph_expand(s->carried[i].init, s->carried[i].shape);
        next[i] = graph_expand(s->carried[i].next, s->carried[i].shape);
    }
    for (int i = 0; i < s->nemits; i++) {
        emits[i] = s->emit[i].node;
        Shape stack = emits[i]->shape;
        if (stack.rank + 1 > MAX_RANK || shape_size(stack) * s->steps > MAX_ELEMENTS) {
            report(c, s->ast->pos, "%lld steps of %s are too many to be kept", (long long)s->steps,
                   sample_text(stack));
            return NULL;
        }
    }
    skip_padding(s, next, emits);
    Node *scan =
        graph_scan(s->id, s->steps, s->backwards, s->ncarried, init, next, s->nemits, emits);
    const Node *length = s->varying.length;
    if (length && length->op == OP_input)
        scan = scan_of_lengths(scan, 1 + length->attr.input);
    return results_of(c, s, scan);
}

void eval_scan(Check *c, const Ast *decl, const Ast *ast, Env *env)
{
    Scan *s = NEW(Scan);
    *s = (Scan){.decl = decl, .ast = ast, .env = env};
    place_nodes(c, ast->pos);
    s->failed = !open_sequences(c, s);
    s->failed |= !read_direction(c, s);
    s->failed |= !read_checkpoint(c, s);
    s->failed |= !open_carried(c, s);
    for (int round = 0; !s->failed && round < MAX_ROUNDS; round++) {
        s->id = graph_scan_id();
        graph_time(s->id);
        if (settle(c, s))
            break;
    }
    bind_all(c, s, s->failed ? NULL : build(c, s));
}
