/* aecc: the command. */
#include "driver.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- A crash is a defect, and says so ----------------------------------- */

static void say(const char *s)
{
    ssize_t ignored = write(STDERR_FILENO, s, strlen(s));
    (void)ignored;
}

static void on_crash(int signal)
{
    say("aecc: internal error");
    if (current_pass) {
        say(" in pass `");
        say(current_pass);
        say("`");
    }
    say(signal == SIGABRT ? ": aborted\n" : ": invalid access or operation\n");
    say("This is a defect of aecc, not of your program. Please report it with the\n"
        "command and the .nn file that led to it.\n");
    _exit(EXIT_DEFECT);
}

/* On a stack of its own, because that may be what ran out. Sanitizers report
 * better than this does. */
static void catch_crashes(void)
{
#if !defined(__SANITIZE_ADDRESS__)
    static char stack[1 << 16];
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_RESETHAND};
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
#else
    (void)on_crash;
#endif
}

/* ---- What needs no input ------------------------------------------------ */

static bool prints_only(const Options *o)
{
    return o->help || o->version || o->print_passes || o->print_ops || o->print_std ||
           o->print_targets;
}

static int print_what_is_asked(const Options *o)
{
    Text out = {0};
    int status = EXIT_DONE;
    if (o->help)
        print_help(&out);
    else if (o->version)
        text_printf(&out, "aecc %s\n", AECC_VERSION);
    else if (o->print_passes)
        print_passes(&out);
    else if (o->print_ops)
        print_ops(&out);
    else if (o->print_std)
        status = print_std(&out);
    else
        print_targets(&out);
    write_file("-", out.at, out.n);
    return status;
}

int main(int argc, char **argv)
{
    catch_crashes();
    Options options = parse_options(argc, argv);
    int status;
    if (prints_only(&options))
        status = print_what_is_asked(&options);
    else if (options.input)
        status = compile(&options);
    else
        fail_usage("a file is missing: aecc FILE.nn -o FILE (see aecc --help)");
    diag_flush();
    arena_free();
    return status;
}
