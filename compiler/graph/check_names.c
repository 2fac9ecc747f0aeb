/* What was probably meant by a misspelt name, and names that nothing reads. */
#include "graph/check.h"

#include <ctype.h>
#include <string.h>

/* Spellings of Keras, TensorFlow and PyTorch, and what they are called here. */
/* clang-format off */
static const char *const spellings[][2] = {
    {"kernel_initializer", "init"}, {"bias_initializer", "bias_init"},
    {"initializer", "init"}, {"max_pooling2d", "max_pool2d"},
    {"average_pooling2d", "average_pool2d"}, {"avg_pool2d", "average_pool2d"},
    {"global_average_pooling2d", "global_average_pool2d"},
    {"global_max_pooling2d", "global_max_pool2d"}, {"up_sampling2d", "upsample2d"},
    {"conv2_d", "conv2d"}, {"conv2_d_transpose", "conv2d_transpose"},
    {"max_pooling2_d", "max_pool2d"}, {"average_pooling2_d", "average_pool2d"},
    {"global_average_pooling2_d", "global_average_pool2d"},
    {"global_max_pooling2_d", "global_max_pool2d"}, {"up_sampling2_d", "upsample2d"},
    {"zero_padding2_d", "zero_pad2d"}, {"zero_padding2d", "zero_pad2d"},
    {"linear", "dense"}, {"fully_connected", "dense"}, {"batch_norm", "batch_normalization"},
    {"layer_norm", "layer_normalization"}, {"batch_norm2d", "batch_normalization"},
    {"lr", "learning_rate"}, {"beta1", "beta_1"},
    {"beta2", "beta_2"}, {"eps", "epsilon"}, {"decay", "weight_decay"},
    {"clipnorm", "clip_norm"}, {"global_clipnorm", "global_clip_norm"},
    {"clipvalue", "clip_value"}, {"mean_squared_error", "mse"}, {"mse_loss", "mse"},
    {"mean_absolute_error", "mae"}, {"l1_loss", "mae"}, {"binary_crossentropy", "bce"},
    {"binary_cross_entropy", "bce"}, {"cross_entropy", "categorical_crossentropy"},
    {"categorical_cross_entropy", "categorical_crossentropy"},
    {"sparse_categorical_cross_entropy", "sparse_categorical_crossentropy"},
    {"kld", "kl_divergence"}, {"huber_loss", "huber"}, {"relu6", "clip"},
    {"leaky_re_lu", "leaky_relu"}, {"alpha", "negative_slope"},
    {"dilation_rate", "dilation"}, {"stride", "strides"}, {"out_channels", "filters"},
    {"out_features", "units"}, {"n_units", "units"}, {"p", "rate"}, {"reduce_mean", "mean"},
    {"reduce_sum", "sum"}, {"reduce_max", "max"}, {"var", "variance"}, {"pow", "^"},
    {"where", "if … then … else"}, {"select", "if … then … else"}, {"matmul", "@"},
    {"dot", "@"}, {"concatenate", "concat"}, {"cat", "concat"},
    {"arange", "range"}, {"detach", "stop_gradient"}, {"gradient", "grad"},
    {"gradients", "grad"}, {"randn", "normal"}, {"random_normal", "normal"},
    {"rand", "uniform"}, {"random_uniform", "uniform"}, {"inf", "infinity"},
    {"null", "none"}, {"xavier_uniform", "glorot_uniform"},
    {"xavier_normal", "glorot_normal"}, {"kaiming_uniform", "he_uniform"},
    {"kaiming_normal", "he_normal"}, {"adam_w", "adamw"}, {"logistic", "sigmoid"},
    {"epoch", "epochs"}, {"batch_size", "batch"}, {"noise", "gaussian_noise"},
    {"max_pooling1d", "max_pool1d"}, {"average_pooling1d", "average_pool1d"},
    {"avg_pool1d", "average_pool1d"}, {"global_average_pooling1d", "global_average_pool1d"},
    {"global_max_pooling1d", "global_max_pool1d"}, {"up_sampling1d", "upsample1d"},
    {"zero_padding1d", "zero_pad1d"}, {"cropping1d", "crop1d"},
    {"conv_transpose1d", "conv1d_transpose"}, {"go_backwards", "backwards"},
    {"recurrent_initializer", "recurrent_init"}, {"merge_mode", "merge"},
    {"rnn", "simple_rnn"}, {"embed", "embedding"}, {"input_dim", "classes"},
    {"output_dim", "units"}, {"hidden_size", "units"},
    {"upsampling2d", "upsample2d"}, {"conv_transpose2d", "conv2d_transpose"},
    {"deconv2d", "conv2d_transpose"}, {"load_idx", "idx"}, {"loadtxt", "csv"},
};
/* clang-format on */
enum { NSPELLINGS = sizeof spellings / sizeof *spellings };

