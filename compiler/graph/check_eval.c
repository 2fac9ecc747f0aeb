/* Expressions, operators and the statements of bodies. Evaluation never
 * stops at a mistake: it reports, gives V_ERROR and goes on, so that one run
 * shows all of them; V_ERROR operands give V_ERROR in silence. */
#include "graph/check.h"

#include <math.h>
#include <string.h>

/* ---- Operators on tensors -------------------------------------------------- */

bool broadcast_shapes(Shape a, Shape b, Shape *out)
{
    *out = a.rank >= b.rank ? a : b;
    out->batch = a.batch || b.batch;
    for (int i = 1; i <= a.rank && i <= b.rank; i++) {
        int64_t x = a.dim[a.rank - i], y = b.dim[b.rank - i];
        if (x != y && x != 1 && y != 1)
            return false;
        out->dim[out->rank - i] = x == 1 ? y : x;
    }
    return true;
}

Node *scalar(double number)
{
    return graph_const((Shape){0}, number);
}

Node *scale_node(Node *a, double factor)
{
    return factor == 1 ? a : graph_op2(OP_mul, a, graph_expand(scalar(factor), a->shape));
}

/* An operation of two nodes whose shapes fit. */
static Node *binary_node(Op op, Node *a, Node *b)
{
    Shape shape;
    broadcast_shapes(a->shape, b->shape, &shape);
    return graph_op2(op, graph_expand(a, shape), graph_expand(b, shape));
}

Node *broadcast_op(Check *c, Pos pos, Op op, Node *a, Node *b)
{
    Shape shape;
    if (!a || !b || !broadcast_shapes(a->shape, b->shape, &shape) || !shape_fits(c, pos, shape))
        return NULL;
    return binary_node(op, a, b);
}

/* a^k for a number k, as the operation that is exact for it. */
static Node *power_node(Node *a, double k)
{
    if (k == 0)
        return graph_expand(scalar(1), a->shape);
    if (k == 1)
        return a;
    if (k == 2)
        return graph_op2(OP_mul, a, a);
    if (k == 0.5)
        return graph_op1(OP_sqrt, a);
    if (k == -1)
        return binary_node(OP_div, scalar(1), a);
    return graph_pow(a, k);
}

static Node *tensor_power(Value base, Value exponent)
{
    if (exponent.kind == V_NUMBER)
        return power_node(base.node, exponent.number);
    Node *logarithm =
        base.kind == V_NUMBER ? scalar(log(base.number)) : graph_op1(OP_log, base.node);
    return graph_op1(OP_exp, binary_node(OP_mul, exponent.node, logarithm));
}

static Node *remainder_node(Node *a, Node *b)
{
    Node *whole = graph_op1(OP_floor, binary_node(OP_div, a, b));
    return binary_node(OP_add, a, graph_op1(OP_neg, binary_node(OP_mul, b, whole)));
}

static Node *difference(Value b, Node *x, Node *y)
{
    Node *minus = b.kind == V_NUMBER ? scalar(-b.number) : graph_op1(OP_neg, y);
    return binary_node(OP_add, x, minus);
}

static Node *arithmetic_node(int op, Value a, Value b, Node *x, Node *y)
{
    switch (op) {
    case '+': return binary_node(OP_add, x, y);
    case '-': return difference(b, x, y);
    case '*': return binary_node(OP_mul, x, y);
    case '/': return binary_node(OP_div, x, y);
    case '%': return remainder_node(x, y);
    case '^': return tensor_power(a, b);
    case '<': return binary_node(OP_lt, x, y);
    case '>': return binary_node(OP_lt, y, x);
    case AST_OP_LE: return binary_node(OP_le, x, y);
    case AST_OP_GE: return binary_node(OP_le, y, x);
    case AST_OP_EQ: return binary_node(OP_eq, x, y);
    case AST_OP_NE: return graph_op1(OP_not, binary_node(OP_eq, x, y));
    case AST_OP_AND: return binary_node(OP_and, x, y);
    case AST_OP_OR: return binary_node(OP_or, x, y);
    default: return NULL;
    }
}

static void note_declared(Check *c, Value v)
{
    if (v.name && v.declared.line)
        note(c, v.declared, "`%s`, declared here", v.name);
}

