/* stampload serve: the application. Its life is a row of phases, each printed as one line of JSON:
 *
 *   boot       the process has started and takes memory, linearly, up to the peak
 *   peak       all of the peak is resident; it is held for a while
 *   steady     the memory above the steady state was given back to the kernel
 *   ready      the port is open, which it was not before
 *   unhealthy  /health answers 503 from here on (planned, asked for, or the memory's child died)
 *   child-killed, stopping, exit
 *
 * A phase is printed after it was reached, never before: the log is evidence.
 */
#include "stampload.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { CONNECTIONS_MAX = 64, REQUEST_MAX = 2048 };
static const size_t chunk_bytes_max = 16 << 20; /* between two looks at the signals */
static const double step_s = 0.010, connection_s = 5.0;

struct plan {
    const char *version;
    int64_t port, peak_bytes, steady_bytes, exit_code, oom_score_adj, slot, fault_slot;
    double boot_s, hold_s, ready_s, exit_at_s, unhealthy_at_s, stop_s;
    bool never_ready, in_child;
};

struct connection {
    int descriptor; /* -1: this place is free */
    bool answered;
    double until_s;
    size_t used;
    char request[REQUEST_MAX];
};

static struct plan plan = {
    .version = "unversioned", .port = 8080, .peak_bytes = -1, .exit_code = 1, .oom_score_adj = -1,
    .exit_at_s = INFINITY, .unhealthy_at_s = INFINITY,
};
static double started_s;
static pid_t holder; /* the child that holds the memory; 0: this process does */
static double steady_at_s = INFINITY, stop_at_s = INFINITY;
static bool failing;
static int listener = -1;
static struct connection connections[CONNECTIONS_MAX];

static double uptime_s(void)
{
    return monotonic_s() - started_s;
}

/* ---- memory ----------------------------------------------------------------------------------
 * The plan is what the application allocates; the program itself, about 1 MB, comes on top.
 */

static struct {
    enum { GROWING, HOLDING, STEADY } phase;
    unsigned char *base;
    size_t held_bytes, peak_bytes, steady_bytes;
    double peak_at_s;
} memory;

static long long rss_bytes(void)
{
    char path[64] = "/proc/self/statm";
    if (holder > 0)
        snprintf(path, sizeof path, "/proc/%d/statm", (int)holder);
    long long pages = 0;
    FILE *statm = fopen(path, "re");
    if (statm == NULL)
        return 0;
    if (fscanf(statm, "%*s %lld", &pages) != 1)
        pages = 0;
    fclose(statm);
    return pages * sysconf(_SC_PAGESIZE);
}

static void announce(const char *phase)
{
    printf("{\"at_s\":%.3f,\"phase\":\"%s\",\"rss_bytes\":%lld}\n", uptime_s(), phase, rss_bytes());
    fflush(stdout);
}

static void raise_oom_score(void)
{
    static const char path[] = "/proc/self/oom_score_adj";
    if (plan.oom_score_adj < 0)
        return;
    int present = 0;
    FILE *file = fopen(path, "r+e");
    if (file == NULL || fscanf(file, "%d", &present) != 1)
        die(EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    /* Lowering needs a privilege that containers lack; asking for it is a mistake of the plan. */
    if (plan.oom_score_adj < present)
        die(EXIT_USAGE, "the OOM score can only be raised: it is %d, the plan asks for %d", present,
            (int)plan.oom_score_adj);
    rewind(file);
    if (fprintf(file, "%d", (int)plan.oom_score_adj) < 0 || fclose(file) != 0)
        die(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
}

/* Whole pages of noise: no zero page, no merging and no compression can make them cost less. */
static void touch(unsigned char *from, size_t bytes)
{
    static uint64_t noise = 0x9e3779b97f4a7c15;
    for (uint64_t *word = (uint64_t *)(void *)from; bytes >= sizeof *word; bytes -= sizeof *word) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        *word++ = noise;
    }
}

static void prepare_memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    memory.peak_bytes = ((size_t)plan.peak_bytes + page - 1) / page * page;
    memory.steady_bytes = ((size_t)plan.steady_bytes + page - 1) / page * page;
    if (memory.peak_bytes == 0)
        return;
    memory.base = mmap(NULL, memory.peak_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory.base == MAP_FAILED)
        die(EXIT_FAILED, "cannot reserve %zu bytes: %s", memory.peak_bytes, strerror(errno));
    /* A huge page would be resident as a whole at its first byte. Fails only on kernels that have
     * none, which is as good. */
    madvise(memory.base, memory.peak_bytes, MADV_NOHUGEPAGE);
}

