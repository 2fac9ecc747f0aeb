/* Operators: precedence and association, as trees in prefix form. */
#include "ast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void put_prefix(Text *out, const Ast *e)
{
    switch (e->kind) {
    case AST_NUMBER: text_printf(out, "%s", e->text); return;
    case AST_NAME: text_printf(out, "%s", e->name); return;
    case AST_BOOL: text_printf(out, e->number ? "true" : "false"); return;
    case AST_ARG: put_prefix(out, e->a); return;
    case AST_CALL: text_printf(out, "(%s", e->name); break;
    case AST_LIST: text_printf(out, "(list"); break;
    case AST_IF: text_printf(out, "(if"); break;
    default: text_printf(out, "(%s", ast_op_name(e->op)); break;
    }
    const Ast *parts[] = {e->a, e->b, e->c};
    for (int i = 0; i < 3 && parts[i]; i++) {
        text_printf(out, " ");
        put_prefix(out, parts[i]);
    }
    for (int i = 0; i < e->kids.n; i++) {
        text_printf(out, " ");
        put_prefix(out, e->kids.at[i]);
    }
    text_printf(out, ")");
}

static const Ast *value_of(const char *expression)
{
    char *text = format("let x = %s\n", expression);
    Ast *file = parse(diag_source("test.nn", text, strlen(text)));
    assert_non_null(file);
    assert_int_equal(file->kids.n, 1);
    return file->kids.at[0]->a;
}

static const struct {
    const char *source, *prefix;
} cases[] = {
    {"a + b * c", "(+ a (* b c))"},
    {"a - b - c", "(- (- a b) c)"},
    {"a / b * c @ d % e", "(% (@ (* (/ a b) c) d) e)"},
    {"-a^2", "(- (^ a 2))"},
    {"a^-b^c", "(^ a (- (^ b c)))"},
    {"a^b^c", "(^ a (^ b c))"},
    {"(a^b)^c", "(^ (^ a b) c)"},
    {"-a * b", "(* (- a) b)"},
    {"a * -b", "(* a (- b))"},
    {"--a", "(- (- a))"},
    {"not a == b", "(not (== a b))"},
    {"not a and b or c", "(or (and (not a) b) c)"},
    {"a + 1 <= b * 2", "(<= (+ a 1) (* b 2))"},
    {"(a < b) < c", "(< (< a b) c)"},
    {"a and (b or c)", "(and a (or b c))"},
    {"if a then b else c + 1", "(if a b (+ c 1))"},
    {"1 + if a then b else if c then d else e", "(+ 1 (if a b (if c d e)))"},
    {"f(a, b: c + 1,)", "(f a (+ c 1))"},
    {"[a, [], 1e-4,]", "(list a (list) 1e-4)"},
    {"((a))", "a"},
    {"true", "true"},
    {"x @ kernel + bias", "(+ (@ x kernel) bias)"},
    {"encoder.dense_1.kernel", "encoder.dense_1.kernel"},
    {"if", "if"},
    {"not", "not"},
    {"then + else", "(+ then else)"},
    {"not not not", "(not (not not))"},
};

static void test_trees(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Text out = {0};
        put_prefix(&out, value_of(cases[i].source));
        assert_string_equal(out.at, cases[i].prefix);
    }
}

/* The canonical form, read again, is the same tree. */
static void test_formatted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *source = format("let x = %s\n", cases[i].source);
        Text canonical = {0}, out = {0};
        format_ast(&canonical, parse(diag_source("test.nn", source, strlen(source))));
        Ast *again = parse(diag_source("again.nn", canonical.at, canonical.n));
        assert_non_null(again);
        put_prefix(&out, again->kids.at[0]->a);
        assert_string_equal(out.at, cases[i].prefix);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    assert_true(value_of("1e-4")->number == 1e-4);
    assert_true(value_of(".5")->number == 0.5);
    assert_true(value_of("12.25E+2")->number == 1225);
    assert_string_equal(value_of("1e-07")->text, "1e-07");
}

static void test_strings(void **state)
{
    (void)state;
    assert_string_equal(value_of("\"a\\tb\\n\\\"\\\\\"")->text, "a\tb\n\"\\");
    assert_string_equal(value_of("\"\xc3\xa9 # no comment\"")->text, "\xc3\xa9 # no comment");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_formatted),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
