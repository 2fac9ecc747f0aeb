/* share: work that consecutive steps of a train block have in common.
 *
 * needs       simplified functions without OP_gradient
 * guarantees  steps that see one batch, and compute products or scans that no
 *             update between them changes, are one function that computes
 *             these once: TrainStep.joined of the first, which the others name
 *
 *     step d: y = f(z, g.w); update d.w = d.w - h(y, d.w)
 *     step g: y = f(z, g.w); update g.w = g.w - k(y, d.w)
 *   becomes
 *     step d.g: y = f(z, g.w); v = d.w - h(y, d.w); update d.w = v
 *                              update g.w = g.w - k(y, v)
 *
 * What a step computes of a value that was updated before it in the pass is
 * computed of the new value. Functions that share nothing stay apart, as do
 * those in which one scan would have two bodies. */
#include <string.h>

#include "graph/ops.h"
#include "graph/scan.h"

/* Values of vars after the steps so far, by id of the var's node; NULL: as
 * they were. */
typedef struct Pass {
    Node **now;
    bool *fresh; /* [id]: it is such a value */
    int room;
} Pass;

static Pass new_pass(void)
{
    int n = graph_count();
    return (Pass){NEW_ARRAY(Node *, n), NEW_ARRAY(bool, n), n};
}

/* The graph grows while steps are rewritten. */
static void make_room(Pass *p)
{
    int n = graph_count();
    Node **now = NEW_ARRAY(Node *, n);
    bool *fresh = NEW_ARRAY(bool, n);
    memcpy(now, p->now, sizeof *now * (size_t)p->room);
    memcpy(fresh, p->fresh, sizeof *fresh * (size_t)p->room);
    *p = (Pass){now, fresh, n};
}

/* Outputs and updates of a step as they are after the steps before it. */
static NodeList roots_after(Pass *p, const Fn *fn)
{
    NodeList roots = fn_roots(fn);
    make_room(p);
    graph_substitute(roots.n, roots.at, p->now);
    make_room(p);
    for (int i = 0; i < fn->nupdates; i++) {
        Node *value = roots.at[fn->noutputs + i];
        p->now[fn->targets[i]->node->id] = value;
        p->fresh[value->id] = true;
    }
    return roots;
}

/* ---- What two steps share ------------------------------------------------------- */

static bool costs(const Node *n)
{
    return n->op == OP_contract || n->op == OP_scan || n->op == OP_window_argmax;
}

/* What a step computes itself, by id: of `given` values nothing. */
typedef struct Work {
    NodeList nodes;
    bool *own;
    int room;
} Work;

static Work work_of(NodeList roots, const Pass *given)
{
    int n = graph_count();
    Work w = {graph_reach(roots.n, roots.at), NEW_ARRAY(bool, n), n};
    for (int i = 0; i < roots.n; i++)
        w.own[roots.at[i]->id] = true;
    for (int i = w.nodes.n; i-- > 0;) {
        const Node *node = w.nodes.at[i];
        if (node->id < given->room && given->fresh[node->id])
            w.own[node->id] = false;
        for (int k = 0; w.own[node->id] && k < node->nin; k++)
            w.own[node->in[k]->id] = true;
    }
    return w;
}

static bool share(const Work *a, const Work *b)
{
    for (int i = 0; i < a->nodes.n; i++) {
        const Node *n = a->nodes.at[i];
        if (costs(n) && n->id < b->room && a->own[n->id] && b->own[n->id])
            return true;
    }
    return false;
}

/* ---- One function of several ------------------------------------------------------ */

/* The versions of a scan differ in what they emit, not in what they do. */
static bool one_body(const Node *a, const Node *b)
{
    int shared = 2 * a->attr.scan.carried;
    return a->attr.scan.carried == b->attr.scan.carried && a->nin >= shared && b->nin >= shared &&
           memcmp(a->in, b->in, sizeof *a->in * (size_t)shared) == 0;
}

static bool scans_agree(NodeList list)
{
    for (int i = 0; i < list.n; i++)
        for (int k = 0; k < i && list.at[i]->op == OP_scan; k++)
            if (list.at[k]->op == OP_scan && list.at[k]->attr.scan.id == list.at[i]->attr.scan.id &&
                !one_body(list.at[k], list.at[i]))
                return false;
    return true;
}

static void add_update(Fn *fn, Var *target, Node *value)
{
    for (int i = 0; i < fn->nupdates; i++)
        if (fn->targets[i] == target) {
            fn->values[i] = value;
            return;
        }
    fn->targets[fn->nupdates] = target;
    fn->values[fn->nupdates++] = value;
}

