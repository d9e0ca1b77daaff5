#include "cli/daemon_client.h"

#include <errno.h>
#include <llhttp.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "config/host.h"

#define HOST_SIZE 256
#define PORT_SIZE 8
#define PAGE_MAX (64 * 1024 * 1024)

struct fetch {
    llhttp_t parser;
    struct text *page;
    bool complete;
};

static struct span authority_of(const char *url)
{
    struct span rest = span_from(span_of(url), sizeof "http://" - 1);
    return span_first(rest, span_find(rest, '/'));
}

static bool is_unix(const char *url)
{
    return span_starts(span_of(url), SPAN("unix:/"));
}

/* "HOST", "HOST:PORT" or "[IP6]:PORT", split here because getaddrinfo(3) would take a port
 * modulo 65536. */
static bool split_authority(struct span authority, char host[HOST_SIZE], char port[PORT_SIZE])
{
    bool bracketed = authority.len && authority.at[0] == '[';
    size_t end = span_find(authority, bracketed ? ']' : ':');
    struct span name = span_from(span_first(authority, end), bracketed);
    struct span rest = span_from(authority, end + bracketed);
    if (name.len == 0 || name.len >= HOST_SIZE || (bracketed && end == authority.len))
        return false;
    unsigned number = rest.len ? host_port_read(span_from(rest, 1)) : 80;
    snprintf(host, HOST_SIZE, "%.*s", SPAN_ARG(name));
    snprintf(port, PORT_SIZE, "%u", number);
    return number && (rest.len == 0 || rest.at[0] == ':');
}

bool daemon_client_understands(const char *url)
{
    char host[HOST_SIZE], port[PORT_SIZE];
    struct span whole = span_of(url);
    if (is_unix(url))
        return whole.len - (sizeof "unix:" - 1) < sizeof((struct sockaddr_un *)NULL)->sun_path;
    if (!span_starts(whole, SPAN("http://")))
        return false;
    struct span authority = authority_of(url);
    size_t used = sizeof "http://" - 1 + authority.len;
    return used + 1 >= whole.len && span_find(authority, '@') == authority.len &&
           split_authority(authority, host, port);
}

/* On Linux SO_SNDTIMEO bounds connect(2) too (socket(7)). */
static int dial(const struct sockaddr *to, socklen_t len, unsigned patience_s)
{
    struct timeval patience = {.tv_sec = (time_t)patience_s};
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, to, len) == 0)
        return fd;
    int why = errno == EINPROGRESS ? ETIMEDOUT : errno;
    close(fd);
    errno = why;
    return -1;
}

static int dial_unix(const char *path, unsigned patience_s)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    return dial((struct sockaddr *)&to, sizeof to, patience_s);
}

static int dial_tcp(struct span authority, unsigned patience_s, char *error, size_t size)
{
    char host[HOST_SIZE], port[PORT_SIZE];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (!split_authority(authority, host, port)) {
        snprintf(error, size, "not an address");
        return -1;
    }
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed) {
        snprintf(error, size, "%s", gai_strerror(failed));
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = dial(a->ai_addr, a->ai_addrlen, patience_s);
    if (fd < 0)
        snprintf(error, size, "%s", strerror(errno));
    freeaddrinfo(found);
    return fd;
}

static int dial_url(const char *url, unsigned patience_s, char *error, size_t size)
{
    if (!is_unix(url))
        return dial_tcp(authority_of(url), patience_s, error, size);
    int fd = dial_unix(url + sizeof "unix:" - 1, patience_s);
    if (fd < 0)
        snprintf(error, size, "%s", strerror(errno));
    return fd;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct fetch *f = parser->data;
    if (f->page->len + len > PAGE_MAX)
        return HPE_USER;
    text_add(f->page, (struct span){at, len});
    return 0;
}

static int on_complete(llhttp_t *parser)
{
    ((struct fetch *)parser->data)->complete = true;
    return HPE_PAUSED;
}

/* An error is JSON, with a message in it. */
static bool send_request(int fd, const char *url, const char *method, const char *path)
{
    struct span host = is_unix(url) ? SPAN("localhost") : authority_of(url);
    struct text head = {0};
    text_printf(&head,
                "%s %s HTTP/1.1\r\nHost: %.*s\r\nAccept: application/json\r\n"
                "Connection: close\r\n%s\r\n",
                method, path, SPAN_ARG(host),
                strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
    bool all = send(fd, head.at, head.len, MSG_NOSIGNAL) == (ssize_t)head.len;
    text_free(&head);
    return all;
}

/* The parser pauses where the response is complete. NULL, or what is wrong with it. */
static const char *parse(struct fetch *f, const char *at, size_t len)
{
    llhttp_errno_t result = llhttp_execute(&f->parser, at, len);
    return result == HPE_OK || f->complete ? NULL : "the response is not HTTP";
}

static const char *parse_end(struct fetch *f)
{
    llhttp_finish(&f->parser);
    return f->complete ? NULL : "the response is cut off";
}

/* Reads to the end of the response, or until the time is up. */
static bool read_answer(int fd, struct fetch *f, unsigned patience_s, const char **why)
{
    char piece[16 * 1024];
    time_t until = time(NULL) + (time_t)patience_s;
    while (!f->complete) {
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            *why = parse(f, piece, (size_t)n);
        else if (n == 0)
            *why = parse_end(f);
        else
            *why = errno == EAGAIN ? "no response in time" : strerror(errno);
        if (*why == NULL && !f->complete && time(NULL) > until)
            *why = "no response in time";
        if (*why)
            return false;
    }
    return true;
}

unsigned daemon_client_ask(const char *url, const char *method, const char *path,
                           unsigned patience_s, struct text *body, char *error, size_t size)
{
    const char *why = NULL;
    struct fetch f = {.page = body};
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
    llhttp_init(&f.parser, HTTP_RESPONSE, &settings);
    f.parser.data = &f;

    int fd = dial_url(url, patience_s, error, size);
    if (fd < 0)
        return 0;
    if (!send_request(fd, url, method, path))
        why = strerror(errno);
    bool answered = why == NULL && read_answer(fd, &f, patience_s, &why);
    close(fd);
    if (!answered)
        snprintf(error, size, "%s", why);
    return answered ? f.parser.status_code : 0;
}

bool daemon_client_page(const char *url, const char *path, struct text *page, char *error,
                        size_t size)
{
    unsigned status = daemon_client_ask(url, "GET", path, FETCH_PATIENCE_S, page, error, size);
    if (status != 0 && status != 200)
        snprintf(error, size, "%s answered with status %u", path, status);
    return status == 200;
}
