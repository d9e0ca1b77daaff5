#include "front/start_check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "front/access_log.h"
#include "front/listeners.h"
#include "proxy/order_file.h"
#include "proxy/state_keeper.h"

struct start_check {
    const struct config *config;
    config_complain *complain;
    void *context;
    bool good;
};

static void complain(struct start_check *s, const char *message)
{
    s->good = false;
    s->complain(s->context, message);
}

/* May a file be created in this path's folder? 0, or a negative errno. */
static int folder_error(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s/", (int)(slash ? slash - path : 0), path);
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

/* An existing socket may be stale, and is replaced then. */
static int unix_error(const struct config_address *a)
{
    const char *path = ((const struct sockaddr_un *)&a->at)->sun_path;
    struct stat st;
    if (lstat(path, &st) == 0)
        return S_ISSOCK(st.st_mode) ? folder_error(path) : -EEXIST;
    return errno == ENOENT ? folder_error(path) : -errno;
}

/* Bound as libuv does it. Without listen(2) a running daemon keeps the address. */
static int tcp_error(const struct config_address *a)
{
    const int on = 1;
    int family = a->at.ss_family, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    bool bound = bind(fd, (const struct sockaddr *)&a->at, a->len) == 0 || errno == EADDRINUSE;
    int error = bound ? 0 : -errno;
    close(fd);
    return error;
}

static void try_addresses(struct start_check *s, const struct config_addresses *addresses)
{
    char words[200], message[5000];
    for (size_t i = 0; i < addresses->count; i++) {
        const struct config_address *a = &addresses->at[i];
        int error = a->at.ss_family == AF_UNIX ? unix_error(a) : tcp_error(a);
        if (error == 0)
            continue;
        snprintf(words, sizeof words, "listen %s: %s", a->text, uv_strerror(error));
        complain(s, listeners_error(s->config, a, words, message, sizeof message));
    }
}

static void try_all_addresses(struct start_check *s)
{
    char message[5000];
    const struct config *c = s->config;
    size_t count = c->listen.count;
    try_addresses(s, &c->listen);
    for (size_t i = 0; i < c->upstream_count; i++) {
        try_addresses(s, &c->upstreams[i]->listen);
        count += c->upstreams[i]->listen.count;
    }
    if (count == 0)
        complain(s, listeners_error(c, NULL, LISTENERS_NOWHERE, message, sizeof message));
}

static void try_state(struct start_check *s)
{
    char words[5000], message[10000], path[PATH_MAX];
    const struct config *c = s->config;
    if (state_keeper_check(state_keeper_path(c->state, path), words, sizeof words))
        return;
    snprintf(message, sizeof message, "%s:%d: state = %s", c->path, c->state_line, words);
    complain(s, message);
}

static void try_access_log(struct start_check *s)
{
    const struct config *c = s->config;
    char words[300], message[5000];
    if (access_log_can_open(c->access_log ? c->access_log : "off", words, sizeof words))
        return;
    snprintf(message, sizeof message, "%s:%d: access_log = %s", c->path, c->access_log_line, words);
    complain(s, message);
}

static void try_order_journal(struct start_check *s)
{
    const struct config *c = s->config;
    char words[300], message[5000];
    if (strcmp(c->order_journal, "off") == 0 ||
        order_file_can_open(c->order_journal, words, sizeof words))
        return;
    snprintf(message, sizeof message, "%s:%d: order_journal = %s: %s", c->path,
             c->order_journal_line, c->order_journal, words);
    complain(s, message);
}

bool start_check(const struct config *c, config_complain *to, void *context)
{
    struct start_check s = {c, to, context, true};
    if (getenv("MAINPID") == NULL)
        try_all_addresses(&s);
    try_access_log(&s);
    try_state(&s);
    try_order_journal(&s);
    return s.good;
}
