/* The whole state of a run in one file, whole or not at all.
 *
 *   "AECCKPT1"  u64 bytes of JSON  JSON (rt_state, hash)  every var
 *   samples of every replay  u32 CRC-32
 *
 * It goes to a temporary file that is synced and renamed (atomic.h), so after
 * a crash there is the new one or the one before. Vars are stored as they lie
 * in memory; the model's hash covers that layout. */
#include "rt.h"

#include "atomic.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static const char MAGIC[8] = "AECCKPT1";

/* ---- State <-> JSON: one table -------------------------------------------- */

typedef struct member {
    const char *name;
    size_t at;
    enum { WHOLE, REAL, LIST, FLAG } kind;
} member;

#define MEMBER(name, kind)                    \
    {                                         \
#name, offsetof(rt_state, name), kind \
    }
static const member members[] = {
    MEMBER(block, WHOLE),  MEMBER(epoch, WHOLE),        MEMBER(position, WHOLE),
    MEMBER(step, WHOLE),   MEMBER(batches, WHOLE),      MEMBER(samples, WHOLE),
    MEMBER(sums, LIST),    MEMBER(counts, LIST),        MEMBER(firsts, LIST),
    MEMBER(slopes, LIST),  MEMBER(stills, LIST),        MEMBER(probes, LIST),
    MEMBER(spreads, LIST), MEMBER(spread_counts, LIST), MEMBER(best, REAL),
    MEMBER(waited, WHOLE), MEMBER(seconds, REAL),       MEMBER(seed, WHOLE),
    MEMBER(batch, WHOLE),  MEMBER(log_bytes, WHOLE),    MEMBER(no_shuffle, FLAG),
};
enum { N_MEMBERS = sizeof members / sizeof *members };

static json_t *real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *member_json(const rt_state *s, const member *m)
{
    const void *at = (const char *)s + m->at;
    if (m->kind == WHOLE)
        return json_integer((json_int_t) * (const int64_t *)at);
    if (m->kind == REAL)
        return real(*(const double *)at);
    if (m->kind == FLAG)
        return json_boolean(*(const bool *)at);
    json_t *list = json_array();
    for (int i = 0; i < s->nsums; i++)
        json_array_append_new(list, real((*(double *const *)at)[i]));
    return list;
}

/* All lists of a state are as long as the first, its sums. */
static bool read_list(rt_state *s, double **at, const json_t *list)
{
    int n = (int)json_array_size(list);
    if (!json_is_array(list) || (at != &s->sums && n != s->nsums))
        return false;
    s->nsums = n;
    *at = rt_alloc((size_t)n + 1, sizeof **at);
    for (int i = 0; i < n; i++)
        (*at)[i] = json_number_value(json_array_get(list, (size_t)i));
    return true;
}

static bool read_member(rt_state *s, const member *m, const json_t *value)
{
    void *at = (char *)s + m->at;
    if (m->kind == WHOLE)
        *(int64_t *)at = json_integer_value(value);
    else if (m->kind == REAL)
        *(double *)at = json_is_null(value) ? INFINITY : json_number_value(value);
    else if (m->kind == FLAG)
        *(bool *)at = json_is_true(value);
    else
        return read_list(s, at, value);
    return value != NULL;
}

static char *state_json(const rt_model *m, const rt_state *s)
{
    json_t *object = json_object();
    json_object_set_new(object, "aecc", json_string(AECC_VERSION));
    json_object_set_new(object, "model", json_string(m->name));
    json_object_set_new(object, "hash", json_string(m->hash));
    for (int i = 0; i < N_MEMBERS; i++)
        json_object_set_new(object, members[i].name, member_json(s, &members[i]));
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(object);
    return text;
}

/* ---- Writing -------------------------------------------------------------- */

typedef struct sink {
    FILE *stream;
    uint32_t crc;
} sink;

static void put(sink *s, const void *bytes, size_t n)
{
    fwrite(bytes, 1, n, s->stream);
    s->crc = (uint32_t)crc32_z(s->crc, bytes, n);
}

bool checkpoint_save(const rt_machine *machine, const rt_state *state, const char *path,
                     rt_error *error)
{
    const rt_model *m = machine->model;
    atomic_file file;
    if (!atomic_open(&file, path, error))
        return false;
    sink s = {file.stream, 0};
    char *json = state_json(m, state);
    uint64_t length = strlen(json);
    put(&s, MAGIC, sizeof MAGIC);
    put(&s, &length, sizeof length);
    put(&s, json, length);
    free(json);
    for (int i = 0; i < m->nvars; i++)
        put(&s, machine->memory + m->vars[i].tensor.offset, (size_t)m->vars[i].bytes);
    for (int i = 0; i < m->nreplays; i++)
        put(&s, m->replays[i].samples,
            (size_t)(m->replays[i].size * m->replays[i].elements) * sizeof(float));
    uint32_t crc = s.crc;
    fwrite(&crc, sizeof crc, 1, file.stream);
    return atomic_commit(&file, error);
}

/* ---- Reading -------------------------------------------------------------- */