/* Conv2DTranspose -> conv2d_transpose, he_normal -> he_normal. */
static const char *snake_case(const char *word)
{
    Text t = {0};
    for (size_t i = 0; word[i]; i++) {
        bool upper = isupper((unsigned char)word[i]);
        bool after =
            i > 0 && (islower((unsigned char)word[i - 1]) || isdigit((unsigned char)word[i - 1]));
        bool dimension = word[i] == 'D' && i > 0 && isdigit((unsigned char)word[i - 1]);
        bool begins = upper && islower((unsigned char)word[i + 1]) && i > 0 && word[i - 1] != '_';
        if (upper && !dimension && (after || begins))
            text_printf(&t, "_");
        text_printf(&t, "%c", tolower((unsigned char)word[i]));
    }
    return t.n ? t.at : "";
}

static const char *among(const char *word, const char *const *candidates, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(word, candidates[i]) == 0)
            return candidates[i];
    return NULL;
}

static bool is_syntax(const char *meant)
{
    return !isalpha((unsigned char)meant[0]) || strchr(meant, ' ') != NULL;
}

const char *suggest(const char *word, const char *const *candidates, int n)
{
    const char *snake = snake_case(word), *meant = NULL;
    for (int i = 0; i < NSPELLINGS && !meant; i++)
        if (strcmp(spellings[i][0], snake) == 0)
            meant = is_syntax(spellings[i][1]) ? spellings[i][1]
                                               : among(spellings[i][1], candidates, n);
    if (!meant)
        meant = among(snake, candidates, n);
    return meant && strcmp(meant, word) != 0 ? meant : closest(word, candidates, n);
}

/* Is a name of the kind that an argument needs? Of constants that nothing has
 * used yet the source tells it. */
static bool of_kind(const Binding *b, ValueKind kind)
{
    if (kind == V_STRING)
        return b->value.kind == V_STRING ||
               (b->lazy && b->lazy->a && b->lazy->a->kind == AST_STRING);
    if (kind != V_FUNCTION)
        return true;
    const Ast *decl = b->value.kind == V_FUNCTION ? b->value.function->decl : NULL;
    return b->value.kind == V_FUNCTION && (!decl || decl->kind == AST_LET);
}

const char *suggest_kind(const char *word, const Env *env, ValueKind kind)
{
    const char **names = NULL;
    int n = 0, cap = 0;
    for (; env; env = env->outer)
        for (const Binding *b = env->first; b; b = b->next)
            if (strcmp(b->name, "...") != 0 && of_kind(b, kind))
                PUSH(names, n, cap, b->name);
    const char *builtin[128];
    int count = kind == V_STRING ? 0 : builtin_names(builtin, 128);
    for (int i = 0; i < count; i++)
        if (kind != V_FUNCTION || find_builtin(builtin[i]))
            PUSH(names, n, cap, builtin[i]);
    return suggest(word, names, n);
}

const char *suggest_name(const char *word, const Env *env)
{
    return suggest_kind(word, env, V_ERROR);
}

/* ---- Names that nothing reads --------------------------------------------------------- */

