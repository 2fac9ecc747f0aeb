/* Contractions, point by point in the declared order: the batch outermost,
 * then the variables as they are numbered. An index is known when its last
 * variable is; so each variable's range is cut to the values at which all
 * indices that end with it are inside, and no point outside is visited. */
#include <math.h>

#include "interp.h"

typedef struct Walk {
    const Contraction *c;
    int nroles;
    Shape shape[3];            /* out, a, b */
    int64_t step[3][MAX_VARS]; /* elements for each variable */
    int64_t point[MAX_VARS];
    double *base[3]; /* NULL: only count */
    bool float32;
    bool once[MAX_VARS]; /* counting: one value for all */
    double points;       /* counted */
} Walk;

static int last_var(const Affine *f)
{
    int last = -1;
    for (int t = 0; t < f->terms; t++)
        last = f->var[t] > last ? f->var[t] : last;
    return last;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

/* Cuts [*lo, *hi] to the values of variable v at which 0 <= f < size. */
static void cut(const Walk *w, const Affine *f, int64_t size, int v, int64_t *lo, int64_t *hi)
{
    int64_t rest = f->constant, k = 0;
    for (int t = 0; t < f->terms; t++) {
        if (f->var[t] == v)
            k = f->coefficient[t];
        else
            rest += f->coefficient[t] * w->point[f->var[t]];
    }
    int64_t first = k > 0 ? -floor_div(rest, k) : -floor_div(rest - (size - 1), k);
    int64_t last = k > 0 ? floor_div(size - 1 - rest, k) : floor_div(-rest, k);
    *lo = first > *lo ? first : *lo;
    *hi = last < *hi ? last : *hi;
}

static void visit(Walk *w, const int64_t at[3])
{
    if (!w->base[0]) {
        w->points++;
        return;
    }
    double *out = w->base[0] + at[0], a = w->base[1][at[1]];
    double b = w->nroles > 2 ? w->base[2][at[2]] : 1;
    *out = w->float32 ? fmaf((float)a, (float)b, (float)*out) : *out + a * b;
}

static void walk(Walk *w, int v, const int64_t at[3])
{
    if (v == w->c->nvars) {
        visit(w, at);
        return;
    }
    int64_t lo = 0, hi = w->once[v] ? 0 : w->c->extent[v] - 1;
    for (int role = 0; role < w->nroles; role++)
        for (int i = 0; i < w->shape[role].rank; i++)
            if (last_var(&w->c->map[role][i]) == v)
                cut(w, &w->c->map[role][i], w->shape[role].dim[i], v, &lo, &hi);
    for (int64_t p = lo; p <= hi; p++) {
        int64_t next[3];
        w->point[v] = p;
        for (int role = 0; role < 3; role++)
            next[role] = at[role] + p * w->step[role][v];
        walk(w, v + 1, next);
    }
}

/* Sets steps and the offset of each role at point zero. False: never inside. */
static bool begin(Walk *w, const Node *n, int64_t offset[3])
{
    *w = (Walk){.c = &n->attr.contraction, .nroles = contraction_operands(n) + 1};
    offset[0] = offset[1] = offset[2] = 0;
    for (int role = 0; role < w->nroles; role++) {
        w->shape[role] = role ? n->in[role - 1]->shape : n->shape;
        int64_t stride = 1;
        for (int i = w->shape[role].rank - 1; i >= 0; i--) {
            const Affine *f = &w->c->map[role][i];
            offset[role] += stride * f->constant;
            for (int t = 0; t < f->terms; t++)
                w->step[role][f->var[t]] += stride * f->coefficient[t];
            if (!f->terms && (f->constant < 0 || f->constant >= w->shape[role].dim[i]))
                return false;
            stride *= w->shape[role].dim[i];
        }
    }
    return true;
}

void interpret_contract(Frame *f, const Node *n)
{
    Walk w;
    int64_t offset[3], samples = samples_of(f, n);
    if (!begin(&w, n, offset))
        return;
    for (int i = 0; i < n->nin; i++)
        if (n->in[i]->shape.batch)
            samples = f->run->samples;
    w.float32 = f->run->float32;
    for (int64_t block = 0; block < samples; block += LANES)
        for (int pair = 0; pair < contraction_pairs(n); pair++)
            for (int64_t s = block; s < block + LANES && s < samples; s++) {
                for (int role = 0; role < w.nroles; role++)
                    w.base[role] = sample_of(f, role ? n->in[2 * pair + role - 1] : n, s);
                walk(&w, 0, offset);
            }
}

/* A variable that no border cuts multiplies the count; the others are walked. */
double contraction_flops(const Node *n)
{
    Walk w;
    int64_t offset[3];
    if (!begin(&w, n, offset))
        return 0;
    double times = n->nin > 1 ? n->nin : 1; /* two for each pair */
    for (int v = 0; v < w.c->nvars; v++)
        w.once[v] = true;
    for (int role = 0; role < w.nroles; role++)
        for (int i = 0; i < w.shape[role].rank; i++) {
            const Affine *f = &w.c->map[role][i];
            for (int t = 0; t < f->terms; t++)
                w.once[f->var[t]] &= affine_inside(w.c, f, w.shape[role].dim[i]);
        }
    for (int v = 0; v < w.c->nvars; v++)
        times *= w.once[v] ? (double)w.c->extent[v] : 1;
    walk(&w, 0, offset);
    return w.points * times;
}
