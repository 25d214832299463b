/* stampload: the stand-in for a heavy application. One static program, so that the image of the lab
 * needs no library, no package and no registry.
 *
 *   stampload serve    the application: memory rises to a boot peak, falls, then HTTP is served
 *   stampload probe    the container's health check
 *   stampload client   the user of the application, writing down what every request met
 *
 * Each runs alone in one poll() loop: no threads, so what happens between two lines of the log is
 * what the code says and nothing else.
 */
#ifndef STAMPLOAD_H
#define STAMPLOAD_H

#define _GNU_SOURCE /* signalfd, pipe2, accept4, environ */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 64 };
enum { VERSION_MAX = 128 }; /* longest version text, without the final zero */

/* A setting comes from an environment variable (NULL: has none), or from the long option that
 * overrides it. `value` is left alone when neither is given, so it holds the default before. */
enum kind {
    TEXT,    /* const char *  */
    INTEGER, /* int64_t, between least and most */
    SECONDS, /* double */
    FLAG,    /* bool: 1 or 0 in the environment, a bare option on the command line */
};

struct setting {
    const char *option, *variable;
    enum kind kind;
    void *value;
    int64_t least, most;
};

/* Fills the values from the environment, then from the options; ends the list with a zero option.
 * Exits 64 with one sentence when a value is malformed or an option unknown. */
void read_settings(const struct setting *settings, char **arguments);

/* Says one sentence on stderr and exits. */
_Noreturn void die(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Seconds of a clock that never jumps. */
double monotonic_s(void);

/* What to give poll() for waiting until then: rounded up, so that no wake-up comes too early. */
int poll_ms(double until_s);

/* Blocks SIGTERM, SIGINT and SIGCHLD, and returns a descriptor on which they arrive instead. As
 * PID 1 this is also what makes them work: the kernel drops signals that PID 1 does not expect. */
int open_signals(void);

/* Writes `text` as a JSON string of ASCII, cut off where `out` is full; an empty text is null:
 * nothing is known. Returns `out`. */
const char *json_string(char *out, size_t size, const char *text);

int serve(char **arguments);
int probe(char **arguments);
int client(char **arguments);

#endif
