/* What a trainer looks at while networks train against each other.
 *
 * Of a train block with several steps that update different networks: which
 * parameters each moves is known from its function. Two steps are adversaries
 * where the one, the generator, gives a network of the other, the discriminator,
 * what its own parameters made, and the other gives the same network what no
 * parameter made. Those are samples and data; one function gives both, so
 * that the runtime can compare how far they spread.
 *
 *   step critic { minimize … critic(image) … }       pair: step 1 against step 0,
 *   step maker  { minimize … critic(maker(z)) … } -> watch(image) = maker(z), image
 *
 * It is built last: its draws have numbers behind all others, and change none. */
#include "graph/check.h"

#include <string.h>

typedef struct Plan {
    Check *c;
    const Train *train;
    bool **updates; /* [step][var] */
} Plan;

static int var_place(const Check *c, const Var *var)
{
    int i = 0;
    while (i < c->model->nvars && c->model->vars[i] != var)
        i++;
    return i;
}

/* Networks with a parameter that the step updates. */
static bool updates_network(const Plan *p, int step, const NetworkInfo *info)
{
    for (int i = 0; i < p->c->model->nvars; i++)
        if (p->updates[step][i] && p->c->owners[i] == info)
            return true;
    return false;
}

static bool made_by(const Plan *p, int step, Node *n)
{
    NodeList all = graph_reach(1, &n);
    for (int i = 0; i < all.n; i++) {
        if (all.at[i]->op != OP_var)
            continue;
        int place = var_place(p->c, all.at[i]->attr.var);
        if (step < 0 || (place < p->c->model->nvars && p->updates[step][place]))
            return true;
    }
    return false;
}

/* Of files, not of what networks made before. */
static bool of_data(const Plan *p, Node *n)
{
    NodeList all = graph_reach(1, &n);
    bool any = false;
    for (int i = 0; i < all.n; i++) {
        if (all.at[i]->op == OP_input && replay_of(p->train->data, all.at[i]->attr.input))
            return false;
        any |= all.at[i]->op == OP_input;
    }
    return any;
}

/* The value of a parameter in a call, if it is a tensor of the batch; NULL. */
static Node *argument_of(const Seen *call, int parameter)
{
    const Binding *b = env_own(call->env, call->info->decl->params.at[parameter]->name);
    bool tensor = b && b->value.kind == V_TENSOR && !b->value.length && !b->value.most;
    return tensor && b->value.node->shape.batch && b->value.node->type == T_F32 ? b->value.node
                                                                                : NULL;
}

/* What the step gives to this parameter of the network: made by itself, or by no
 * parameter at all. */
static Node *given_to(const Plan *p, const Seen *calls, int step, const NetworkInfo *info,
                      int parameter, bool made)
{
    Node *found = NULL;
    for (const Seen *s = calls; s; s = s->next) {
        Node *n = s->info == info ? argument_of(s, parameter) : NULL;
        if (n && (made ? made_by(p, step, n) : !made_by(p, -1, n) && of_data(p, n)))
            found = n; /* calls are listed last first */
    }
    return found;
}

static bool find_pair(const Plan *p, Seen *const *calls, int g, int d, WatchPair *pair)
{
    for (const NetworkInfo *info = p->c->networks; info; info = info->next) {
        if (!updates_network(p, d, info) || updates_network(p, g, info))
            continue;
        for (int i = 0; i < info->decl->params.n; i++) {
            Node *samples = given_to(p, calls[g], g, info, i, true);
            Node *data = given_to(p, calls[d], d, info, i, false);
            if (samples && data && shape_equal(samples->shape, data->shape)) {
                *pair = (WatchPair){g, d, samples, data};
                return true;
            }
        }
    }
    return false;
}

/* ---- A block ------------------------------------------------------------------- */

static bool *updated_vars(const Check *c, const Fn *fn)
{
    bool *is = NEW_ARRAY(bool, c->model->nvars + 1);
    for (int i = 0; i < fn->nupdates; i++)
        if (fn->targets[i]->kind == VAR_PARAM)
            is[var_place(c, fn->targets[i])] = true;
    return is;
}

static bool differ(const Plan *p)
{
    size_t bytes = sizeof(bool) * (size_t)p->c->model->nvars;
    for (int i = 1; i < p->train->nsteps; i++)
        if (memcmp(p->updates[0], p->updates[i], bytes) != 0)
            return true;
    return false;
}

static void watch_pairs(const Plan *p, int block, Train *t)
{
    Check *c = p->c;
    Seen **calls = NEW_ARRAY(Seen *, t->nsteps);
    Fn *fn = NEW(Fn);
    *fn =
        (Fn){.kind = FN_REPORT, .name = intern(format("train_%d.watch", block + 1)), .pos = t->pos};
    Env *bound = block_again(c, block, fn);
    for (int i = 0; bound && i < t->nsteps; i++) {
        c->seeing = true;
        c->seen = NULL;
        objective_again(c, block, i, bound);
        c->seeing = false;
        calls[i] = c->seen;
    }
    t->pairs = NEW_ARRAY(WatchPair, t->nsteps);
    for (int g = 0; bound && g < t->nsteps; g++)
        for (int d = 0; d < t->nsteps; d++)
            if (d != g && find_pair(p, calls, g, d, &t->pairs[t->npairs])) {
                t->npairs++;
                break;
            }
    for (int i = 0; i < t->npairs; i++) {
        fn_output(fn, "samples", t->pairs[i].samples);
        fn_output(fn, "data", t->pairs[i].data);
    }
    if (t->npairs > 0) {
        t->watch = fn;
        PUSH(c->model->fns, c->model->nfns, c->fns_cap, fn);
    }
}

void build_watches(Check *c)
{
    for (int b = 0; b < c->model->ntrains; b++) {
        Train *t = &c->model->trains[b];
        Plan p = {c, t, NEW_ARRAY(bool *, t->nsteps)};
        for (int i = 0; i < t->nsteps; i++)
            p.updates[i] = updated_vars(c, t->steps[i].fn);
        t->watched = t->nsteps > 1 && differ(&p);
        if (t->watched)
            watch_pairs(&p, b, t);
    }
}
