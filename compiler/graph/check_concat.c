/* `concat(a, b)`: the samples of sources, one after the other.
 *
 * Where all parts of a component have the same expression, that stays the
 * component's. Where they differ, and are arithmetic with numbers, each file has its
 * own, which the runtime does when it reads a sample, and the component has none:
 *
 *   concat(idx("a") / 255, npy("b"))      a: early / 255, b: none; a sample is x */
#include "graph/check.h"

#include <string.h>

static bool same_transform(const Transform *a, const Transform *b)
{
    for (; a && b; a = a->before, b = b->before)
        if (a->op == 0 || a->op != b->op || a->unary != b->unary || a->right != b->right ||
            !values_equal(a->other, b->other))
            return false;
    return a == b;
}

static bool same_windows(const Data *a, const Data *b)
{
    return a && b ? a->count == b->count && a->stride == b->stride : a == b;
}

static void find_opaque(Data *file, const void *argument)
{
    **(bool *const *)argument |= !file->affine;
}

/* What the trainer does to the file's numbers, whatever the graph does to them later. */
static void scale_early(Data *file, const void *argument)
{
    (void)argument;
    file->early[0] = file->divide;
    file->early[1] = file->multiply;
    file->early[2] = file->add;
}

/* Is this component scaled in the same way in all parts? Then the graph does it. */
static bool same_arithmetic(const Call *call, int component)
{
    const Transform *first = call->rest[0].data->parts[component];
    bool same = true;
    for (int i = 1; i < call->nrest; i++)
        same &= same_transform(call->rest[i].data->parts[component], first);
    return same;
}

/* May the parts go on as one? Each with its own arithmetic only where it is numbers'. */
static bool check_parts(Check *c, const Call *call)
{
    const DataValue *first = call->rest[0].data;
    for (int i = 1; i < call->nrest; i++) {
        const DataValue *v = call->rest[i].data;
        bool same = v->nparts == first->nparts, opaque = false, *found = &opaque;
        for (int k = 0; same && k < v->nparts; k++) {
            same = same_windows(windows_of(v->data, k), windows_of(first->data, k));
            if (same_transform(v->parts[k], first->parts[k]))
                continue;
            each_file(v->data, 0, k, find_opaque, &found);
            each_file(first->data, 0, k, find_opaque, &found);
        }
        if (same && !opaque)
            continue;
        report(c, call->rest[i].pos,
               "sources that are concatenated have the same components and arithmetic");
        advise(c, "concatenate first, then scale: `concat(a, b) / 255`");
        return false;
    }
    return true;
}

Value data_concat(Check *c, Call *call)
{
    if (!only_data(c, call))
        return v_error();
    const DataValue *first = call->rest[0].data;
    for (int i = 0; i < call->nrest; i++)
        if (!only_files(c, call->rest[i].pos, call->rest[i].data->data, "concatenated"))
            return v_error();
    if (!check_parts(c, call))
        return v_error();
    Data *d = join_data(DATA_CONCAT, call);
    const Transform **parts = NEW_ARRAY(const Transform *, first->nparts + 1);
    bool copied = false;
    for (int k = 0; k < first->nparts; k++) {
        parts[k] = first->parts[k];
        if (same_arithmetic(call, k))
            continue;
        parts[k] = NULL;
        for (int i = 0; i < d->nparts; i++) {
            d->parts[i] = copied ? d->parts[i] : copy_tree(d->parts[i]);
            each_file(d->parts[i], 0, k, scale_early, NULL);
        }
        copied = true;
    }
    return data_value(d, parts, first->nparts);
}
