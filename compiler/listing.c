/* --print-std: the signatures of the standard library. */
#include "driver.h"

#include <string.h>

static bool is_callable(const Ast *declaration)
{
    return declaration->kind == AST_LAYER || declaration->kind == AST_LET ||
           declaration->kind == AST_OPTIMIZER || declaration->kind == AST_NETWORK;
}

int print_std(Text *out)
{
    for (int i = 0; i < std_file_count; i++) {
        const struct StdFile *std = &std_files[i];
        Ast *file = parse(diag_source(std->name, std->text, strlen(std->text)));
        if (!file)
            return EXIT_PROGRAM;
        text_printf(out, "%s%s:\n", i ? "\n" : "", std->name);
        for (int k = 0; k < file->kids.n; k++) {
            if (!is_callable(file->kids.at[k]))
                continue;
            text_printf(out, "  ");
            format_signature(out, file->kids.at[k]);
            text_printf(out, "\n");
        }
    }
    return EXIT_DONE;
}
