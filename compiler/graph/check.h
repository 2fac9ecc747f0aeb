/* Private to check*.c: values, scopes and the context of the abstract
 * interpreter that turns an Ast into a Model.
 *
 *   check.c           declarations, the order of work
 *   check_value.c     values and scopes; what messages call them
 *   check_eval.c      expressions, operators, statements of bodies
 *   check_scan.c      recurrence
 *   check_time.c      sequences of varying length
 *   check_call.c      arguments, signatures, let, layer and network
 *   check_var.c       parameters and states
 *   check_builtin.c   the table of built-in functions
 *   check_math.c      elementwise functions, reductions
 *   check_random.c    draws
 *   check_layout.c    reshape, concat, slice … and lists of sizes
 *   check_conv.c      products, convolutions, windows: Contraction, Window
 *   check_data.c      data sources and what expressions do to them
 *   check_concat.c    sources one after the other
 *   check_filter.c    the samples of a source that a number chooses
 *   check_replay.c    data that networks made
 *   check_optimizer.c optimizers, the updates of a step
 *   check_train.c     train blocks
 *   check_update.c    what each of their steps updates
 *   check_network.c   networks as functions, reports, reconstruction
 *   check_watch.c     adversaries among the steps of a block
 *   check_score.c     lines of reports that are numbers
 *   check_names.c     did-you-mean, unused names                            */
#ifndef CHECK_H
#define CHECK_H

#include "aecc.h"
#include "ast.h"

enum {
    MAX_DEPTH = 600,            /* of nested calls and expressions           */
    MAX_CALLS = 100000,         /* inlined calls of one program              */
    MAX_REPORTS = 2000,         /* then only repetitions are to come         */
    MAX_ARGUMENTS = 64
};
#define MAX_ELEMENTS ((int64_t)1 << 28)  /* of one tensor                    */

typedef struct Check Check;

/* ==== Values ============================================================== */
typedef enum ValueKind {
    V_ERROR,      /* after a message: silences whatever uses it              */
    V_NONE, V_NUMBER, V_BOOL, V_STRING,
    V_LIST,       /* of numbers, strings or names, never nested              */
    V_TUPLE,      /* several results of a network or layer                   */
    V_FUNCTION, V_TENSOR, V_DATA
} ValueKind;

typedef struct Value Value;
typedef struct Function Function;
typedef struct DataValue DataValue;

struct Value {
    ValueKind kind;
    union {
        double number;                           /* NUMBER, BOOL             */
        const char *text;
        struct { Value *at; int n; } list;       /* LIST, TUPLE              */
        Function *function;
        Node *node;
        DataValue *data;
    };
    Node *length;         /* TENSOR: how many steps count, of its first axis, */
    int64_t most;         /* or, above 0, what it is: such a number, at most this */
    Pos pos;              /* the expression                                  */
    const char *name;     /* what messages call it: "image", "decoder"       */
    bool made;            /* `name` is the function that gave it             */
    Pos declared;         /* where `name` got its value; line 0: unknown     */
};

Value v_error(void);
Value v_none(void);
Value v_number(double);
Value v_bool(bool);
Value v_string(const char *);
Value v_list(int n, const Value *);
Value v_sizes(int n, const int64_t *);
Value v_tensor(Node *);
/* "30", "0.5": as the language writes it. */
const char *number_text(double);
/* "[28, 28]": a shape as the language writes it, without the batch. */
const char *sample_text(Shape);
/* "a number", "[28, 28]", "a function"… for messages. */
const char *describe_value(Value);
/* "`decoder` gives [28, 28]", "`image` is [32, 32]", "this is a number". */
const char *introduce(Value);
bool values_equal(Value, Value);

/* ==== Scopes ============================================================== */
typedef enum BindingKind {
    B_VALUE,      /* bound by a line, a parameter, the compiler              */
    B_ARGUMENT,   /* a parameter of a function: keeps its argument's name    */
    B_STATE       /* a layer's or optimizer's state                          */
} BindingKind;

typedef struct Binding Binding;
struct Binding {
    const char *name;
    BindingKind kind;
    Value value;
    Pos pos;
    const Ast *lazy;      /* constant or data still to be evaluated          */
    bool busy;
    Var *state;
    Node *next_state;     /* OPTIMIZER: assigned value                       */
    Binding *next;
};