/* Plays the curve up to now; says at which uptime to be called again, never (INFINITY) once steady.
 * What a slow machine missed is made up for by the clock, in chunks: signals are still heard. */
static double advance_memory(void)
{
    double at_s = uptime_s();
    if (memory.phase == GROWING) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t goal = memory.peak_bytes;
        if (at_s < plan.boot_s)
            goal = (size_t)((double)goal * (at_s / plan.boot_s)) / page * page;
        size_t bytes = goal - memory.held_bytes;
        bool behind = bytes > chunk_bytes_max;
        touch(memory.base + memory.held_bytes, behind ? chunk_bytes_max : bytes);
        memory.held_bytes += behind ? chunk_bytes_max : bytes;
        if (behind)
            return at_s;
        if (at_s < plan.boot_s)
            return at_s + step_s < plan.boot_s ? at_s + step_s : plan.boot_s;
        memory.phase = HOLDING;
        memory.peak_at_s = uptime_s();
        announce("peak");
    }
    if (memory.phase == HOLDING) {
        double until_s = memory.peak_at_s + plan.hold_s;
        if (uptime_s() < until_s)
            return until_s;
        size_t surplus = memory.peak_bytes - memory.steady_bytes;
        if (surplus > 0 && madvise(memory.base + memory.steady_bytes, surplus, MADV_DONTNEED) < 0)
            die(EXIT_FAILED, "cannot give memory back: %s", strerror(errno));
        memory.phase = STEADY;
        announce("steady");
    }
    return INFINITY;
}

/* Returns a descriptor that becomes readable when the child has reached the steady state (a byte
 * comes), or died before (no byte comes). */
static int play_memory_in_child(void)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) < 0 || (holder = fork()) < 0)
        die(EXIT_FAILED, "cannot start the child: %s", strerror(errno));
    if (holder > 0) {
        close(ends[1]);
        return ends[0];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* an application leaves nothing behind, even outside of */
    if (getppid() != parent)          /* a container, where no PID 1 takes its children along */
        _exit(EXIT_FAILED);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    raise_oom_score();
    for (double wake_s; !isinf(wake_s = advance_memory());)
        poll(NULL, 0, poll_ms(started_s + wake_s));
    if (write(ends[1], "s", 1) != 1)
        _exit(EXIT_FAILED);
    for (;;)
        pause();
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static void open_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)plan.port)};
    int yes = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, SOMAXCONN) < 0)
        die(EXIT_FAILED, "cannot listen on port %d: %s", (int)plan.port, strerror(errno));
    announce("ready");
}

static void become_unhealthy(void)
{
    if (!failing)
        announce("unhealthy");
    failing = true;
}

static _Noreturn void leave(int code)
{
    announce("exit");
    if (holder > 0) /* it may have been frozen before it could ask to die along */
        kill(holder, SIGKILL);
    exit(code);
}