static void add_step(Fn *joined, const Fn *fn, NodeList roots)
{
    for (int i = 0; i < fn->noutputs; i++) {
        joined->output_names[joined->noutputs] = fn->output_names[i];
        joined->outputs[joined->noutputs++] = roots.at[i];
    }
    for (int i = 0; i < fn->nupdates; i++)
        add_update(joined, fn->targets[i], roots.at[fn->noutputs + i]);
}

/* "train_1.critic.generator" */
static const char *joined_name(const TrainStep *steps, int n)
{
    const char *name = steps[0].fn->name;
    for (int i = 1; i < n; i++)
        name = format("%s.%s", name, steps[i].name);
    return intern(name);
}

/* NULL where a scan would have two bodies. */
static Fn *join(const TrainStep *steps, int n)
{
    int outputs = 0, updates = 0;
    Pass pass = new_pass();
    Fn *joined = NEW(Fn);
    *joined = *steps[0].fn;
    for (int i = 0; i < n; i++) {
        outputs += steps[i].fn->noutputs;
        updates += steps[i].fn->nupdates;
    }
    joined->name = joined_name(steps, n);
    joined->noutputs = joined->nupdates = 0;
    joined->outputs = NEW_ARRAY(Node *, outputs);
    joined->output_names = NEW_ARRAY(const char *, outputs);
    joined->length = NEW_ARRAY(int, outputs);
    memset(joined->length, -1, sizeof *joined->length * (size_t)outputs);
    joined->targets = NEW_ARRAY(Var *, updates + 1);
    joined->values = NEW_ARRAY(Node *, updates + 1);
    for (int i = 0; i < n; i++)
        add_step(joined, steps[i].fn, roots_after(&pass, steps[i].fn));
    NodeList roots = fn_roots(joined);
    if (!scans_agree(graph_reach(roots.n, roots.at)))
        return NULL;
    unite_scans(roots.n, roots.at);
    fn_set_roots(joined, roots.at);
    return joined;
}

/* ---- The steps of a block ------------------------------------------------------------- */

static bool same_inputs(const Fn *a, const Fn *b)
{
    return a->ninputs == b->ninputs &&
           memcmp(a->inputs, b->inputs, sizeof *a->inputs * (size_t)a->ninputs) == 0;
}

/* The step after those from `first` that see one batch. */
static int batch_end(const Train *t, int first)
{
    int end = first + 1;
    while (end < t->nsteps && !t->steps[end].fresh &&
           same_inputs(t->steps[first].fn, t->steps[end].fn))
        end++;
    return end;
}

/* The end of the steps from i on that share work, directly or around others. */
static int sharing_end(const TrainStep *steps, int i, int end)
{
    Work *work = NEW_ARRAY(Work, end - i);
    int last = i;
    Pass pass = new_pass();
    for (int k = i; k < end; k++) {
        Pass before = pass;
        work[k - i] = work_of(roots_after(&pass, steps[k].fn), &before);
        for (int j = i; j < k && j <= last; j++)
            last = share(&work[j - i], &work[k - i]) ? k : last;
    }
    return last + 1;
}

static void join_steps(TrainStep *steps, int n)
{
    Fn *joined = join(steps, n);
    int output = 0;
    for (int i = 0; joined && i < n; i++) {
        steps[i].joined = joined;
        steps[i].output = output;
        output += steps[i].fn->noutputs;
    }
}

static void share_block(Train *t)
{
    for (int i = 0, end; i < t->nsteps; i = end) {
        end = sharing_end(t->steps, i, batch_end(t, i));
        if (end > i + 1)
            join_steps(t->steps + i, end - i);
    }
}

/* ---- The list of functions ------------------------------------------------------------- */

/* Is it called by itself, too? Of a step that repeats only the last call is
 * joined with the steps that see its batch; and a pass that the trainer watches
 * looks at each step. */
static bool is_called(const Train *t, const TrainStep *s)
{
    return t->watched || !s->joined || (s->output == 0 && s->repeat > 1);
}

static void replace_functions(Model *m, const Train *t)
{
    int n = 0;
    Fn **fns = NEW_ARRAY(Fn *, m->nfns + t->nsteps);
    for (int i = 0; i < m->nfns; i++) {
        const TrainStep *step = NULL;
        for (int k = 0; k < t->nsteps; k++)
            step = t->steps[k].fn == m->fns[i] ? &t->steps[k] : step;
        if (!step || is_called(t, step))
            fns[n++] = m->fns[i];
        if (step && step->joined && step->output == 0)
            fns[n++] = step->joined;
    }
    m->fns = fns;
    m->nfns = n;
    for (int k = 0; k < t->nsteps; k++)
        if (!is_called(t, &t->steps[k]))
            t->steps[k].fn = t->steps[k].joined;
}

void share_steps(Model *m)
{
    for (int i = 0; i < m->ntrains; i++) {
        share_block(&m->trains[i]);
        replace_functions(m, &m->trains[i]);
    }
}