static bool mentions(const Ast *e, const char *name)
{
    if (!e)
        return false;
    bool refers = e->kind == AST_NAME || e->kind == AST_CALL || e->kind == AST_VALIDATE ||
                  e->kind == AST_TRAIN || e->kind == AST_REPORT || e->kind == AST_UPDATE;
    if (refers && e->name == name)
        return true;
    for (int i = 0; i < e->params.n; i++)
        if (mentions(e->params.at[i]->a, name) || mentions(e->params.at[i]->b, name))
            return true;
    for (int i = e->kind == AST_BIND || e->kind == AST_DATA ? e->kids.n : 0; i < e->kids.n; i++)
        if (mentions(e->kids.at[i], name))
            return true;
    return mentions(e->a, name) || mentions(e->b, name) || mentions(e->c, name);
}

static bool body_mentions(const Ast *body, const char *name)
{
    for (int i = 0; i < body->kids.n; i++)
        if (mentions(body->kids.at[i], name))
            return true;
    return false;
}

static bool assigned_state(const Ast *body, const char *name)
{
    for (int i = 0; i < body->kids.n; i++)
        if (body->kids.at[i]->kind == AST_STATE && body->kids.at[i]->name == name)
            return true;
    return body->kind == AST_OPTIMIZER && strcmp(name, "parameter") == 0;
}

static void unused_lines(const Ast *body)
{
    for (int i = 0; i < body->kids.n; i++) {
        const Ast *s = body->kids.at[i];
        if (s->kind == AST_STEP)
            unused_lines(s);
        for (int k = 0; s->kind == AST_BIND && k < s->kids.n; k++) {
            const Ast *name = s->kids.at[k];
            if (!body_mentions(body, name->name) && !assigned_state(body, name->name) &&
                s->kids.n == 1)
                warning_at(name->pos, "`%s` is never used", name->name);
        }
        if (s->kind == AST_PARAM && !body_mentions(body, s->name))
            warning_at(s->pos2, "parameter `%s` is never used", s->name);
    }
}

/* `return` gives what it names; lines above it have no names. */
static void lost_lines(const Ast *body)
{
    const Ast *line = NULL;
    for (int i = 0; i < body->kids.n; i++) {
        if (body->kids.at[i]->kind == AST_LINE)
            line = body->kids.at[i];
        if (body->kids.at[i]->kind == AST_RETURN && line)
            warning_at(line->pos, "the value of this line is lost: `return` follows");
    }
}

/* Parameters that the body does not read. Lines take the first by themselves. */
static void unused_parameters(const Ast *d)
{
    bool lines = d->kids.n == 0 && !d->a;
    for (int i = 0; i < d->kids.n; i++)
        lines |= d->kids.at[i]->kind == AST_LINE;
    for (int i = lines; i < d->params.n; i++)
        if (!mentions(d, d->params.at[i]->name))
            warning_at(d->params.at[i]->pos2, "`%s` is never used", d->params.at[i]->name);
}

static bool file_mentions(const Ast *file, const char *name)
{
    for (int i = 0; i < file->kids.n; i++)
        if (mentions(file->kids.at[i], name))
            return true;
    return false;
}

static void unused_declaration(const Ast *file, const Ast *d)
{
    bool function = d->kind == AST_LET || d->kind == AST_LAYER || d->kind == AST_NETWORK ||
                    d->kind == AST_OPTIMIZER;
    if (function)
        unused_parameters(d);
    if (d->kind == AST_DATA) {
        for (int k = 0; k < d->kids.n; k++)
            if (!file_mentions(file, d->kids.at[k]->name))
                warning_at(d->kids.at[k]->pos, "data `%s` is never used", d->kids.at[k]->name);
    } else if (function && d->kind != AST_NETWORK && !file_mentions(file, d->name)) {
        warning_at(d->pos2, "`%s` is never used", d->name);
    }
}

void check_unused(const Ast *file, const char *source)
{
    const char *own = strcmp(source, "-") == 0 ? "<stdin>" : source;
    for (int i = 0; i < file->kids.n; i++) {
        const char *path = source_path(file->kids.at[i]->pos.file);
        if (!path || strcmp(path, own) != 0)
            continue;
        unused_declaration(file, file->kids.at[i]);
        unused_lines(file->kids.at[i]);
        lost_lines(file->kids.at[i]);
    }
}
