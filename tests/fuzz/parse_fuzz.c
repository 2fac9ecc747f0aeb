/* The parser and the formatter: no bytes crash them, and what parses has a
 * canonical form that parses, keeps all comments and is its own. */
#include "ast.h"
#include "syntax.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Text canonical(const Ast *tree)
{
    Text out = {0};
    text_put(&out, "", 0);
    format_ast(&out, tree);
    return out;
}

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_canonical(int file, const Ast *tree)
{
    Text once = canonical(tree);
    int formatted = diag_source("formatted.nn", once.at, once.n);
    const Ast *again = parse(formatted);
    require(again != NULL);
    Text twice = canonical(again);
    require(once.n == twice.n && memcmp(once.at, twice.at, once.n) == 0);
    require(scan_tokens(file).ncomments == scan_tokens(formatted).ncomments);
}

/* Messages are made, and go nowhere; reports of sanitizers do not. */
static void flush_quietly(void)
{
    int kept = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    diag_flush();
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = arena_alloc(size + 1);
    if (size > 0)
        memcpy(text, data, size);
    int file = diag_source("fuzz.nn", text, size);
    const Ast *tree = parse(file);
    if (tree) {
        Text outline = {0};
        print_ast(&outline, tree);
        check_canonical(file, tree);
    }
    flush_quietly();
    diag_reset();
    arena_free();
    return 0;
}
