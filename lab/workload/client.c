/* stampload probe and stampload client: one HTTP request, judged; or one every interval.
 *
 * The client asks the DNS anew for every request, because a swarm moves a service's name from the
 * old task to the new one: an address kept from before would hide or invent an outage. It speaks
 * DNS itself, because a static glibc resolves names through shared libraries that the image lacks.
 */
#include "stampload.h"

#include <stdarg.h>
#include <sys/random.h>
#include <time.h>

enum { DNS_PORT = 53, DNS_MESSAGE_MAX = 4096, NAME_MAX_BYTES = 253, TYPE_A = 1, CLASS_IN = 1 };

struct request {
    const char *host, *path;
    int64_t port;
    double until_s;
    int signals; /* readable when it is time to stop; -1: nothing to look out for */
    bool stopped;
    char address[INET_ADDRSTRLEN], version[VERSION_MAX + 1], error[160];
};

/* Returns false, so that a step can end with `return failed(...)`. */
static bool __attribute__((format(printf, 2, 3)))
failed(struct request *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->error, sizeof r->error, format, arguments);
    va_end(arguments);
    return false;
}

/* False when the request's time is over (`late` says so) or the program is to stop. */
static bool wait_for(struct request *r, int descriptor, short events, const char *late)
{
    for (;;) {
        struct pollfd set[] = {{.fd = descriptor, .events = events},
                               {.fd = r->signals, .events = POLLIN}};
        int ready = poll(set, 2, poll_ms(r->until_s));
        if (set[1].revents != 0)
            r->stopped = true;
        if (r->stopped || (ready == 0 && monotonic_s() >= r->until_s))
            return failed(r, "%s", late);
        if (ready > 0)
            return true;
    }
}

/* ---- DNS ------------------------------------------------------------------------------------- */

