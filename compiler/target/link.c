/* Objects -> trainer: `cc` links them with the runtime's archive.
 *
 * needs       the paths of the objects; libaecc_rt.a beside the executable of
 *             aecc (a build folder), in its lib/, or in ../lib/aecc (an
 *             installation); for another architecture TRIPLE-gcc, and the
 *             archive in a folder TRIPLE there
 * guarantees  the trainer appears whole under its name, or an error (exit 5)
 *             and nothing new in the folder
 *
 * Everything but libc is linked statically: the trainer is one file. */
#include "aecc.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef AECC_RT_LIBS
#define AECC_RT_LIBS "-l:libpng16.a -l:libz.a -l:libjansson.a -l:libgomp.a -lm -lpthread"
#endif
#ifndef AECC_RT_FLAGS
#define AECC_RT_FLAGS ""
#endif

extern char **environ;

typedef struct Command {
    const char **at;
    int n, cap;
} Command;

static void put(Command *c, const char *word)
{
    PUSH(c->at, c->n, c->cap, word);
}

/* ---- Where the runtime is --------------------------------------------------------- */

static char *own_folder(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        fail_file("cannot find the folder of aecc: %s", strerror(errno));
    path[n] = 0;
    *strrchr(path, '/') = 0;
    return format("%s", path);
}

/* The folder of the archive; triple NULL: this machine's. NULL: none. */
static const char *runtime_folder(const char *triple)
{
    static const char *const places[] = {"", "/lib", "/../lib/aecc", "/.."};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *folder =
            format("%s%s%s%s", own_folder(), places[i], triple ? "/" : "", triple ? triple : "");
        if (access(format("%s/libaecc_rt.a", folder), R_OK) == 0)
            return folder;
    }
    return NULL;
}

static const char *find_runtime(const char *triple)
{
    const char *folder = runtime_folder(triple);
    if (!folder)
        fail_file("libaecc_rt.a, the runtime of trainers, is neither in %s nor in %s/../lib/aecc",
                  own_folder(), own_folder());
    return folder;
}

bool can_link(const char *triple)
{
    return is_host_target(triple) || runtime_folder(triple);
}

/* ---- The command ------------------------------------------------------------------- */

static void put_words(Command *c, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        if (n)
            put(c, intern_n(words, n));
        words += n + (words[n] == ' ');
    }
}

static Command link_command(const LinkJob *job, const char *output)
{
    Command c = {0};
    const char *triple = job->triple && !is_host_target(job->triple) ? job->triple : NULL;
    const char *folder = find_runtime(triple);
    put(&c, triple ? format("%s-gcc", triple) : "cc");
    put(&c, "-o");
    put(&c, output);
    for (int i = 0; i < job->nobjects; i++)
        put(&c, job->objects[i]);
    put(&c, format("%s/libaecc_rt.a", folder));
    if (triple)
        put(&c, format("-L%s", folder));
    put_words(&c, AECC_RT_LIBS " -Wl,--gc-sections -s");
    if (!triple)
        put_words(&c, AECC_RT_FLAGS);
    put(&c, NULL);
    return c;
}

static void show(const Command *c)
{
    for (int i = 0; c->at[i]; i++) {
        bool plain = strcspn(c->at[i], " \t\n'\"\\$&|;<>()*?`#~") == strlen(c->at[i]);
        fprintf(stderr, plain ? "%s%s" : "%s'%s'", i ? " " : "", c->at[i]);
    }
    fprintf(stderr, "\n");
}

/* The exit status, or -1 with errno set where it cannot be run. What it says
 * goes to `messages`. */
static int run(const Command *c, FILE *messages)
{
    pid_t child;
    int status;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (messages) {
        posix_spawn_file_actions_adddup2(&actions, fileno(messages), STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, fileno(messages), STDERR_FILENO);
    }
    errno = posix_spawnp(&child, c->at[0], &actions, NULL, (char **)c->at, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (errno)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What it said, shown whole with -v; a full disk is the user's to mend. */
static NORETURN void fail_link(const Command *c, const char *output, int status, FILE *messages,
                               bool verbose)
{
    char line[1024];
    bool full = false;
    if (messages)
        rewind(messages);
    while (messages && fgets(line, sizeof line, messages)) {
        full |= strstr(line, strerror(ENOSPC)) != NULL;
        if (verbose)
            fputs(line, stderr);
    }
    if (full)
        fail_file("cannot write %s: %s", output, strerror(ENOSPC));
    fail_file("%s could not link %s: its exit status is %d (-v shows the command "
              "and what it said)",
              c->at[0], output, status);
}

/* ---- Whole or not at all -------------------------------------------------------------- */

static const char *half_written;

static void remove_half_written(void)
{
    if (half_written)
        unlink(half_written);
}

static void stop(int signal_number)
{
    remove_half_written();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void remove_on_exit(const char *path)
{
    half_written = path;
    atexit(remove_half_written);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
}

/* cc writes beside the output, and a rename would replace a device or a pipe
 * by a file. */
static void check_replaceable(const char *output)
{
    struct stat old;
    check_writable(output);
    if (stat(output, &old) == 0 && !S_ISREG(old.st_mode))
        fail_file("cannot write %s: it is no regular file, and a trainer needs one", output);
}

static void link_by(const Command *c, const char *output, bool verbose)
{
    if (verbose)
        show(c);
    FILE *messages = tmpfile();
    int status = run(c, messages);
    if (status < 0)
        fail_file("cannot run %s, which links a trainer: %s (install a C compiler, or write an "
                  "object with --emit=obj)",
                  c->at[0], strerror(errno));
    if (status > 0)
        fail_link(c, output, status, messages, verbose);
    if (messages)
        fclose(messages);
}

void link_trainer(const LinkJob *job)
{
    const char *output = job->output;
    if (job->dry_run) {
        Command c = link_command(job, output);
        show(&c);
        return;
    }
    check_replaceable(output);
    const char *target = replaced_file(output);
    const char *temporary = format("%s.%ld.tmp", target, (long)getpid());
    remove_on_exit(temporary);
    Command c = link_command(job, temporary);
    link_by(&c, output, job->verbose);
    if (rename(temporary, target) != 0)
        fail_file("cannot write %s: %s", output, strerror(errno));
    half_written = NULL;
}
