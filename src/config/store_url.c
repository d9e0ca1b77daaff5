#include "config/store_url.h"

#include <string.h>
#include <sys/un.h>

#include "config/host.h"

#define DEFAULT_PORT 6379
#define DATABASES_MAX 65535

static bool deny(const char **why, const char *what)
{
    *why = what;
    return false;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RFC 3986 2.1; NULL: it is malformed, or contains a NUL. */
static const char *decode(struct arena *a, struct span s)
{
    char *to = arena_alloc(a, s.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        int high = i + 2 < s.len ? hex_value(s.at[i + 1]) : -1;
        int low = i + 2 < s.len ? hex_value(s.at[i + 2]) : -1;
        if (s.at[i] != '%') {
            to[len++] = s.at[i];
            continue;
        }
        if (high < 0 || low < 0 || high + low == 0)
            return NULL;
        to[len++] = (char)(high * 16 + low);
        i += 2;
    }
    to[len] = '\0';
    return to;
}

/* "user:password", ":password" or "password": Redis before version 6 has no users. */
static bool read_userinfo(struct arena *a, struct span s, struct config_store *to, const char **why)
{
    size_t colon = span_find(s, ':');
    struct span user = span_first(s, colon);
    to->user = colon < s.len && user.len ? decode(a, user) : NULL;
    to->password = decode(a, colon < s.len ? span_from(s, colon + 1) : s);
    if (to->password == NULL || (colon < s.len && user.len && to->user == NULL))
        return deny(why, "the user or password is not percent-encoded correctly");
    return *to->password || deny(why, "the password is empty");
}

static bool read_db(struct span s, unsigned *db, const char **why)
{
    *db = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9' || *db > DATABASES_MAX)
            return deny(why, "what follows the host must be /DB, the number of a database");
        *db = *db * 10 + (unsigned)(s.at[i] - '0');
    }
    return *db <= DATABASES_MAX || deny(why, "the number of the database is too large");
}

static bool read_host(struct arena *a, struct span s, struct config_store *to, const char **why)
{
    bool is_ip6 = s.len && s.at[0] == '[';
    size_t end = is_ip6 ? span_find(s, ']') : span_find(s, ':');
    struct span host = is_ip6 ? span_from(span_first(s, end), 1) : span_first(s, end);
    struct span rest = span_from(s, is_ip6 && end < s.len ? end + 1 : end);
    to->host = host_read(a, host);
    if (to->host == NULL || (is_ip6 && end == s.len) || (!is_ip6 && strchr(to->host, ':')))
        return deny(why, "the host must be a plain name, an IPv4 address or [IPv6]");
    to->port = rest.len == 0       ? DEFAULT_PORT
               : rest.at[0] == ':' ? host_port_read(span_from(rest, 1))
                                   : 0;
    return to->port || deny(why, "the port must be a number from 1 to 65535");
}

static bool read_unix(struct arena *a, struct span path, struct config_store *to, const char **why)
{
    if (path.len == 0 || path.at[0] != '/')
        return deny(why, "unix: must be followed by an absolute path");
    if (path.len >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return deny(why, "the path of a unix socket is at most 107 bytes long");
    to->path = arena_span(a, path).at;
    to->text = arena_printf(a, "unix:%s", to->path);
    return true;
}

/* The last @ ends the userinfo, so that a password with an @ that is not encoded is not shown as
 * a host. */
static size_t find_at(struct span s)
{
    for (size_t i = s.len; i > 0; i--)
        if (s.at[i - 1] == '@')
            return i - 1;
    return s.len;
}

bool store_url_read(struct arena *a, const char *text, struct config_store *to, const char **why)
{
    struct span s = span_of(text);
    *to = (struct config_store){0};
    if (span_starts(s, SPAN("unix:")))
        return read_unix(a, span_from(s, 5), to, why);
    to->secure = span_starts(s, SPAN("rediss://"));
    if (!to->secure && !span_starts(s, SPAN("redis://")))
        return deny(why,
                    "must be redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// or unix:/PATH");
    struct span rest = span_from(s, to->secure ? 9 : 8);
    size_t at = find_at(rest);
    bool has_userinfo = at < rest.len;
    if (has_userinfo && !read_userinfo(a, span_first(rest, at), to, why))
        return false;
    rest = span_from(rest, has_userinfo ? at + 1 : 0);
    size_t slash = span_find(rest, '/');
    if (!read_host(a, span_first(rest, slash), to, why) ||
        !read_db(span_from(rest, slash < rest.len ? slash + 1 : slash), &to->db, why))
        return false;
    to->text = arena_printf(a, "%s://%s%.*s", to->secure ? "rediss" : "redis",
                            has_userinfo ? "***@" : "", SPAN_ARG(rest));
    return true;
}