typedef struct Env { struct Env *outer; Binding *first; } Env;

Env *env_new(Env *outer);
Binding *env_own(const Env *, const char *name);       /* this scope only    */
Binding *env_find(const Env *, const char *name);
Binding *env_bind(Env *, const char *name, Value, Pos, BindingKind);
/* `training` is the mode in every body, also where a data source is called so. */
void bind_mode(const Check *, Env *);

/* ==== Functions and instances ============================================= */
typedef struct Builtin Builtin;
typedef struct Arg { const char *name; Value value; Pos pos; } Arg;

/* The layers of a network have instances, so that all its calls share them. */
typedef struct Instance Instance;
typedef struct Path {
    const Ast *call; struct Path *inner, *next;   /* the first of those in it */
} Path;
typedef struct Site { const Ast *call; const Path *path; Instance *child; } Site;
typedef struct Counter { const char *type; int n; } Counter;
struct Instance {
    const char *name;             /* "encoder", "encoder.dense_1"            */
    struct NetworkInfo *network;  /* the network it belongs to               */
    Pos pos;
    Site *sites; int nsites, sites_cap;
    Counter *counters; int ncounters, counters_cap;
    Var **vars; int nvars, vars_cap;
    Path *paths;                  /* of calls in its body                    */
};

typedef struct NetworkInfo {
    const Ast *decl;
    Function *function;
    Instance instance;
    Arg *example; int nexample;   /* arguments of the first call             */
    bool called, busy, updated;
    bool stopped;                 /* an objective reaches it behind stop_gradient */
    LayerInfo *layers; int nlayers, layers_cap;
    struct NetworkInfo *next;
} NetworkInfo;

struct Function {
    const Ast *decl; Env *env;    /* LET LAYER NETWORK OPTIMIZER             */
    const Builtin *builtin;       /* or this                                 */
    NetworkInfo *network;
    const Arg *given; int ngiven; /* named arguments of a call that waits    */
};

/* ==== The interpreter ===================================================== */
typedef struct Frame {
    const struct Frame *outer; Pos call; const char *name;
} Frame;

/* `logits` is what p is the softmax of. */
typedef struct Marked { Node *p, *logits; } Marked;

typedef struct StateUpdate { Var *var; Node *value; Instance *owner; } StateUpdate;

/* The scans whose blocks are being evaluated, the innermost first. */
typedef struct Steps {
    const struct Steps *outer; int id; int64_t steps;
} Steps;

/* What a call changes and its return restores. */
typedef struct Context {
    const Frame *frame;
    int depth;
    Instance *owner;              /* NULL: outside of networks               */
    Path *path;                   /* calls of functions since `owner` began  */
    bool training;
    bool keeps_states;            /* `network(x, update: false)`             */
    const char *layer;            /* for Node.layer                          */
    const char *init; int draws;  /* initial value of this name; draws in it */
    bool in_update;               /* state reads give the updated value      */
    bool in_optimizer;
    bool in_block;                /* a step's lines, not a data declaration  */
    bool unfed;                   /* a layer whose input is not known, since */
                                  /* an earlier line failed: no conclusions  */
    ValueKind wanted;             /* kind of the default that a name replaces */
    NetworkInfo *record;          /* its layers are being listed             */
    const Steps *scan;            /* a draw is another one at each step      */
} Context;

/* A call of a network; its parameters are bound in `env`. */
typedef struct Seen {
    NetworkInfo *info; Env *env; struct Seen *next;
} Seen;

struct Check {
    Model *model;
    int vars_cap, fns_cap, networks_cap, data_cap, trains_cap, reports_cap, replays_cap;
    Env *std, *file;
    int std_first, std_last;      /* source numbers of the standard library  */
    NetworkInfo *networks, **networks_end;
    Context at;
    int calls, reports;
    bool exhausted;               /* a limit was reached: silence            */
    uint32_t draws;               /* random sources numbered so far          */
    int usings;                   /* optimizers in use so far                */
    StateUpdate *updates; int nupdates, updates_cap; bool collect;
    Marked *marked; int nmarked, marked_cap;
    NetworkInfo **owners; int nowners, owners_cap;   /* of each var          */
    Data *bound;                  /* what inputs are components of, or NULL  */
    struct TrainBlock *blocks; int nblocks, blocks_cap;   /* of each Train   */
    bool seeing; Seen *seen;      /* calls of networks, the last one first   */
    Fn *listed;                   /* the network's that is being made, or NULL */
};