static void report_shapes(Check *c, Pos pos, int op, Value a, Value b)
{
    report(c, pos, "shapes do not fit `%s`: %s, %s", ast_op_name(op), introduce(a), introduce(b));
    note_declared(c, a);
    note_declared(c, b);
}

static bool is_truth(Value v)
{
    return v.kind == V_BOOL || (v.kind == V_TENSOR && v.node->type == T_BOOL);
}

static Value tensor_binary(Check *c, Pos pos, int op, Value a, Value b)
{
    bool logic = op == AST_OP_AND || op == AST_OP_OR;
    Node *x = logic ? to_node(c, a) : to_number_node(c, a);
    Node *y = logic ? to_node(c, b) : to_number_node(c, b);
    Shape shape;
    if (!x || !y)
        return v_error();
    if (logic && (!is_truth(a) || !is_truth(b))) {
        report(c, pos, "`%s` joins truth values; %s, %s", ast_op_name(op), introduce(a),
               introduce(b));
        return v_error();
    }
    if (!broadcast_shapes(x->shape, y->shape, &shape)) {
        report_shapes(c, pos, op, a, b);
        return v_error();
    }
    if (!shape_fits(c, pos, shape))
        return v_error();
    place_nodes(c, pos);
    Value both[] = {a, b};
    return step_by_step(c, pos, v_tensor(arithmetic_node(op, a, b, x, y)), 2, both);
}

/* ---- Operators on numbers and the rest ------------------------------------- */

Value real_number(Check *c, Pos pos, double number)
{
    if (!isnan(number))
        return v_number(number);
    report(c, pos, "this is not a real number");
    return v_error();
}

static Value number_binary(Check *c, Pos pos, int op, double a, double b)
{
    switch (op) {
    case '+': return real_number(c, pos, a + b);
    case '-': return real_number(c, pos, a - b);
    case '*': return real_number(c, pos, a * b);
    case '/':
    case '%':
        if (b == 0) {
            report(c, pos, "division by zero");
            return v_error();
        }
        return real_number(c, pos, op == '/' ? a / b : a - b * floor(a / b));
    case '^': return real_number(c, pos, pow(a, b));
    case '<': return v_bool(a < b);
    case '>': return v_bool(a > b);
    case AST_OP_LE: return v_bool(a <= b);
    case AST_OP_GE: return v_bool(a >= b);
    case AST_OP_EQ: return v_bool(a == b);
    case AST_OP_NE: return v_bool(a != b);
    }
    report(c, pos, "`%s` does not take numbers", ast_op_name(op));
    return v_error();
}

static bool is_numeric(Value v)
{
    return v.kind == V_NUMBER || v.kind == V_TENSOR;
}

Value eval_binary(Check *c, Pos pos, int op, Value a, Value b)
{
    if (a.kind == V_ERROR || b.kind == V_ERROR)
        return v_error();
    if (a.kind == V_DATA)
        return data_operator(c, pos, op, false, false, a, b);
    if (b.kind == V_DATA)
        return data_operator(c, pos, op, false, true, b, a);
    if (op == '@')
        return matrix_product(c, pos, a, b);
    if (a.kind == V_NUMBER && b.kind == V_NUMBER)
        return number_binary(c, pos, op, a.number, b.number);
    if (a.kind == V_BOOL && b.kind == V_BOOL && (op == AST_OP_AND || op == AST_OP_OR))
        return v_bool(op == AST_OP_AND ? a.number && b.number : a.number || b.number);
    if ((op == AST_OP_EQ || op == AST_OP_NE) && !(is_numeric(a) && is_numeric(b)))
        return v_bool(values_equal(a, b) == (op == AST_OP_EQ));
    return tensor_binary(c, pos, op, a, b);
}

