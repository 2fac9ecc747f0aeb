/* ops.def as data, and what the files of graph/ share beyond aecc.h. */
#ifndef AECC_OPS_H
#define AECC_OPS_H

#include "../aecc.h"

typedef enum OpKind {
    LEAF, MAP, LAYOUT, REDUCE, CONTRACT, WINDOW, INDEX, SCAN, GRADIENT
} OpKind;

typedef enum AttrKind {
    ATTR_none, ATTR_var, ATTR_input, ATTR_constant, ATTR_axis, ATTR_random,
    ATTR_number, ATTR_permutation, ATTR_map, ATTR_pad, ATTR_slice,
    ATTR_reverse, ATTR_axes, ATTR_contraction, ATTR_window, ATTR_scan
} AttrKind;

enum { COMMUTES = 1 };

typedef struct OpInfo {
    const char *name;
    int arity;                    /* -1: what the shape rule allows          */
    OpKind kind;
    AttrKind attr;
    unsigned flags;
    const char *value, *gradient, *doc;         /* as text, for --print-ops  */
} OpInfo;
extern const OpInfo op_info[N_OPS];

/* Of a contraction: pairs of operands, and operands in each. */
static inline int contraction_pairs(const Node *n) { return n->nin > 2 ? n->nin / 2 : 1; }
static inline int contraction_operands(const Node *n) { return n->nin > 1 ? 2 : 1; }

/* ---- shape.c ------------------------------------------------------------ */
/* What is illegal about the node, or NULL: arity, types, shapes, attributes. */
const char *node_error(const Node *);

/* Shapes of results from those of operands. */
Shape shape_transpose(Shape, const int *permutation);
Shape shape_pad(Shape, const int64_t *low, const int64_t *high, const int64_t *interior);
Shape shape_slice(Shape, const int64_t *start, const int64_t *limit, const int64_t *stride);
Shape shape_concatenate(int n, Node *const *parts, int axis);
Shape shape_reduce(Shape, const bool *axes);
Shape shape_gather_rows(Shape table, Shape index);
Shape shape_element(Shape rows);
Shape shape_stacked(Shape, int64_t steps);         /* a new first axis       */
/* Whether 0 <= f < size at all points of the box of variables. */
bool affine_inside(const Contraction *, const Affine *f, int64_t size);

/* ---- interp.c ----------------------------------------------------------- */
/* One element of an elementwise operation, in double. */
double map_value(const Node *, double x, double y, double z);

/* ---- graph.c ------------------------------------------------------------ */
/* Whether all elements are one constant, by way of broadcasts; which it is. */
bool splat_of(const Node *, double *number);
bool is_splat(const Node *, double number);
NodeList fn_roots(const Fn *);              /* outputs, then updates         */
void fn_set_roots(Fn *, Node *const *roots); /* the same order                */
/* rewrite(n, roots) on all outputs, updates and initial values of a model. */
void rewrite_model(Model *, void (*rewrite)(int n, Node **roots));

/* ---- print.c, read.c: words of the text form ------------------------------ */
enum { FN_KINDS = FN_PACK + 1, VAR_KINDS = VAR_PACKED + 1, RANDOM_KINDS = RANDOM_BITS + 1 };
extern const char *const fn_kind_name[FN_KINDS];
extern const char *const var_kind_name[VAR_KINDS];
extern const char *const random_kind_name[RANDOM_KINDS];

#endif