bool in_library(const Check *, Pos);
/* The text of the source at a place. */
const char *spelled(Pos);
/* The user's place for a message: of standard library code, its call. */
Pos user_place(const Check *, Pos);
/* error_at() there, with a note where the library raised it. */
void report(Check *, Pos, const char *format, ...) PRINTF(3, 4);
/* note_at() and hint() of the message that report() gave. */
void note(Check *, Pos, const char *format, ...) PRINTF(3, 4);
void advise(Check *, const char *format, ...) PRINTF(2, 3);
/* New nodes come from here. */
void place_nodes(Check *, Pos);

/* ==== check_eval.c ======================================================== */
Value eval(Check *, const Ast *, Env *);
/* Statements of a network or layer; the value it returns. `running`: of its
 * first line's layer. Names of results in *names where not NULL. */
Value eval_body(Check *, const Ast *decl, Env *, Value running);
Value eval_binary(Check *, Pos, int op, Value a, Value b);
Value eval_unary(Check *, Pos, int op, Value a);
/* A number that is one: the square root of -1 is reported. */
Value real_number(Check *, Pos, double);
/* Elementwise op of tensors and numbers with broadcasting. */
Node *broadcast_op(Check *, Pos, Op, Node *a, Node *b);
bool broadcast_shapes(Shape a, Shape b, Shape *out);
/* A scan in the body of `decl`; binds what it carried, and `emitted`. */
void eval_scan(Check *, const Ast *decl, const Ast *scan, Env *);
/* Binds names to a value or the parts of a tuple. */
void bind_names(Check *, const Ast *bind, Value, Env *);

/* ==== Conversions; each reports what is wrong and says so by its result ==== */
Node *to_node(Check *, Value);                 /* NULL after a message       */
Node *to_number_node(Check *, Value);          /* f32; NULL after a message  */
bool to_number(Check *, Value, const char *what, double *);
bool to_whole(Check *, Value, const char *what, int64_t low, int64_t high, int64_t *);
bool to_bool(Check *, Value, const char *what, bool *);
bool to_text(Check *, Value, const char *what, const char **);
/* A number or list of numbers as dimensions; fewer than MAX_RANK. */
bool to_shape(Check *, Value, Shape *);
/* An axis of a shape, from the end if negative. */
bool to_axis(Check *, Value, Shape, int *);
bool shape_fits(Check *, Pos, Shape);          /* size within limits         */

/* ==== check_call.c ======================================================== */
Value eval_call(Check *, const Ast *call, Env *, const Value *running,
                const char *label);
Value call_function(Check *, Function *, Arg *, int n, const Ast *call, Pos,
                    const char *label);
/* Calls with positional values. */
Value call_values(Check *, Function *, int n, const Value *, Pos);
/* The arguments and those given when the function was named. */
Arg *with_given(const Function *, Arg *, int *n);
Function *function_of(const Ast *decl, Env *);
const char *function_name(const Function *);
/* Binds arguments to the parameters of a declaration in `env`; false after a
 * message. */
bool bind_arguments(Check *, Function *, Arg *, int n, Pos, Env *);
/* Only their names and number, where a value is known to be wrong. */
bool check_arguments(Check *, Function *, Arg *, int n, Pos);
/* Does a tensor fit the shape a signature declares? Binds its variables. */
bool match_signature(Check *, const char *function, const Ast *parameter, Value,
                     Env *);
/* The shape list of a declaration as numbers, where it has only constants. */
bool constant_shape(Check *, const Ast *list, Env *, Shape *);

/* ==== check_var.c ========================================================= */
void declare_param(Check *, const Ast *, Env *);
void declare_state(Check *, const Ast *, Env *);
void update_state(Check *, const Ast *, Env *);
/* The initial value of a var: number, tensor or initializer; NULL: message,
 * or `none` is written (absent): there is no such var and its name is 0. */
Node *initial_value(Check *, const Ast *, Env *, Shape, const char *name, bool *absent);
Var *new_var(Check *, VarKind, const char *name, Type, Shape, Pos);
Node *state_value(Check *, Var *);

/* ==== check_time.c ======================================================== */
bool is_sequence(Value);                       /* of varying length          */
bool is_count(Value);                          /* a number of steps          */
Value v_sequence(Node *, Node *length);        /* length NULL: a tensor      */
/* The same with padded steps that hold what the first step holds: of inputs,
 * and of what makes something else of padded steps. */