Value eval_unary(Check *c, Pos pos, int op, Value a)
{
    if (a.kind == V_ERROR)
        return a;
    if (a.kind == V_DATA)
        return data_operator(c, pos, op, true, false, a, v_none());
    place_nodes(c, pos);
    if (op == AST_OP_NOT) {
        if (a.kind == V_BOOL)
            return v_bool(a.number == 0);
        if (is_truth(a))
            return step_by_step(c, pos, v_tensor(graph_op1(OP_not, a.node)), 1, &a);
        report(c, a.pos, "%s, expected a truth value for `not`", introduce(a));
        return v_error();
    }
    if (a.kind == V_NUMBER)
        return v_number(-a.number);
    Node *x = to_number_node(c, a);
    return step_by_step(c, pos, v_tensor(x ? graph_op1(OP_neg, x) : NULL), 1, &a);
}

/* ---- Names ----------------------------------------------------------------- */

static void report_unknown(Check *c, const Ast *e, const Env *env)
{
    report(c, e->pos, "unknown name `%s`", e->name);
    const char *meant = suggest_kind(e->name, env, c->at.wanted);
    if (e->name == intern("emitted"))
        advise(c, "it stands behind a scan with an `emit` in its block");
    else if (meant)
        advise(c, "did you mean `%s`?", meant);
}

/* A constant or data declaration is evaluated when it is first named. */
static void force(Check *c, Binding *b, const Ast *e)
{
    const Ast *lazy = b->lazy;
    if (b->busy) {
        report(c, e->pos, "`%s` is defined by itself", b->name);
        note(c, b->pos, "declared here");
        b->lazy = NULL;
        b->value = v_error();
        return;
    }
    b->busy = true;
    Context saved = c->at;
    c->at = (Context){.depth = saved.depth, .frame = saved.frame};
    Env *env = in_library(c, b->pos) ? c->std : c->file;
    if (lazy->kind == AST_DATA)
        declare_data(c, lazy, env);
    else
        b->value = eval(c, lazy->a, env);
    c->at = saved;
    b->busy = false;
    b->lazy = NULL;
}

/* The value of a binding as an expression names it. In library code an
 * argument keeps the user's place and name, so that messages show those. */
static Value named_value(Check *c, const Binding *b, const Ast *e)
{
    Value v = b->value;
    bool kept =
        b->kind == B_ARGUMENT && v.pos.line && in_library(c, e->pos) && !in_library(c, v.pos);
    if (!kept)
        v.pos = e->pos;
    if (!v.name || b->kind != B_ARGUMENT) {
        v.name = b->name;
        v.made = false;
        v.declared = b->pos;
    }
    return v;
}

/* `encoder.dense_1.kernel`: a parameter by its name, as the network made it. */
static Value eval_dotted(Check *c, const Ast *e)
{
    const char **names = NULL;
    int n = 0, cap = 0;
    for (int i = 0; i < c->model->nvars; i++) {
        Var *var = c->model->vars[i];
        if (var->kind != VAR_PARAM && var->kind != VAR_STATE)
            continue;
        if (var->name == e->name) {
            Value v = v_tensor(state_value(c, var));
            v.pos = e->pos;
            v.name = e->name;
            v.declared = var->pos;
            return v;
        }
        PUSH(names, n, cap, var->name);
    }
    report(c, e->pos, "no parameter `%s` was made before this", e->name);
    const char *meant = suggest(e->name, names, n);
    if (meant)
        advise(c, "did you mean `%s`?", meant);
    else
        advise(c, "a parameter is made where its network is first called");
    return v_error();
}

static Value eval_name(Check *c, const Ast *e, Env *env)
{
    if (strchr(e->name, '.'))
        return eval_dotted(c, e);
    Binding *b = env_find(env, e->name);
    if (b) {
        if (b->lazy)
            force(c, b, e);
        if (b->state && !c->at.in_optimizer)
            b->value = v_tensor(state_value(c, b->state));
        return named_value(c, b, e);
    }
    Value v;
    if (builtin_constant(c, e->name, &v)) {
        v.pos = e->pos;
        v.name = v.kind == V_TENSOR ? e->name : NULL;
        return v;
    }
    const Builtin *builtin = find_builtin(e->name);
    if (builtin) {
        Function *f = NEW(Function);
        f->builtin = builtin;
        return (Value){.kind = V_FUNCTION, .function = f, .pos = e->pos};
    }
    report_unknown(c, e, env);
    return v_error();
}

/* ---- The other expressions -------------------------------------------------- */