static void answer(struct connection *c, const char *status)
{
    char version[6 * VERSION_MAX + 16], body[1024], message[2048];
    int length = snprintf(body, sizeof body, "{\"version\":%s,\"pid\":%d,\"rss_bytes\":%lld}\n",
                          json_string(version, sizeof version, plan.version), (int)getpid(),
                          rss_bytes());
    length = snprintf(message, sizeof message,
                      "HTTP/1.1 %s\r\nX-Stampload-Version: %s\r\nContent-Type: application/json\r\n"
                      "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                      status, plan.version, length, body);
    /* The buffer of a fresh socket is larger than any answer: it is taken whole or not at all. */
    if (send(c->descriptor, message, (size_t)length, MSG_NOSIGNAL) != length)
        c->until_s = 0;
    /* Closing with unread input would reset the connection and could take the answer along, so
     * the rest is read until the client hangs up. */
    shutdown(c->descriptor, SHUT_WR);
    c->answered = true;
}

static void handle_request(struct connection *c)
{
    char target[256] = "";
    int code = -1, end = 0;
    if (sscanf(c->request, "%*15[A-Z] %255[!-~] HTTP/", target) != 1 || target[0] != '/') {
        answer(c, "400 Bad Request");
        return;
    }
    if (sscanf(target, "/exit?code=%3d%n", &code, &end) == 1 && target[end] == '\0' && code >= 0 &&
        code <= 255) {
        answer(c, "200 OK");
        leave(code);
    }
    target[strcspn(target, "?")] = '\0';
    if (strcmp(target, "/exit") == 0) {
        answer(c, "400 Bad Request");
        return;
    }
    if (strcmp(target, "/fail") == 0)
        become_unhealthy();
    bool refuse = failing && strcmp(target, "/health") == 0;
    answer(c, refuse ? "503 Service Unavailable" : "200 OK");
}

static void accept_connection(void)
{
    for (struct connection *c = connections; c < connections + CONNECTIONS_MAX; c++)
        if (c->descriptor < 0) {
            c->descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            c->answered = false;
            c->used = 0;
            c->until_s = uptime_s() + connection_s;
            return;
        }
}

static void read_connection(struct connection *c)
{
    if (c->answered)
        c->used = 0;
    ssize_t got = read(c->descriptor, c->request + c->used, REQUEST_MAX - 1 - c->used);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            c->until_s = 0;
        return;
    }
    c->used += (size_t)got;
    c->request[c->used] = '\0';
    if (!c->answered && (strstr(c->request, "\r\n\r\n") || c->used == REQUEST_MAX - 1))
        handle_request(c);
}

/* ---- life ------------------------------------------------------------------------------------ */

/* Whether a moment has come; if not, makes sure that the loop wakes up for it. */
static bool due(double moment_s, double *wake_s)
{
    if (uptime_s() >= moment_s)
        return true;
    if (moment_s < *wake_s)
        *wake_s = moment_s;
    return false;
}

/* Does what is due; says at which uptime something is due again. */
static double advance(void)
{
    bool stopping = !isinf(stop_at_s), growing = !stopping && isinf(steady_at_s) && !plan.in_child;
    double wake_s = growing ? advance_memory() : INFINITY;
    if (growing && memory.phase == STEADY)
        steady_at_s = uptime_s();
    if (due(plan.exit_at_s, &wake_s))
        leave((int)plan.exit_code);
    if (due(stop_at_s, &wake_s))
        leave(EXIT_SUCCESS);
    if (!stopping && !failing && due(plan.unhealthy_at_s, &wake_s))
        become_unhealthy();
    if (!stopping && listener < 0 && !plan.never_ready &&
        due(steady_at_s + plan.ready_s, &wake_s))
        open_port();
    for (struct connection *c = connections; c < connections + CONNECTIONS_MAX; c++)
        if (c->descriptor >= 0 && due(c->until_s, &wake_s)) {
            close(c->descriptor);
            c->descriptor = -1;
        }
    return wake_s;
}

static void stop(void)
{
    if (!isinf(stop_at_s))
        return;
    /* No new clients, but all of the memory until the end, as of an application that stops; a child
     * that still grows is frozen where it is. */
    if (listener >= 0)
        close(listener);
    listener = -1;
    if (holder > 0)
        kill(holder, SIGSTOP);
    announce("stopping");
    stop_at_s = uptime_s() + plan.stop_s;
}

static void handle_signals(int signals)
{
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            stop();
    /* Signals of the same kind merge, and PID 1 inherits orphans: reap all, not one. */
    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
        if (pid == holder) {
            holder = 0;
            announce("child-killed");
            become_unhealthy();
        }
}

static void handle_steady(int *steady_pipe)
{
    char byte;
    if (read(*steady_pipe, &byte, 1) == 1)
        steady_at_s = uptime_s();
    close(*steady_pipe);
    *steady_pipe = -1; /* without a byte it is never steady, hence never ready */
}

