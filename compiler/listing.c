/* --print-ops and --print-std: what there is to build with. */
#include "driver.h"
#include "graph/ops.h"

#include <string.h>

void print_ops(Text *out)
{
    for (int i = 0; i < N_OPS; i++) {
        const OpInfo *op = &op_info[i];
        text_printf(out, "%-15s %s\n", op->name, op->doc);
        if (op->kind == MAP)
            text_printf(out, "%-15s   gradient: %s\n", "", op->gradient);
    }
}

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
