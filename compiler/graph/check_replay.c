/* Experience replay: a source whose samples networks made in earlier passes.
 *
 *   data earlier = replay(generator(normal(30)), size: 5000)
 *   data both = zip(fashion, earlier)
 *   train on both(image, old) { … }
 *
 * The expression becomes a function without inputs, in inference mode. The runtime
 * keeps `size` of its samples: it fills them when a block that draws from them begins,
 * draws from all of them for each batch, and after each pass replaces the oldest
 * by a batch of new ones. */
#include "graph/check.h"

#include <string.h>

enum { MOST_KEPT = 1 << 24 };

static bool reads_input(Node *n)
{
    NodeList all = graph_reach(1, &n);
    for (int i = 0; i < all.n; i++)
        if (all.at[i]->op == OP_input)
            return true;
    return false;
}

/* The values of a sample, drawn for each; NULL after a message. */
static Node *made_sample(Check *c, const Call *call)
{
    Value v = call->arg[0];
    Node *n = v.kind == V_ERROR ? NULL : to_number_node(c, v);
    if (!n || !only_fixed(c, call->pos, "replay", 1, &v))
        return NULL;
    if (c->at.in_block || reads_input(n)) {
        report(c, call->pos, "a replay is declared outside of blocks, and depends on no data");
        advise(c, "write `data earlier = replay(generator(normal(30)), size: 5000)`");
        return NULL;
    }
    if (n->shape.batch)
        return n;
    report(c, v.pos, "nothing in this differs from sample to sample");
    advise(c, "a draw does, as in `replay(generator(normal(30)), size: 5000)`");
    return NULL;
}

Value data_replay(Check *c, Call *call)
{
    enum { SAMPLE, SIZE };
    int64_t size;
    Node *n = made_sample(c, call);
    if (n && !call->has[SIZE])
        report(c, call->pos, "`replay` needs size, the number of samples that it keeps");
    if (!n || !call->has[SIZE] ||
        !to_whole(c, call->arg[SIZE], "a number of samples", 1, MOST_KEPT, &size))
        return v_error();
    if (shape_size(n->shape) * size > MAX_ELEMENTS) {
        report(c, call->pos, "%lld samples of %s are too many to keep", (long long)size,
               sample_text(n->shape));
        return v_error();
    }
    Data *d = new_data(DATA_REPLAY, call->pos);
    d->count = size;
    d->shape = n->shape;
    d->shape.batch = false;
    d->shaped = true;
    d->type = T_F32;
    d->replay = new_fn(c, FN_REPORT, format("replay_%d", c->model->nreplays + 1), call->pos);
    fn_output(d->replay, "samples", n);
    PUSH(c->model->replays, c->model->nreplays, c->replays_cap, d);
    return data_value(d, one_transform(NULL), 1);
}

static int count_components(const Data *d)
{
    int n = 0;
    for (int i = 0; d->kind == DATA_ZIP && i < d->nparts; i++)
        n += count_components(d->parts[i]);
    return d->kind == DATA_ZIP ? n : d->nparts ? count_components(d->parts[0]) : 1;
}

const Data *replay_of(const Data *d, int component)
{
    if (d->kind == DATA_REPLAY)
        return d;
    for (int i = 0; d->kind == DATA_ZIP && i < d->nparts; i++) {
        int n = count_components(d->parts[i]);
        if (component < n)
            return replay_of(d->parts[i], component);
        component -= n;
    }
    return NULL;
}

static bool has(const Data *d, DataKind kind)
{
    bool any = d->kind == kind;
    for (int i = 0; i < d->nparts; i++)
        any |= has(d->parts[i], kind);
    return any;
}

bool only_files(Check *c, Pos pos, const Data *d, const char *what)
{
    if (!has(d, DATA_REPLAY))
        return true;
    report(c, pos, "this has a replay in it, which cannot be %s", what);
    advise(c, "take files here, and `zip` the replay to the result");
    return false;
}

bool has_samples(Check *c, Pos pos, const Data *d, const char *name)
{
    if (has(d, DATA_FILE))
        return true;
    report(c, pos, "nothing says how many samples `%s` has", name);
    advise(c, "join it with data of a file, `data both = zip(images, %s)`", name);
    return false;
}