typedef struct image {
    const char *path;
    unsigned char *bytes;
    size_t size;
} image;

static bool corrupt(const image *f, const char *why, rt_error *error)
{
    return rt_set(error, RT_BAD_INPUT, "%s: not a whole checkpoint: %s\nremove it to start afresh",
                  f->path, why);
}

static bool check_frame(const image *f, uint64_t *length, rt_error *error)
{
    uint32_t crc;
    if (f->size < sizeof MAGIC + sizeof *length + sizeof crc)
        return corrupt(f, "it is cut off", error);
    if (memcmp(f->bytes, MAGIC, sizeof MAGIC))
        return corrupt(f, "it begins with other bytes than a checkpoint", error);
    memcpy(&crc, f->bytes + f->size - sizeof crc, sizeof crc);
    if (crc != (uint32_t)crc32_z(0, f->bytes, f->size - sizeof crc))
        return corrupt(f, "its checksum does not agree", error);
    memcpy(length, f->bytes + sizeof MAGIC, sizeof *length);
    if (*length > f->size - sizeof MAGIC - sizeof *length - sizeof crc)
        return corrupt(f, "its header is too long", error);
    return true;
}

static bool check_model(const image *f, const rt_model *m, const json_t *object, rt_error *error)
{
    const char *hash = json_string_value(json_object_get(object, "hash"));
    const char *name = json_string_value(json_object_get(object, "model"));
    if (!hash || !name)
        return corrupt(f, "its header lacks the model", error);
    if (!strcmp(hash, m->hash))
        return true;
    return rt_set(error, RT_BAD_INPUT,
                  "%s: a checkpoint of %s (%s), and this is %s (%s)\n"
                  "the program has changed since; remove the checkpoint to start afresh",
                  f->path, name, hash, m->name, m->hash);
}

static size_t vars_bytes(const rt_model *m)
{
    size_t n = 0;
    for (int i = 0; i < m->nvars; i++)
        n += (size_t)m->vars[i].bytes;
    return n;
}

/* The hash is the program's, but a file may say anything: what later indexes
 * an array or bounds a loop must be what a run can reach. */
static bool check_state(const image *f, const rt_model *m, const rt_state *s, rt_error *error)
{
    const int64_t counts[] = {s->epoch,  s->position, s->step,    s->batches,
                              s->waited, s->batch,    s->samples, s->log_bytes};
    const int64_t most = (int64_t)1 << 53; /* more than any run, and far from overflow */
    bool good =
        s->block >= 0 && s->block < (m->ntrains ? m->ntrains : 1) && s->batch <= RT_MAX_BATCH;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        good = good && counts[i] >= 0 && counts[i] < most;
    good = good && (!m->ntrains || s->nsums == m->trains[s->block].nsteps);
    good = good && isfinite(s->seconds) && s->seconds >= 0;
    return good || corrupt(f, "its header holds a number that no run reaches", error);
}

static bool read_image(const image *f, const rt_model *m, rt_state *state, char **vars,
                       rt_error *error)
{
    uint64_t length = 0;
    json_error_t json;
    if (!check_frame(f, &length, error))
        return false;
    const char *text = (const char *)f->bytes + sizeof MAGIC + sizeof length;
    json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &json);
    bool ok = object ? check_model(f, m, object, error) : corrupt(f, json.text, error);
    for (int i = 0; ok && i < N_MEMBERS; i++)
        if (!read_member(state, &members[i], json_object_get(object, members[i].name)))
            ok = corrupt(f, "its header is incomplete", error);
    json_decref(object);
    ok = ok && check_state(f, m, state, error);
    size_t n = vars_bytes(m) + replay_bytes(m);
    if (ok && f->size != sizeof MAGIC + sizeof length + length + n + sizeof(uint32_t))
        ok = corrupt(f, "its variables have another size", error);
    if (ok) {
        *vars = rt_alloc(n + 1, 1);
        memcpy(*vars, text + length, n);
    }
    return ok;
}

bool checkpoint_read(const rt_model *m, const char *path, rt_state *state, char **vars, bool *found,
                     rt_error *error)
{
    struct stat about;
    image f = {.path = path};
    *found = stat(path, &about) == 0 || errno != ENOENT;
    if (!*found)
        return true;
    f.bytes = data_slurp(path, &f.size, error);
    bool ok = f.bytes && read_image(&f, m, state, vars, error);
    free(f.bytes);
    return ok;
}

void checkpoint_restore(rt_machine *machine, char *vars)
{
    const rt_model *m = machine->model;
    const char *at = vars;
    for (int i = 0; i < m->nvars; i++) {
        memcpy(machine->memory + m->vars[i].tensor.offset, at, (size_t)m->vars[i].bytes);
        at += m->vars[i].bytes;
    }
    for (int i = 0; i < m->nreplays; i++) {
        size_t bytes = (size_t)(m->replays[i].size * m->replays[i].elements) * sizeof(float);
        memcpy(m->replays[i].samples, at, bytes);
        at += bytes;
    }
    free(vars);
}
