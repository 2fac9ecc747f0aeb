/* parse: text -> syntax tree, of one file or of a program with its imports.
 *
 * needs       a source file of any bytes (diag_source)
 * guarantees  a tree as ast.h says, not higher than AST_MAX_HEIGHT, every
 *             statement in a block where it has a meaning, every comment in
 *             one place of it; or NULL after at least one error
 *
 *     epochs 10      ->      epochs
 *                              a number 10                                   */
#include "syntax.h"
#include "grammar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 16 << 20 };

Ast *parse(int file)
{
    size_t n;
    int errors = error_count();
    source_text(file, &n);
    if (n > LARGEST_FILE) {
        error_at((Pos){file, 1, 1, 1}, "this file is larger than %d MiB", LARGEST_FILE >> 20);
        return NULL;
    }
    Tokens tokens = scan_tokens(file);
    Ast *tree = NULL;
    if (nn_parse(&tree, layout_new(&tokens)) == 0 && tree) {
        check_places(tree);
        tree->pos = (Pos){file, 1, 1, 1};
        attach_comments(tree, &tokens);
    }
    return error_count() == errors ? tree : NULL;
}

/* ---- Imports ------------------------------------------------------------ */

typedef struct Program {
    const Paths *folders;
    Paths seen;  /* real paths: a file is read once        */
    Paths files; /* as they were named                     */
    AstList declarations;
    const char *weights; /* of the networks of the file being read, or NULL */
    int depth;
    bool failed;
} Program;

enum { MOST_IMPORTS_DEEP = 100 };

static void add_path(Paths *p, const char *path)
{
    PUSH(p->at, p->n, p->cap, path);
}

static const char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? format("%.*s/", (int)(slash - path), path) : "";
}

static char *read_import(const char *folder, const char *name, const char **path, size_t *n)
{
    *path = *name == '/' ? name : format("%s%s", folder, name);
    return read_file(*path, n);
}

/* Beside the file that imports it, then in the folders of -I. */
static char *find_import(const Program *p, const Ast *import, const char **path, size_t *n)
{
    const char *from = source_path(import->pos.file);
    char *text = read_import(folder_of(from), import->text, path, n);
    for (int i = 0; !text && p->folders && i < p->folders->n; i++)
        text = read_import(format("%s/", p->folders->at[i]), import->text, path, n);
    return text;
}

static bool is_new(Program *p, const char *path)
{
    char *real = realpath(path, NULL);
    const char *name = intern(real ? real : path);
    free(real);
    for (int i = 0; i < p->seen.n; i++)
        if (p->seen.at[i] == name)
            return false;
    add_path(&p->seen, name);
    add_path(&p->files, path);
    return true;
}

static void add_file(Program *p, const char *path, const char *text, size_t n);

/* Once: networks have one file of weights. */
static void report_twice(Program *p, const Ast *import)
{
    error_at(import->pos2, "\"%s\" was imported before", import->text);
    hint("the first import of a file says what its weights are");
    p->failed = true;
}

static void add_import(Program *p, const Ast *import)
{
    size_t n;
    const char *path, *outer = p->weights;
    char *text = find_import(p, import, &path, &n);
    if (!text) {
        error_at(import->pos2, "cannot read \"%s\": %s", import->text, strerror(errno));
        hint("it is looked for beside this file, then in the folders of -I");
        p->failed = true;
    } else if (p->depth >= MOST_IMPORTS_DEEP) {
        error_at(import->pos2, "imports are nested more than %d deep", MOST_IMPORTS_DEEP);
        p->failed = true;
    } else if (import->a && !*import->a->text) {
        error_at(import->a->pos, "an empty path");
        p->failed = true;
    } else if (is_new(p, path)) {
        p->weights = import->a ? import->a->text : outer;
        add_file(p, path, text, n);
        p->weights = outer;
    } else if (import->a) {
        report_twice(p, import);
    }
}

/* Of a program that comes with its weights: what makes its networks. */
static void add_declaration(Program *p, Ast *d)
{
    if (p->weights && (d->kind == AST_DATA || d->kind == AST_TRAIN || d->kind == AST_REPORT))
        return;
    if (d->kind == AST_NETWORK)
        d->text = p->weights;
    p->declarations = ast_append(p->declarations, d);
}

static void add_file(Program *p, const char *path, const char *text, size_t n)
{
    Ast *file = parse(diag_source(path, text, n));
    if (!file) {
        p->failed = true;
        return;
    }
    p->depth++;
    for (int i = 0; i < file->kids.n; i++) {
        Ast *declaration = file->kids.at[i];
        if (declaration->kind == AST_IMPORT)
            add_import(p, declaration);
        else
            add_declaration(p, declaration);
    }
    p->depth--;
}

Ast *parse_program(const char *path, const Paths *folders, Paths *files)
{
    size_t n;
    Program p = {.folders = folders};
    char *text = read_file(path, &n);
    if (!text)
        fail_file("cannot read %s: %s", path, strerror(errno));
    bool standard = strcmp(path, "-") == 0;
    if (!standard)
        is_new(&p, path);
    add_file(&p, standard ? "<stdin>" : path, text, n);
    if (files)
        *files = p.files;
    Ast *file = ast_make((Ast){.kind = AST_FILE, .kids = p.declarations});
    return p.failed ? NULL : file;
}
