/* --check=interp finds a kernel that computes something else, and only then. */
#include "loop/support.h"

#include <unistd.h>

static Model *doubled(void)
{
    static Fn init = {.kind = FN_INIT, .name = "init"};
    static const char *names[] = {"x", "y"};
    Model *m = NEW(Model);
    Fn *fn = NEW(Fn);
    int64_t size = 5;
    Node *x = graph_input(T_F32, shape_of(true, 1, &size), 0, (Pos){0});
    *fn = (Fn){.kind = FN_NETWORK,
               .name = "double",
               .ninputs = 1,
               .inputs = NEW(Node *),
               .input_names = names,
               .noutputs = 1,
               .outputs = NEW(Node *),
               .output_names = names + 1};
    fn->inputs[0] = x;
    fn->outputs[0] = graph_op2(OP_add, graph_op1(OP_tanh, x), x);
    *m = (Model){.name = "double", .source = "double", .nfns = 2, .fns = NEW_ARRAY(Fn *, 2)};
    m->fns[0] = &init;
    m->fns[1] = fn;
    fuse(m);
    plan(m);
    static Machine host;
    host = machine_for(&(TargetOptions){0});
    lower(m, &host);
    return m;
}

/* Its table goes nowhere. */
static int check_quietly(const Model *m)
{
    fflush(stdout);
    int out = dup(STDOUT_FILENO);
    assert_non_null(freopen("/dev/null", "w", stdout));
    int failures = check_interpreter(m);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    return failures;
}

static int change_sums(Region *region)
{
    int changed = 0;
    for (int i = 0; i < region->n; i++) {
        Inst *inst = region->at[i];
        bool sum = inst->op == L_map && inst->map == OP_add;
        inst->map = sum ? OP_mul : inst->map;
        changed += sum + change_sums(&inst->body);
    }
    return changed;
}

static void test_agreement(void **state)
{
    (void)state;
    assert_int_equal(check_quietly(doubled()), 0);
}

static void test_difference(void **state)
{
    (void)state;
    Model *m = doubled();
    int changed = 0;
    for (int i = 0; i < m->fns[1]->program->nkernels; i++)
        changed += change_sums(&m->fns[1]->program->kernels[i]->body);
    assert_true(changed > 0);
    assert_int_equal(check_quietly(m), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_difference),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
