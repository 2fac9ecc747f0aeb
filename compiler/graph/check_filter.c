/* `filter(images, labels, keep: [7, 9])`: the samples of a source whose number
 * in another one, a sample each, is one of a list. */
#include "graph/check.h"

#include <math.h>

/* The numbers are compared as they lie in their file. */
static bool check_numbers(Check *c, Value numbers)
{
    const DataValue *v = numbers.data;
    if (v->nparts == 1 && !v->parts[0])
        return true;
    if (v->nparts == 1)
        report(c, numbers.pos, "a filter reads the numbers as they lie in their file");
    else
        report(c, numbers.pos, "a filter reads one number a sample; this source has %d components",
               v->nparts);
    advise(c, "`data labels = idx(\"…\")`, then `filter(images, labels, keep: 7)`");
    return false;
}

static bool read_keep(Check *c, Data *d, Value keep)
{
    Value one[1] = {keep};
    Value list = keep.kind == V_LIST ? keep : v_list(1, one);
    d->nkeep = list.list.n;
    d->keep = NEW_ARRAY(double, d->nkeep + 1);
    if (d->nkeep == 0) {
        report(c, keep.pos, "an empty list keeps no sample");
        return false;
    }
    for (int i = 0; i < d->nkeep; i++) {
        Value number = list.list.at[i];
        if (number.pos.line == 0)
            number.pos = keep.pos;
        if (!to_number(c, number, "a number to keep", &d->keep[i]))
            return false;
        if (!isfinite(d->keep[i])) {
            report(c, number.pos, "%s; a file holds finite numbers", introduce(number));
            return false;
        }
    }
    return true;
}

Value data_filter(Check *c, Call *call)
{
    enum { SOURCE, NUMBERS, KEEP };
    Value of = call->arg[SOURCE], numbers = call->arg[NUMBERS];
    if (!is_data(c, of) || !is_data(c, numbers) || !check_numbers(c, numbers))
        return v_error();
    if (!only_files(c, of.pos, of.data->data, "filtered") ||
        !only_files(c, numbers.pos, numbers.data->data, "what filters"))
        return v_error();
    if (!call->has[KEEP]) {
        report(c, call->pos, "`filter` needs keep, the numbers of the samples that stay");
        advise(c, "`filter(images, labels, keep: 7)`, or a list of numbers");
        return v_error();
    }
    if (has_windows(of.data->data, of.data->nparts) || has_windows(numbers.data->data, 1)) {
        report(c, call->pos, "windows are taken of what is filtered");
        advise(c, "`windows(filter(x, numbers, keep: …), length: …)`");
        return v_error();
    }
    Data *d = new_data(DATA_FILTER, call->pos);
    d->nparts = 2;
    d->parts = NEW_ARRAY(Data *, 2);
    d->parts[0] = of.data->data;
    d->parts[1] = numbers.data->data;
    if (!read_keep(c, d, call->arg[KEEP]))
        return v_error();
    return data_value(d, of.data->parts, of.data->nparts);
}