Value v_filled(Node *, Node *length);
Node *under_filling(Node *);                   /* NULL: nothing was filled   */
Value v_count(Node *length, int64_t most);
/* Truth values of this shape: is the step one that counts? */
Node *valid_steps(Node *length, Shape);
Node *valid_or(Node *length, Node *x, double otherwise);
/* The length of those that vary, NULL if none does; false after a message. */
bool common_length(Check *, Pos, int n, const Value *, Node **length);
void report_lengths(Check *, Pos, Value a, Value b);
/* The result of an operation that goes on step by step, with their length. */
Value step_by_step(Check *, Pos, Value result, int n, const Value *);
/* Reports a sequence of varying length, which `what` does not take. */
bool only_fixed(Check *, Pos, const char *what, int n, const Value *);
/* `time <= 512`, first in the shape of a sample; NULL: it is fixed. */
const Ast *varying_size(const Ast *shape);
bool maximum_of(Check *, const Ast *size, Env *, int64_t *most);

/* ==== check_builtin.c ===================================================== */
/* Arguments of a built-in function, by the order of its parameters. */
typedef struct Call {
    const Builtin *builtin;
    Pos pos;
    Value arg[12]; bool has[12];
    Value rest[MAX_ARGUMENTS]; int nrest;
} Call;

/* What a built-in makes of sequences of varying length. */
typedef enum Lengths {
    FIXED,        /* it takes none                                           */
    SAME,         /* it goes on step by step: the result has their length    */
    OWN           /* it sees to them itself                                  */
} Lengths;

struct Builtin {
    const char *name;
    const char *parameters;   /* "x, low, high"; "a?" optional, "a*" the rest;
                               * after ";" by name only, all optional        */
    Lengths lengths;
    Value (*call)(Check *, Call *);
};

const Builtin *find_builtin(const char *name);
Value call_builtin(Check *, const Builtin *, Arg *, int n, Pos);
/* Constants of the compiler: training, batch, sample, none, infinity, pi. */
bool builtin_constant(Check *, const char *name, Value *);
/* Is this a built-in that lines of networks may use as a layer? */
bool builtin_is_layer(const Builtin *);
int builtin_names(const char **names, int max);

/* check_math.c check_random.c check_layout.c check_conv.c check_data.c */
#define BUILTIN(name, parameters, lengths, function) Value function(Check *, Call *);
#include "graph/builtins.def"
Value matrix_product(Check *, Pos, Value a, Value b);
Node *scale_node(Node *, double factor);
Node *scalar(double);

/* ==== check_data.c ======================================================== */
/* What an expression does to a sample: steps, the last one first. */
typedef struct Transform {
    const struct Transform *before;
    int op;                       /* of AST_BINARY or AST_UNARY; 0: a call   */
    bool unary, right;            /* right: the sample is the right operand  */
    Value other;
    Function *function; const Arg *args; int nargs, hole;
    Pos pos;
} Transform;

/* Components are what `zip` joined, in order; each has its own transform. */
struct DataValue {
    Data *data;
    const Transform **parts; int nparts;
};

/* Calls visit() for each file of a component, or of all (-1); the number of components. */
int each_file(Data *, int first, int component, void (*visit)(Data *file, const void *),
              const void *argument);
Data *copy_tree(const Data *);
Data *windows_of(Data *, int component);
/* False after a message. */
bool is_data(Check *, Value);
bool only_data(Check *, const Call *);
Data *join_data(DataKind, const Call *);
Data *new_data(DataKind, Pos);
Value data_value(Data *, const Transform **parts, int nparts);
const Transform **one_transform(const Transform *);
Value data_operator(Check *, Pos, int op, bool unary, bool right, Value data,
                    Value other);