static Value eval_list(Check *c, const Ast *e, Env *env)
{
    Value *parts = NULL;
    int n = 0, cap = 0;
    for (int i = 0; i < e->kids.n; i++) {
        const Ast *kid = e->kids.at[i];
        Value v;
        if (kid->kind == AST_ELLIPSIS) {
            Binding *rest = env_find(env, intern("..."));
            if (!rest) {
                report(c, kid->pos,
                       "`...` stands for the axes that a signature `[batch, ..., n]` "
                       "left open; there is none here");
                return v_error();
            }
            v = rest->value;
        } else {
            v = eval(c, kid, env);
        }
        if (v.kind == V_ERROR)
            return v;
        if (v.kind == V_LIST)
            for (int k = 0; k < v.list.n; k++)
                PUSH(parts, n, cap, v.list.at[k]);
        else
            PUSH(parts, n, cap, v);
    }
    return v_list(n, parts);
}

static Value select_value(Check *c, const Ast *e, Value test, Value a, Value b)
{
    Node *x = to_node(c, a), *y = to_node(c, b);
    Shape shape;
    if (!x || !y)
        return v_error();
    if (x->type != y->type) {
        report(c, e->pos, "the two values of `if` differ in kind: %s, %s", introduce(a),
               introduce(b));
        return v_error();
    }
    if (!broadcast_shapes(x->shape, y->shape, &shape) ||
        !broadcast_shapes(shape, test.node->shape, &shape)) {
        report(c, e->pos, "shapes do not fit `if`: the condition is %s, %s, %s",
               describe_value(test), introduce(a), introduce(b));
        return v_error();
    }
    if (!shape_fits(c, e->pos, shape))
        return v_error();
    place_nodes(c, e->pos);
    Value all[] = {test, a, b};
    Node *node = graph_select(graph_expand(test.node, shape), graph_expand(x, shape),
                              graph_expand(y, shape));
    return step_by_step(c, e->pos, v_tensor(node), 3, all);
}

/* A condition known now chooses; one of tensors selects element by element. */
static Value eval_if(Check *c, const Ast *e, Env *env)
{
    Value test = eval(c, e->a, env);
    if (test.kind == V_BOOL)
        return eval(c, test.number != 0 ? e->b : e->c, env);
    if (test.kind == V_ERROR && c->at.unfed)
        return test;
    Value a = eval(c, e->b, env), b = eval(c, e->c, env);
    if (test.kind == V_ERROR || a.kind == V_ERROR || b.kind == V_ERROR)
        return v_error();
    if (!is_truth(test)) {
        report(c, test.pos, "%s, expected a condition such as `x > 0`", introduce(test));
        return v_error();
    }
    return select_value(c, e, test, a, b);
}

static Value eval_operator(Check *c, const Ast *e, Env *env)
{
    Pos pos = e->pos2.line ? e->pos2 : e->pos;
    Value a = eval(c, e->a, env);
    if (e->kind == AST_UNARY)
        return eval_unary(c, pos, e->op, a);
    if (a.kind == V_BOOL &&
        ((e->op == AST_OP_AND && a.number == 0) || (e->op == AST_OP_OR && a.number != 0)))
        return a;
    return eval_binary(c, pos, e->op, a, eval(c, e->b, env));
}

static Value eval_kind(Check *c, const Ast *e, Env *env)
{
    switch (e->kind) {
    case AST_NUMBER: return v_number(e->number);
    case AST_STRING: return v_string(e->text);
    case AST_BOOL: return v_bool(e->number != 0);
    case AST_LIST: return eval_list(c, e, env);
    case AST_UNARY:
    case AST_BINARY: return eval_operator(c, e, env);
    case AST_IF: return eval_if(c, e, env);
    case AST_AT_MOST:
        report(c, e->pos,
               e->name == intern("batch")
                   ? "`%s <= …` is for a state; a sequence has `time <= …`"
                   : "`%s <= …` is the first size of a network's input or of a source",
               e->name);
        return v_error();
    case AST_ELLIPSIS: return v_error(); /* a second one: reported where declared */
    default: die("expression of kind %d", (int)e->kind);
    }
}