/* Writes the query for the IPv4 addresses of `name`; returns its length, 0 when that is no name. */
static size_t write_query(unsigned char *query, const char *name)
{
    /* Recursion is desired, one question follows. */
    static const unsigned char flags[] = {0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    static const unsigned char question[] = {0, 0, TYPE_A, 0, CLASS_IN};
    if (strlen(name) > NAME_MAX_BYTES || getrandom(query, 2, 0) != 2)
        return 0;
    memcpy(query + 2, flags, sizeof flags);
    size_t at = 12;
    while (*name != '\0') {
        size_t label = strcspn(name, ".");
        if (label == 0 || label > 63)
            return 0;
        query[at++] = (unsigned char)label;
        memcpy(query + at, name, label);
        at += label;
        name += label + (name[label] == '.');
    }
    memcpy(query + at, question, sizeof question); /* its first zero ends the name */
    return at + sizeof question;
}

static unsigned read16(const unsigned char *from)
{
    return (unsigned)from[0] << 8 | from[1];
}

/* Returns the position after the name at `at`, 0 when it is no proper name. Every pointer has to
 * point before the piece of name it was found in, so following them comes to an end. */
static size_t skip_name(const unsigned char *message, size_t size, size_t at)
{
    size_t piece = at, after = 0;
    while (at < size) {
        unsigned length = message[at];
        if (length == 0)
            return after != 0 ? after : at + 1;
        if (length < 64) {
            at += 1 + length;
            continue;
        }
        if (length < 0xc0 || at + 2 > size)
            return 0;
        if (after == 0)
            after = at + 2;
        at = read16(message + at) & 0x3fff;
        if (at >= piece || at < 12)
            return 0;
        piece = at;
    }
    return 0;
}

/* Takes the first address of an answer to our question; `at` is where the question ends. */
static bool read_answer(struct request *r, const unsigned char *message, size_t size, size_t at,
                        struct in_addr *address)
{
    unsigned code = message[3] & 15, records = read16(message + 6);
    if (code != 0)
        return code == 3 ? failed(r, "dns: no such name") : failed(r, "dns: error code %u", code);
    for (; records > 0; records--) {
        at = skip_name(message, size, at);
        if (at == 0 || at + 10 > size || at + 10 + read16(message + at + 8) > size)
            return failed(r, "dns: malformed answer");
        const unsigned char *record = message + at;
        unsigned length = read16(record + 8);
        if (read16(record) == TYPE_A && read16(record + 2) == CLASS_IN && length == 4) {
            memcpy(address, record + 10, 4);
            return true;
        }
        at += 10 + length;
    }
    return failed(r, "dns: no address");
}

static bool ask(struct request *r, int descriptor, struct in_addr *address)
{
    unsigned char query[NAME_MAX_BYTES + 20], message[DNS_MESSAGE_MAX];
    size_t length = write_query(query, r->host);
    if (length == 0)
        return failed(r, "dns: not a name");
    if (send(descriptor, query, length, 0) < 0)
        return failed(r, "dns: %s", strerror(errno));
    for (;;) {
        if (!wait_for(r, descriptor, POLLIN, "dns: no answer"))
            return false;
        ssize_t size = recv(descriptor, message, sizeof message, MSG_DONTWAIT);
        if (size < 0 && errno != EAGAIN)
            return failed(r, "dns: %s", strerror(errno));
        /* Only a response that carries our number and our question is an answer to us; anything
         * else is a stray, and the answer may still come. */
        if (size >= (ssize_t)length && memcmp(message, query, 2) == 0 &&
            (message[2] & 0xf8) == 0x80 && read16(message + 4) == 1 &&
            memcmp(message + 12, query + 12, length - 12) == 0)
            return read_answer(r, message, (size_t)size, length, address);
    }
}

static bool resolve(struct request *r, const struct sockaddr_in *nameserver,
                    struct in_addr *address)
{
    if (inet_pton(AF_INET, r->host, address) == 1)
        return true;
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* A connected socket hears no one but the nameserver, and learns when nobody listens there. */
    bool done = connect(descriptor, (const struct sockaddr *)nameserver, sizeof *nameserver) < 0
                    ? failed(r, "dns: %s", strerror(errno))
                    : ask(r, descriptor, address);
    close(descriptor);
    return done;
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static void read_version(struct request *r, const char *headers)
{
    const char *value = strcasestr(headers, "\r\nX-Stampload-Version:");
    if (value == NULL)
        return;
    value = strchr(value, ':') + 1;
    value += strspn(value, " ");
    snprintf(r->version, sizeof r->version, "%.*s", (int)strcspn(value, "\r\n"), value);
}

static bool exchange(struct request *r, int descriptor)
{
    char text[4096];
    int length = snprintf(text, sizeof text,
                          "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", r->path,
                          r->host);
    if (send(descriptor, text, (size_t)length, MSG_NOSIGNAL) != length)
        return failed(r, "http: %s", strerror(errno));
    size_t used = 0;
    text[0] = '\0';
    while (strstr(text, "\r\n\r\n") == NULL) {
        if (!wait_for(r, descriptor, POLLIN, "timeout"))
            return false;
        ssize_t got = recv(descriptor, text + used, sizeof text - 1 - used, 0);
        if (got < 0)
            return failed(r, "http: %s", strerror(errno));
        if (got == 0)
            return failed(r, used == 0 ? "http: no answer" : "http: incomplete answer");
        used += (size_t)got;
        text[used] = '\0';
    }
    int status = 0;
    if (sscanf(text, "HTTP/1.%*1[01] %3d", &status) != 1)
        return failed(r, "http: malformed answer");
    if (status != 200)
        return failed(r, "http: status %d", status);
    read_version(r, text);
    return true;
}

static bool get(struct request *r, struct in_addr address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port),
                             .sin_addr = address};
    int error = 0;
    socklen_t size = sizeof error;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    inet_ntop(AF_INET, &address, r->address, sizeof r->address);
    if (connect(descriptor, (struct sockaddr *)&to, sizeof to) < 0)
        error = errno;
    bool connected = error == 0;
    if (error == EINPROGRESS && wait_for(r, descriptor, POLLOUT, "timeout")) {
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
        connected = error == 0;
    }
    if (error != 0 && error != EINPROGRESS)
        failed(r, "connect: %s", strerror(error));
    bool done = connected && exchange(r, descriptor);
    close(descriptor);
    return done;
}

/* ---- the two modes --------------------------------------------------------------------------- */

int probe(char **arguments)
{
    struct request r = {.host = "127.0.0.1", .path = "/health", .port = 8080, .signals = -1};
    int64_t timeout_ms = 1000;
    const struct setting settings[] = {
        {"--port", "STAMPLOAD_PORT", INTEGER, &r.port, 1, 65535},
        {"--path", NULL, TEXT, &r.path, 0, 0},
        {"--timeout-ms", NULL, INTEGER, &timeout_ms, 1, 3600000},
        {0},
    };
    read_settings(settings, arguments);
    if (r.path[0] != '/' || strlen(r.path) > 1000 || strpbrk(r.path, " \r\n") != NULL)
        die(EXIT_USAGE, "--path must begin with / and hold no blank, not '%s'", r.path);
    r.until_s = monotonic_s() + (double)timeout_ms / 1000;
    struct in_addr address = {.s_addr = htonl(INADDR_LOOPBACK)};
    if (!get(&r, address))
        die(EXIT_FAILED, "port %d, %s: %s", (int)r.port, r.path, r.error);
    return EXIT_SUCCESS;
}

