/* The main() of a fuzz target where there is no libFuzzer: replays a corpus,
 * then feeds mutations of it to LLVMFuzzerTestOneInput for some seconds.
 *
 *   idx_fuzz [-seconds N] [-seed S] FILE-OR-FOLDER …
 *
 * Equal seeds give equal inputs. An input that crashes, is flagged by a
 * sanitizer or takes longer than INPUT_SECONDS is left in crash-TARGET.bin;
 * name it as FILE to see the crash again. A target may define fuzz_repair to
 * restore checksums, without which most mutations stop at the first check. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) void fuzz_repair(uint8_t *data, size_t size);

enum { LONGEST = 1 << 14, MOST_FILES = 4096, INPUT_SECONDS = 10 };

typedef struct input {
    uint8_t *bytes;
    size_t size;
} input;

static struct {
    input files[MOST_FILES];
    int count;
} corpus;

/* What runs now, for the signal handler. */
static input current;
static char crash_path[256];

/* ---- Crashes ----------------------------------------------------------------- */

static void save_and_end(int number)
{
    int handle = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (handle >= 0 && write(handle, current.bytes, current.size) == (ssize_t)current.size)
        dprintf(2, "the input is in %s (signal %d)\n", crash_path, number);
    signal(number, SIG_DFL);
    raise(number);
    _exit(1);
}

static void catch_crashes(const char *argv0)
{
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGPROF};
    const char *slash = strrchr(argv0, '/');
    snprintf(crash_path, sizeof crash_path, "crash-%s.bin", slash != NULL ? slash + 1 : argv0);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], save_and_end);
}

/* Of the processor's time: a busy machine is no endless loop. */
static void limit_seconds(int seconds)
{
    struct itimerval timer = {.it_value.tv_sec = seconds};
    setitimer(ITIMER_PROF, &timer, NULL);
}

static void run(input in)
{
    current = in;
    limit_seconds(INPUT_SECONDS);
    LLVMFuzzerTestOneInput(in.bytes, in.size);
    limit_seconds(0);
}

/* ---- Corpus -------------------------------------------------------------------- */

static void fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

static void load_file(const char *path)
{
    FILE *stream = fopen(path, "rb");
    input in = {malloc(LONGEST), 0};
    if (stream == NULL || in.bytes == NULL || corpus.count == MOST_FILES)
        fail(path, "cannot read it");
    in.size = fread(in.bytes, 1, LONGEST, stream);
    fclose(stream);
    corpus.files[corpus.count++] = in;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Sorted, so that a seed means the same inputs everywhere. */
static void load_folder(const char *folder)
{
    struct dirent **names;
    int count = scandir(folder, &names, visible, alphasort);
    if (count < 0)
        fail(folder, "cannot read this folder");
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        load_file(path);
        free(names[i]);
    }
    free(names);
}

static void load(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0)
        fail(path, "no such file");
    if (S_ISDIR(about.st_mode))
        load_folder(path);
    else
        load_file(path);
}

/* ---- Mutations ------------------------------------------------------------------- */

static uint64_t random_state;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t x = random_state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static size_t below(size_t n)
{
    return n > 0 ? (size_t)(next_random() % n) : 0;
}

/* Numbers at which sizes and counts go wrong, in either byte order. */
static void put_number(input *in)
{
    static const uint64_t numbers[] = {
        0,
        1,
        2,
        3,
        8,
        9,
        16,
        127,
        128,
        255,
        256,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x100000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        UINT64_MAX,
    };
    uint64_t number = numbers[below(sizeof numbers / sizeof numbers[0])];
    size_t width = (size_t)1 << below(4), at = below(in->size);
    int big = (int)below(2);
    for (size_t i = 0; i < width && at + i < in->size; i++)
        in->bytes[at + i] = (uint8_t)(number >> 8 * (big ? width - 1 - i : i));
}

static void erase(input *in)
{
    size_t at = below(in->size), count = 1 + below(in->size - at < 16 ? in->size - at : 16);
    if (at + count > in->size)
        return;
    memmove(in->bytes + at, in->bytes + at + count, in->size - at - count);
    in->size -= count;
}

/* Bytes of `from`, or random ones where it is NULL. */
static void insert(input *in, const input *from)
{
    size_t at = below(in->size + 1), count = 1 + below(from != NULL ? 64 : 4);
    size_t start = from != NULL ? below(from->size) : 0;
    if (from != NULL && start + count > from->size)
        count = from->size - start;
    if (in->size + count > LONGEST)
        return;
    memmove(in->bytes + at + count, in->bytes + at, in->size - at);
    for (size_t i = 0; i < count; i++)
        in->bytes[at + i] = from != NULL ? from->bytes[start + i] : (uint8_t)next_random();
    in->size += count;
}

/* A digit more or less: text formats carry their sizes in digits. */
static void change_digit(input *in)
{
    size_t start = below(in->size);
    for (size_t i = 0; i < in->size; i++) {
        uint8_t *byte = &in->bytes[(start + i) % in->size];
        if (*byte >= '0' && *byte <= '9') {
            *byte = (uint8_t)('0' + below(10));
            return;
        }
    }
}

static void mutate(input *in)
{
    const input *other = &corpus.files[below((size_t)corpus.count)];
    switch (below(8)) {
    case 0: in->bytes[below(in->size)] ^= (uint8_t)(1 << below(8)); break;
    case 1: in->bytes[below(in->size)] = (uint8_t)next_random(); break;
    case 2: put_number(in); break;
    case 3: erase(in); break;
    case 4: insert(in, NULL); break;
    case 5: insert(in, other); break;
    case 6: change_digit(in); break;
    default: in->size = 1 + below(in->size); break;
    }
    if (in->size == 0)
        in->bytes[in->size++] = 0;
}

static void run_mutation(uint8_t *bytes)
{
    const input *from = &corpus.files[below((size_t)corpus.count)];
    input in = {bytes, from->size};
    memcpy(bytes, from->bytes, from->size);
    if (in.size == 0)
        bytes[in.size++] = 0;
    for (size_t left = 1 + below(6); left > 0; left--)
        mutate(&in);
    if (fuzz_repair != NULL && below(4) != 0)
        fuzz_repair(in.bytes, in.size);
    run(in);
}

int main(int argc, char **argv)
{
    double seconds = 0;
    static uint8_t bytes[LONGEST];
    catch_crashes(argv[0]);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "-seed") == 0 && i + 1 < argc)
            random_state = strtoull(argv[++i], NULL, 0);
        else
            load(argv[i]);
    }
    if (corpus.count == 0)
        fail(argv[0], "usage: [-seconds N] [-seed S] FILE-OR-FOLDER …");
    for (int i = 0; i < corpus.count; i++)
        run(corpus.files[i]);
    long long runs = 0;
    for (time_t end = time(NULL) + (time_t)seconds; time(NULL) < end; runs++)
        run_mutation(bytes);
    printf("%s: %d files, %lld mutations\n", argv[0], corpus.count, runs);
    for (int i = 0; i < corpus.count; i++)
        free(corpus.files[i].bytes);
    return 0;
}