/* Too deep or too long programs end with one message. */
static bool exhausted(Check *c, Pos pos)
{
    if (c->at.depth > MAX_DEPTH)
        report(c, pos, "calls and expressions are nested more than %d deep", MAX_DEPTH);
    else if (c->calls > MAX_CALLS)
        report(c, pos, "the program makes more than %d calls", MAX_CALLS);
    else
        return c->exhausted;
    return c->exhausted = true;
}

Value eval(Check *c, const Ast *e, Env *env)
{
    Value v = v_error();
    c->at.depth++;
    if (!exhausted(c, e->pos)) {
        if (e->kind == AST_NAME) {
            v = eval_name(c, e, env);
        } else if (e->kind == AST_CALL) {
            v = eval_call(c, e, env, NULL, NULL);
        } else {
            v = eval_kind(c, e, env);
            if (e->kind != AST_IF || v.pos.line == 0) {
                v.pos = e->pos;
                v.name = NULL;
            }
        }
    }
    c->at.depth--;
    return v;
}

/* ---- Statements of bodies ---------------------------------------------------- */

static void bind_one(Check *c, const Ast *name, Value v, Env *env)
{
    Binding *b = env_own(env, name->name);
    if (b) {
        report(c, name->pos, "`%s` is bound twice", name->name);
        note(c, b->pos, "first here");
        advise(c, "values do not change; bind the new one to another name");
        return;
    }
    env_bind(env, name->name, v, name->pos, B_VALUE);
}

void bind_names(Check *c, const Ast *bind, Value v, Env *env)
{
    int n = bind->kids.n;
    if (n > 1 && v.kind != V_ERROR && (v.kind != V_TUPLE || v.list.n != n)) {
        report(c, bind->kids.at[0]->pos, "%d names for %s", n, describe_value(v));
        v = v_error();
    }
    for (int i = 0; i < n; i++)
        bind_one(c, bind->kids.at[i],
                 n == 1              ? v
                 : v.kind == V_TUPLE ? v.list.at[i]
                                     : v_error(),
                 env);
}

static Value eval_line(Check *c, const Ast *line, Env *env, Value running)
{
    Value v;
    if (line->a->kind == AST_CALL) {
        v = eval_call(c, line->a, env, &running, line->name);
    } else {
        v = eval(c, line->a, env);
        if (line->name) {
            report(c, line->pos, "only a layer can have a label");
            return v;
        }
    }
    if (v.kind != V_TENSOR && v.kind != V_TUPLE && v.kind != V_ERROR) {
        report(c, line->a->pos, "this line gives %s, not a tensor", describe_value(v));
        if (line->a->kind == AST_CALL || v.kind == V_FUNCTION)
            advise(c,
                   "`%s` is a function; the layer is `activation(%s)`, the expression `y = %s(x)`",
                   line->a->name, line->a->name, line->a->name);
        return v_error();
    }
    return v;
}

static Value eval_return(Check *c, const Ast *ret, Env *env)
{
    int n = ret->kids.n;
    Value *parts = NEW_ARRAY(Value, n + 1);
    for (int i = 0; i < n; i++) {
        parts[i] = eval(c, ret->kids.at[i], env);
        if (parts[i].kind == V_ERROR)
            return v_error();
    }
    Value v = n == 1 ? parts[0] : v_list(n, parts);
    if (n != 1)
        v.kind = V_TUPLE;
    return v;
}

Value eval_body(Check *c, const Ast *decl, Env *env, Value running)
{
    Value result = running;
    for (int i = 0; i < decl->kids.n; i++) {
        const Ast *s = decl->kids.at[i];
        switch (s->kind) {
        case AST_BIND: bind_names(c, s, eval(c, s->a, env), env); break;
        case AST_LINE: result = eval_line(c, s, env, result); break;
        case AST_PARAM: declare_param(c, s, env); break;
        case AST_STATE: declare_state(c, s, env); break;
        case AST_UPDATE: update_state(c, s, env); break;
        case AST_SCAN: eval_scan(c, decl, s, env); break;
        case AST_RETURN: return eval_return(c, s, env);
        default: die("a statement of kind %d in a body", (int)s->kind);
        }
    }
    return result;
}
