/* Objects -> trainer: `cc` links them with the runtime's archive.
 *
 * needs       the paths of the objects; libaecc_rt.a beside the executable of
 *             aecc (a build folder), in its lib/, or in ../lib/aecc (an
 *             installation)
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

static const char *find_runtime(void)
{
    static const char *const places[] = {"", "/lib", "/../lib/aecc", "/.."};
    const char *folder = own_folder();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *path = format("%s%s/libaecc_rt.a", folder, places[i]);
        if (access(path, R_OK) == 0)
            return path;
    }
    fail_file("libaecc_rt.a, the runtime of trainers, is neither in %s nor in %s/../lib/aecc",
              folder, folder);
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

static Command link_command(const char *const *objects, int nobjects, const char *output)
{
    Command c = {0};
    put_words(&c, "cc -o");
    put(&c, output);
    for (int i = 0; i < nobjects; i++)
        put(&c, objects[i]);
    put(&c, find_runtime());
    put_words(&c, AECC_RT_LIBS " -Wl,--gc-sections -s");
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

/* What cc said, shown whole with -v; a full disk is the user's to mend. */
static NORETURN void fail_link(const char *output, int status, FILE *messages, bool verbose)
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
    fail_file("cc could not link %s: its exit status is %d (-v shows the command "
              "and what it said)",
              output, status);
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
        fail_file("cannot run cc, which links a trainer: %s (install a C compiler, or write an "
                  "object with --emit=obj)",
                  strerror(errno));
    if (status > 0)
        fail_link(output, status, messages, verbose);
    if (messages)
        fclose(messages);
}

void link_trainer(const char *const *objects, int nobjects, const char *output, bool verbose,
                  bool dry_run)
{
    if (dry_run) {
        Command c = link_command(objects, nobjects, output);
        show(&c);
        return;
    }
    check_replaceable(output);
    const char *target = replaced_file(output);
    const char *temporary = format("%s.%ld.tmp", target, (long)getpid());
    remove_on_exit(temporary);
    Command c = link_command(objects, nobjects, temporary);
    link_by(&c, output, verbose);
    if (rename(temporary, target) != 0)
        fail_file("cannot write %s: %s", output, strerror(errno));
    half_written = NULL;
}