Value data_call(Check *, Function *, Arg *, int n, int hole, Pos);
Value apply_transform(Check *, const Transform *, Value sample);
void declare_data(Check *, const Ast *, Env *);
/* The data source of that name; NULL after a message. */
DataValue *find_data(Check *, const char *name, Pos);
Value data_split(Check *, Call *);
Value data_concat(Check *, Call *);
/* Binds names to the components of data: inputs of a function, transformed. */
bool bind_data(Check *, Fn *, const DataValue *, AstList names, Env *);
/* Finds shapes of components from the networks that a block passes them to. */
void infer_shapes(Check *, const DataValue *, const Ast *block);
/* The shape of a sample of a component in its file; NULL: unknown. */
const Shape *component_shape(const Data *, int component);
bool component_varies(const Data *, int component);
bool has_windows(Data *, int components);
/* The replay that a component is, or NULL. */
const Data *replay_of(const Data *, int component);
/* Sources that are cut or joined are files'; false after a message. */
bool only_files(Check *, Pos, const Data *, const char *what);
/* Says an epoch how many samples it has? false after a message. */
bool has_samples(Check *, Pos, const Data *, const char *name);
void use_data(Check *, Data *);   /* lists its files in the model            */
/* The values number `classes` things: where they are what a file holds, its
 * reader checks that; where they are an input of a network, it is told. */
void expect_classes(const Check *, Node *values, int64_t classes);

/* ==== check_optimizer.c =================================================== */
/* One `update networks using optimizer`: an AST_CALL. */
typedef struct Using { const Ast *call; Var **params; int nparams; } Using;
void add_updates(Check *, Fn *, Node *objective, const Using *, Env *);
/* Reports what is wrong with the call of an optimizer that will not be made. */
void check_optimizer(Check *, const Ast *call, Env *);

/* ==== check_update.c ====================================================== */
/* The line of a step that has its objective; NULL after a message. */
const Ast *find_minimize(Check *, const Ast *step);
/* The network of a target, `decoder` or `decoder.dense_2`. */
NetworkInfo *find_network(Check *, const Ast *target);
/* Where all ways of a gradient from y to x end, which y depends on; NULL: some
 * reach it. */
const Node *gradient_stop(Node *y, const Node *x);
/* The updates of what the step names. `sound`: its objective has no mistake. */
void step_updates(Check *, Fn *, Node *objective, const Ast *step, Env *, bool sound);
/* Warns where two steps of a block update a network and one does not name it. */
void check_two_optimizers(Check *, int n, const Ast *const *steps, Fn *const *);

/* ==== check_train.c, check_network.c ====================================== */
void check_train(Check *, const Ast *);
/* Data and its names of a train or report block; NULL after a message. */
DataValue *open_block(Check *, const Ast *);
void check_report(Check *, const Ast *);
void build_networks(Check *);
void build_reconstruct(Check *);
/* The body of a network in its own context. `record`: list its layers. */
Value network_body(Check *, NetworkInfo *, Env *, Value first, bool training, bool record);
Fn *new_fn(Check *, FnKind, const char *name, Pos);
Node *fn_input(Fn *, const char *name, Shape, Pos);
/* A number of steps, at most this; the lengths of input `of`. They come last. */
Node *fn_count(Fn *, const char *name, int64_t most, Pos);
Node *fn_length(Fn *, int of, Pos);
void fn_output(Fn *, const char *name, Node *);
/* The lengths of all outputs so far, NULL where they do not vary. */
void fn_output_lengths(Fn *, Node *const *length);
void fn_update(Fn *, Var *, Node *);
/* Lists a layer of the network being recorded. */
void record_layer(Check *, const char *name, const char *type, Value result,
                  const Instance *, Pos);

/* ==== check_watch.c ======================================================= */
/* What the trainer looks at in blocks with several steps. */
void build_watches(Check *);
/* check_train.c: binds the data of a block once more, as inputs of a function; NULL
 * where that fails. Evaluates the objective of a step in training mode there. */
Env *block_again(Check *, int block, Fn *);
void objective_again(Check *, int block, int step, Env *bound);

/* ==== check_score.c ======================================================= */
/* Is this kind of report a number, or several, that `evaluate` prints? */
bool is_score(const char *kind);
/* Are its `shown` values and its options what it takes? */
void check_score(Check *, const Report *, int shown);

/* ==== check_names.c ======================================================= */
/* The name that was probably meant among those in scope, or NULL. */
const char *suggest_name(const char *word, const Env *);
/* Among those of this kind where it is V_FUNCTION or V_STRING. */
const char *suggest_kind(const char *word, const Env *, ValueKind);
const char *suggest(const char *word, const char *const *candidates, int n);
/* Warns of names of the file itself, not of imported ones, that nothing reads. */
void check_unused(const Ast *file, const char *source);

#endif
