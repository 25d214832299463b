/* The modes, the settings, and the few things that all modes need. */
#include "stampload.h"

#include <stdarg.h>
#include <sys/signalfd.h>
#include <time.h>

#ifndef STAMPLOAD_REVISION
#define STAMPLOAD_REVISION "unknown"
#endif

static const char usage[] =
    "usage: stampload serve [--version TEXT] [--port N] [--peak-bytes N] [--steady-bytes N]\n"
    "                       [--boot-s S] [--hold-s S] [--ready-s S] [--stop-s S]\n"
    "                       [--exit-at-s S] [--exit-code N] [--never-ready] [--unhealthy-at-s S]\n"
    "                       [--oom-score-adj N] [--in-child] [--slot N --fault-slot N]\n"
    "       stampload probe [--port N] [--path PATH] [--timeout-ms N]\n"
    "       stampload client --host NAME [--port N] [--interval-ms N] [--timeout-ms N]\n"
    "                        [--nameserver ADDRESS[:PORT]]\n"
    "       stampload --version | --help\n"
    "Options of serve are also read from the environment, e.g. STAMPLOAD_PEAK_BYTES.\n";

void die(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("stampload: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(code);
}

double monotonic_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int poll_ms(double until_s)
{
    if (isinf(until_s))
        return -1;
    double wait_ms = (until_s - monotonic_s()) * 1000;
    if (wait_ms <= 0)
        return 0;
    return wait_ms < 60000 ? (int)wait_ms + 1 : 60000; /* callers look at the clock again anyway */
}

int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    int descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (descriptor < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        die(EXIT_FAILED, "cannot listen to signals: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error of one write, not our end */
    return descriptor;
}

const char *json_string(char *out, size_t size, const char *text)
{
    if (*text == '\0')
        return strcpy(out, "null");
    size_t used = 0;
    out[used++] = '"';
    /* Room is kept for the longest escape, the closing quote and the zero. */
    for (; *text != '\0' && used + 8 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            used += (size_t)sprintf(out + used, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f) /* a byte of the network need not be UTF-8 */
            used += (size_t)sprintf(out + used, "\\u%04x", c);
        else
            out[used++] = (char)c;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}

/* strtoll and strtod also take blanks, signs, hexadecimal, inf and nan: only plain digits here. */
static bool is_decimal(const char *text, bool fraction_allowed)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18)
        return false;
    if (fraction_allowed && text[digits] == '.') {
        size_t fraction = strspn(text + digits + 1, "0123456789");
        return fraction > 0 && text[digits + 1 + fraction] == '\0';
    }
    return text[digits] == '\0';
}

static void read_value(const struct setting *setting, const char *name, const char *text)
{
    switch (setting->kind) {
    case TEXT:
        if (*text == '\0')
            die(EXIT_USAGE, "%s is empty", name);
        *(const char **)setting->value = text;
        return;
    case INTEGER: {
        int64_t number = is_decimal(text, false) ? strtoll(text, NULL, 10) : -1;
        if (number < setting->least || number > setting->most)
            die(EXIT_USAGE, "%s must be a plain integer from %lld to %lld, not '%s'", name,
                (long long)setting->least, (long long)setting->most, text);
        *(int64_t *)setting->value = number;
        return;
    }
    case SECONDS:
        if (!is_decimal(text, true))
            die(EXIT_USAGE, "%s must be seconds such as 1.5, not '%s'", name, text);
        *(double *)setting->value = strtod(text, NULL);
        return;
    case FLAG:
        if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
            die(EXIT_USAGE, "%s must be 1 or 0, not '%s'", name, text);
        *(bool *)setting->value = *text == '1';
        return;
    }
}

static const struct setting *find_option(const struct setting *settings, const char *argument)
{
    size_t length = strcspn(argument, "=");
    for (const struct setting *s = settings; s->option != NULL; s++)
        if (strlen(s->option) == length && strncmp(s->option, argument, length) == 0)
            return s;
    die(EXIT_USAGE, "unknown option '%s'", argument);
}

void read_settings(const struct setting *settings, char **arguments)
{
    for (const struct setting *s = settings; s->option != NULL; s++) {
        const char *text = s->variable != NULL ? getenv(s->variable) : NULL;
        if (text != NULL)
            read_value(s, s->variable, text);
    }
    for (; *arguments != NULL; arguments++) {
        const struct setting *setting = find_option(settings, *arguments);
        const char *text = strchr(*arguments, '=');
        if (text != NULL)
            text++;
        else if (setting->kind == FLAG)
            text = "1";
        else if ((text = *++arguments) == NULL)
            die(EXIT_USAGE, "%s needs a value", setting->option);
        read_value(setting, setting->option, text);
    }
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";
    if (strcmp(mode, "serve") == 0)
        return serve(arguments + 2);
    if (strcmp(mode, "probe") == 0)
        return probe(arguments + 2);
    if (strcmp(mode, "client") == 0)
        return client(arguments + 2);
    if (strcmp(mode, "--version") == 0)
        return puts("stampload " STAMPLOAD_REVISION) < 0;
    if (strcmp(mode, "--help") == 0)
        return fputs(usage, stdout) < 0;
    fputs(usage, stderr);
    return EXIT_USAGE;
}
