/* Which statement may stand in which block: one table, one walk. */
#include "syntax.h"

typedef enum Place {
    IN_NETWORK = 1,
    IN_LAYER = 2,
    IN_OPTIMIZER = 4,
    IN_TRAIN = 8,
    IN_STEP = 16,
    IN_REPORT = 32,
    IN_SCAN = 64
} Place;

static const struct Rule {
    AstKind kind;
    int places;
    const char *advice;
} rules[] = {
    {AST_BIND, IN_NETWORK | IN_LAYER | IN_OPTIMIZER | IN_TRAIN | IN_STEP | IN_REPORT | IN_SCAN,
     NULL},
    {AST_LINE, IN_NETWORK | IN_LAYER | IN_REPORT | IN_SCAN,
     "its value is lost; bind it, `name = …`, or use it in `minimize`"},
    {AST_PARAM, IN_NETWORK | IN_LAYER, "parameters belong to networks and layers"},
    {AST_STATE, IN_NETWORK | IN_LAYER | IN_OPTIMIZER,
     "state belongs to networks, layers and optimizers"},
    {AST_UPDATE, IN_NETWORK | IN_LAYER, "the state of a layer is updated in the layer"},
    {AST_USING, IN_TRAIN | IN_STEP, "networks are updated in the steps of a train block"},
    {AST_MINIMIZE, IN_TRAIN | IN_STEP, "an objective belongs in a train block"},
    {AST_RETURN, IN_NETWORK | IN_LAYER, "networks and layers return values"},
    {AST_VALIDATE, IN_TRAIN, "it belongs in a train block, outside of its steps"},
    {AST_EPOCHS, IN_TRAIN, "it belongs in a train block, outside of its steps"},
    {AST_BATCH, IN_TRAIN, "it belongs in a train block, outside of its steps"},
    {AST_STEP, IN_TRAIN, "steps belong in a train block, not in each other"},
    {AST_SCAN, IN_NETWORK | IN_LAYER | IN_SCAN, "recurrence belongs in networks and layers"},
    {AST_EMIT, IN_SCAN, "what a scan gives at each step is emitted in its block"},
};

static const struct Rule *rule_of(AstKind kind)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].kind == kind)
            return &rules[i];
    die("%s is no statement", ast_kind_name(kind));
}

/* 0 for what has no body of statements. */
static int place_of(AstKind kind)
{
    switch (kind) {
    case AST_NETWORK: return IN_NETWORK;
    case AST_LAYER: return IN_LAYER;
    case AST_OPTIMIZER: return IN_OPTIMIZER;
    case AST_TRAIN: return IN_TRAIN;
    case AST_STEP: return IN_STEP;
    case AST_REPORT: return IN_REPORT;
    case AST_SCAN: return IN_SCAN;
    default: return 0;
    }
}

static const char *place_name(AstKind block)
{
    return block == AST_STEP ? "a step" : block == AST_SCAN ? "a scan" : ast_kind_name(block);
}

static void check_body(const Ast *block)
{
    int place = place_of(block->kind);
    for (int i = 0; place && i < block->kids.n; i++) {
        const Ast *statement = block->kids.at[i];
        const struct Rule *rule = rule_of(statement->kind);
        if (!(rule->places & place)) {
            error_at(statement->pos, "%s has no meaning in %s", ast_kind_name(statement->kind),
                     place_name(block->kind));
            hint("%s", rule->advice);
        }
        check_body(statement);
    }
}

void check_places(const Ast *file)
{
    for (int i = 0; i < file->kids.n; i++)
        check_body(file->kids.at[i]);
}