static void read_plan(char **arguments)
{
    const int64_t bytes_max = (int64_t)1 << 46, slot_max = (int64_t)1 << 30;
    const struct setting settings[] = {
        {"--version", "STAMPLOAD_VERSION", TEXT, &plan.version, 0, 0},
        {"--port", "STAMPLOAD_PORT", INTEGER, &plan.port, 1, 65535},
        {"--peak-bytes", "STAMPLOAD_PEAK_BYTES", INTEGER, &plan.peak_bytes, 0, bytes_max},
        {"--steady-bytes", "STAMPLOAD_STEADY_BYTES", INTEGER, &plan.steady_bytes, 0, bytes_max},
        {"--boot-s", "STAMPLOAD_BOOT_S", SECONDS, &plan.boot_s, 0, 0},
        {"--hold-s", "STAMPLOAD_HOLD_S", SECONDS, &plan.hold_s, 0, 0},
        {"--ready-s", "STAMPLOAD_READY_S", SECONDS, &plan.ready_s, 0, 0},
        {"--stop-s", "STAMPLOAD_STOP_S", SECONDS, &plan.stop_s, 0, 0},
        {"--exit-at-s", "STAMPLOAD_EXIT_AT_S", SECONDS, &plan.exit_at_s, 0, 0},
        {"--exit-code", "STAMPLOAD_EXIT_CODE", INTEGER, &plan.exit_code, 0, 255},
        {"--never-ready", "STAMPLOAD_NEVER_READY", FLAG, &plan.never_ready, 0, 0},
        {"--unhealthy-at-s", "STAMPLOAD_UNHEALTHY_AT_S", SECONDS, &plan.unhealthy_at_s, 0, 0},
        {"--oom-score-adj", "STAMPLOAD_OOM_SCORE_ADJ", INTEGER, &plan.oom_score_adj, 0, 1000},
        {"--in-child", "STAMPLOAD_IN_CHILD", FLAG, &plan.in_child, 0, 0},
        {"--slot", "STAMPLOAD_SLOT", INTEGER, &plan.slot, 0, slot_max},
        {"--fault-slot", "STAMPLOAD_FAULT_SLOT", INTEGER, &plan.fault_slot, 0, slot_max},
        {0},
    };
    /* A misspelt variable would quietly run another experiment than the one that was planned. */
    for (char **entry = environ; *entry != NULL; entry++) {
        const struct setting *s = settings;
        size_t length = strcspn(*entry, "=");
        while (s->option && (strlen(s->variable) != length || strncmp(*entry, s->variable, length)))
            s++;
        if (s->option == NULL && strncmp(*entry, "STAMPLOAD_", 10) == 0)
            die(EXIT_USAGE, "unknown variable %.*s", (int)length, *entry);
    }
    read_settings(settings, arguments);
    if (plan.peak_bytes < 0)
        plan.peak_bytes = plan.steady_bytes;
    if (plan.peak_bytes < plan.steady_bytes)
        die(EXIT_USAGE, "the peak (%lld bytes) is below the steady state (%lld bytes)",
            (long long)plan.peak_bytes, (long long)plan.steady_bytes);
    if (plan.fault_slot != 0 && plan.fault_slot != plan.slot) { /* the fault is another task's */
        plan.exit_at_s = plan.unhealthy_at_s = INFINITY;
        plan.never_ready = false;
    }
    size_t length = strlen(plan.version);
    for (const char *c = plan.version; *c != '\0'; c++)
        if (length > VERSION_MAX || *c < ' ' || *c > '~')
            die(EXIT_USAGE, "the version must be at most %d printable ASCII characters",
                VERSION_MAX);
}

int serve(char **arguments)
{
    int signals = open_signals(), steady_pipe = -1;
    started_s = monotonic_s();
    read_plan(arguments);
    for (struct connection *c = connections; c < connections + CONNECTIONS_MAX; c++)
        c->descriptor = -1;
    prepare_memory();
    announce("boot");
    if (plan.in_child)
        steady_pipe = play_memory_in_child();
    else
        raise_oom_score();
    for (;;) {
        struct pollfd set[3 + CONNECTIONS_MAX];
        double wake_s = advance();
        bool full = true;
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            set[3 + i] = (struct pollfd){.fd = connections[i].descriptor, .events = POLLIN};
            full = full && connections[i].descriptor >= 0;
        }
        set[0] = (struct pollfd){.fd = signals, .events = POLLIN};
        set[1] = (struct pollfd){.fd = full ? -1 : listener, .events = POLLIN};
        set[2] = (struct pollfd){.fd = steady_pipe, .events = POLLIN};
        if (poll(set, 3 + CONNECTIONS_MAX, poll_ms(started_s + wake_s)) < 0 && errno != EINTR)
            die(EXIT_FAILED, "cannot wait: %s", strerror(errno));
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            if (set[3 + i].revents != 0)
                read_connection(&connections[i]);
        if (set[2].revents != 0)
            handle_steady(&steady_pipe);
        if (set[1].revents != 0)
            accept_connection();
        if (set[0].revents != 0)
            handle_signals(signals);
    }
}