static bool parse_nameserver(struct sockaddr_in *nameserver, const char *text)
{
    char address[INET_ADDRSTRLEN] = "";
    int port = DNS_PORT, end = 0;
    nameserver->sin_family = AF_INET;
    if (sscanf(text, "%15[0-9.]%n:%5d%n", address, &end, &port, &end) < 1 || text[end] != '\0')
        return false;
    nameserver->sin_port = htons((uint16_t)port);
    return port > 0 && port < 65536 && inet_pton(AF_INET, address, &nameserver->sin_addr) == 1;
}

static bool configured_nameserver(struct sockaddr_in *nameserver)
{
    char line[256], word[64];
    FILE *file = fopen("/etc/resolv.conf", "re");
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "nameserver %63s", word) == 1 && parse_nameserver(nameserver, word);
    if (file != NULL)
        fclose(file);
    return found;
}

static void print_outcome(const struct request *r, long long n, bool ok, long long sent_unix_ns,
                          double took_s)
{
    char version[6 * sizeof r->version + 8], address[sizeof r->address + 8];
    char error[6 * sizeof r->error + 8];
    printf("{\"n\":%lld,\"sent_unix_ns\":%lld,\"took_ms\":%.3f,\"ok\":%s", n, sent_unix_ns,
           took_s * 1000, ok ? "true" : "false");
    printf(",\"version\":%s,\"address\":%s", json_string(version, sizeof version, r->version),
           json_string(address, sizeof address, r->address));
    if (!ok)
        printf(",\"error\":%s", json_string(error, sizeof error, r->error));
    /* A record that cannot be written is worth an end: a gap in it would read as silence. */
    if (puts("}") < 0 || fflush(stdout) != 0)
        die(EXIT_FAILED, "cannot write the record: %s", strerror(errno));
}

int client(char **arguments)
{
    const char *host = NULL, *given = NULL;
    int64_t port = 8080, interval_ms = 50, timeout_ms = 1000;
    const struct setting settings[] = {
        {"--host", NULL, TEXT, &host, 0, 0},
        {"--port", NULL, INTEGER, &port, 1, 65535},
        {"--interval-ms", NULL, INTEGER, &interval_ms, 1, 3600000},
        {"--timeout-ms", NULL, INTEGER, &timeout_ms, 1, 3600000},
        {"--nameserver", NULL, TEXT, &given, 0, 0},
        {0},
    };
    struct sockaddr_in nameserver = {0};
    struct in_addr address;
    read_settings(settings, arguments);
    if (host == NULL)
        die(EXIT_USAGE, "--host is missing");
    if (given != NULL && !parse_nameserver(&nameserver, given))
        die(EXIT_USAGE, "--nameserver must be ADDRESS or ADDRESS:PORT, not '%s'", given);
    if (given == NULL && inet_pton(AF_INET, host, &address) != 1 &&
        !configured_nameserver(&nameserver))
        die(EXIT_FAILED, "/etc/resolv.conf names no nameserver with an IPv4 address");
    int signals = open_signals();
    double due_s = monotonic_s();
    for (long long n = 0;; n++) {
        struct request r = {.host = host, .path = "/", .port = port, .signals = signals,
                            .until_s = due_s};
        while (monotonic_s() < due_s && !r.stopped)
            wait_for(&r, -1, 0, "");
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        double sent_s = monotonic_s();
        r.until_s = sent_s + (double)timeout_ms / 1000;
        bool ok = !r.stopped && resolve(&r, &nameserver, &address) && get(&r, address);
        if (r.stopped)
            return EXIT_SUCCESS; /* a request that we broke off ourselves says nothing */
        print_outcome(&r, n, ok, now.tv_sec * 1000000000LL + now.tv_nsec, monotonic_s() - sent_s);
        /* After a long request the schedule begins anew: a burst to catch up would be load. */
        due_s += (double)interval_ms / 1000;
        if (due_s < monotonic_s())
            due_s = monotonic_s();
    }
}
