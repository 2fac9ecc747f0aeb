/* The progress line, as Keras draws it; a line for each epoch where stderr is
 * no terminal. Only the bar uses control characters. */
#define _GNU_SOURCE
#include "rt.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 20, LINE = 512 };
static const double REDRAW = 0.05, REDRAW_JSON = 0.5;

static bool utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void progress_open(rt_progress *p, const rt_options *o)
{
    const char *when = o->progress ? o->progress : "auto";
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
    *p = (rt_progress){.show = terminal ? SHOW_BAR : SHOW_LINES, .plain = !utf8()};
    if (!strcmp(when, "always"))
        p->show = SHOW_BAR;
    if (!strcmp(when, "json"))
        p->show = SHOW_JSON;
    if (!strcmp(when, "never") || o->quiet)
        p->show = SHOW_NEVER;
    p->color = p->show == SHOW_BAR && terminal && !(no_color && *no_color);
}

/* ---- Text ----------------------------------------------------------------- */

typedef struct line {
    char at[LINE];
    int n, columns;
} line;

static void put(line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(line *l, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(l->at + l->n, (size_t)(LINE - l->n), format, arguments);
    va_end(arguments);
    int before = l->n;
    l->n = l->n + n < LINE ? l->n + n : LINE - 1;
    for (int i = before; i < l->n; i++)
        l->columns += (l->at[i] & 0xC0) != 0x80;
}

/* Control sequences take no columns. */
static void style(line *l, const rt_progress *p, const char *code)
{
    int columns = l->columns;
    if (p->color)
        put(l, "\033[%sm", code);
    l->columns = columns;
}

static void put_time(line *l, double seconds)
{
    long s = (long)seconds;
    if (s > 3600)
        put(l, "%ld:%02ld:%02ld", s / 3600, s % 3600 / 60, s % 60);
    else if (s > 60)
        put(l, "%ld:%02ld", s / 60, s % 60);
    else
        put(l, "%lds", s);
}

static void put_rate(line *l, double step)
{
    if (step >= 1 || step <= 0)
        put(l, " %.0fs/step", step);
    else if (step >= 1e-3)
        put(l, " %.0fms/step", step * 1e3);
    else
        put(l, " %.0fus/step", step * 1e6);
}

static void put_metrics(line *l, const rt_metric *metrics, int n)
{
    for (int i = 0; i < n; i++)
        put(l, fabs(metrics[i].value) > 1e-3 ? " - %s: %.4f" : " - %s: %.4e", metrics[i].name,
            metrics[i].value);
}

static int digits(int64_t n)
{
    int d = 1;
    while (n >= 10) {
        n /= 10;
        d++;
    }
    return d;
}

static void put_bar(line *l, const rt_progress *p, int64_t done)
{
    int full = (int)(BAR * done / p->total);
    if (p->plain) {
        put(l, " [%.*s%s%.*s] ", full, "====================", full < BAR ? ">" : "",
            full < BAR ? BAR - full - 1 : 0, "....................");
        return;
    }
    put(l, " ");
    style(l, p, "32");
    for (int i = 0; i < BAR; i++) {
        if (i == full)
            style(l, p, "37");
        put(l, "\u2501");
    }
    style(l, p, "0");
    put(l, " ");
}

/* Seconds a step; the first one, slower for cold caches, is left out. */
static double rate(const rt_progress *p, int64_t done, double time)
{
    if (p->settled > 0 && done > p->first + 1)
        return (time - p->settled) / (double)(done - p->first - 1);
    return done > p->first ? (time - p->began) / (double)(done - p->first) : 0;
}

/* ---- Drawing -------------------------------------------------------------- */

static void draw(rt_progress *p, int64_t done, double time, const rt_metric *metrics, int n)
{
    line l = {.n = 0};
    double step = rate(p, done, time);
    style(&l, p, "1");
    put(&l, "%*lld/%lld", digits(p->total), (long long)done, (long long)p->total);
    style(&l, p, "0");
    put_bar(&l, p, done);
    style(&l, p, "1");
    put_time(&l, done < p->total ? step * (double)(p->total - done) : time - p->began);
    style(&l, p, "0");
    put_rate(&l, step);
    put_metrics(&l, metrics, n);
    int blank = p->width > l.columns ? p->width - l.columns : 0;
    fprintf(stderr, "\r%s%*s", l.at, blank, "");
    fflush(stderr);
    p->width = l.columns;
    p->drawn = time;
}

static void draw_json(rt_progress *p, int64_t done, double time, const rt_metric *metrics, int n,
                      bool end)
{
    char text[32];
    fprintf(stderr, "{\"epoch\":%lld,\"done\":%lld,\"total\":%lld,\"seconds\":%.3f",
            (long long)p->epoch, (long long)done, (long long)p->total, time - p->began);
    if (!end)
        fprintf(stderr, ",\"left\":%.3f", rate(p, done, time) * (double)(p->total - done));
    for (int i = 0; i < n; i++)
        fprintf(stderr, ",\"%s\":%s", metrics[i].name, number_text(text, metrics[i].value));
    fprintf(stderr, "}\n");
    p->drawn = time;
}

void progress_epoch(rt_progress *p, int64_t epoch, int64_t epochs, int64_t done, int64_t total)
{
    p->epoch = epoch;
    p->epochs = epochs;
    p->total = total;
    p->first = done;
    p->width = 0;
    p->began = now();
    p->drawn = p->settled = 0;
    if (p->show == SHOW_BAR)
        fprintf(stderr, "Epoch %lld/%lld\n", (long long)epoch, (long long)epochs);
}

void progress_step(rt_progress *p, int64_t done, const rt_metric *metrics, int n)
{
    double time = now();
    if (p->settled <= 0 && done > p->first) {
        p->settled = time;
        p->first = done - 1;
    }
    if (p->show == SHOW_BAR && time - p->drawn >= REDRAW)
        draw(p, done, time, metrics, n);
    if (p->show == SHOW_JSON && time - p->drawn >= REDRAW_JSON)
        draw_json(p, done, time, metrics, n, false);
}

void progress_end(rt_progress *p, int64_t done, const rt_metric *metrics, int n)
{
    double time = now();
    if (p->show == SHOW_BAR) {
        draw(p, done, time, metrics, n);
        fprintf(stderr, "\n");
    }
    if (p->show == SHOW_JSON)
        draw_json(p, done, time, metrics, n, true);
    if (p->show == SHOW_LINES) {
        line l = {.n = 0};
        put(&l, "Epoch %lld/%lld - %lld step%s - ", (long long)p->epoch, (long long)p->epochs,
            (long long)done, done == 1 ? "" : "s");
        put_time(&l, time - p->began);
        put_rate(&l, rate(p, done, time));
        put_metrics(&l, metrics, n);
        fprintf(stderr, "%s\n", l.at);
    }
}

void progress_say(rt_progress *p, const char *format, ...)
{
    va_list arguments;
    if (p->show == SHOW_NEVER || p->show == SHOW_JSON)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
