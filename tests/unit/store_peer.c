#include "store_peer.h"

#include <string.h>

#include "config_fixture.h"
#include "net/stream_uv.h"
#include "suite.h"

void store_peer_close(struct store_peer *p, bool reset)
{
    if (p->stream && reset)
        stream_reset(p->stream);
    else if (p->stream)
        stream_close(p->stream);
    p->stream = NULL;
}

void store_peer_say(struct store_peer *p, const char *text)
{
    uv_buf_t piece = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
    CHECK(p->stream != NULL);
    (void)!stream_write(p->stream, &piece, 1);
}

/* Takes a number with its mark and line end; false: it is not here yet. */
static bool take_number(struct span *rest, char mark, size_t *n)
{
    size_t end = span_find(*rest, '\n');
    if (end == rest->len)
        return false;
    ck_assert_msg(rest->at[0] == mark, "%.*s", SPAN_ARG(*rest));
    *n = strtoul(rest->at + 1, NULL, 10);
    *rest = span_from(*rest, end + 1);
    return true;
}

/* Takes a command, as words with a space before each. False: it is not whole. */
static bool take_command(struct store_peer *p, struct text *words)
{
    struct span rest = text_span(&p->got);
    size_t count, len;
    text_clear(words);
    if (!take_number(&rest, '*', &count))
        return false;
    ck_assert_uint_gt(count, 0);
    for (size_t i = 0; i < count; i++) {
        if (!take_number(&rest, '$', &len) || rest.len < len + 2)
            return false;
        text_printf(words, " %.*s", (int)len, rest.at);
        rest = span_from(rest, len + 2);
    }
    struct text left = {0};
    text_add(&left, rest);
    text_free(&p->got);
    p->got = left;
    return true;
}

static bool is_login(struct span words)
{
    return span_starts(words, SPAN(" AUTH")) || span_starts(words, SPAN(" SELECT")) ||
           span_starts(words, SPAN(" PING"));
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct store_peer *p = owner;
    struct text words = {0};
    text_add(&p->got, (struct span){data, len});
    while (p->stream && take_command(p, &words)) {
        bool logs_in = is_login(text_span(&words));
        const char *reply = logs_in ? p->login : p->answer;
        if (logs_in) {
            text_printf(&p->logins, "%s;", words.at);
        } else {
            p->asked++;
            text_clear(&p->last);
            text_add(&p->last, text_span(&words));
        }
        if (reply)
            store_peer_say(p, reply);
    }
    text_free(&words);
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    (void)how, (void)why;
    store_peer_close(owner, false);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_connection(uv_stream_t *listener, int status)
{
    static const struct stream_events events = {on_data, on_end, on_drain};
    struct store_peer *p = listener->data;
    CHECK(status == 0);
    store_peer_close(p, false);
    p->accepted++;
    text_clear(&p->got);
    p->stream = stream_uv_accept(p->loop, listener);
    CHECK(p->stream != NULL);
    stream_bind(p->stream, &events, p);
    stream_resume(p->stream);
}

void store_peer_start(struct store_peer *p, struct loop *loop)
{
    struct sockaddr_in at;
    int len = sizeof at;
    *p = (struct store_peer){.loop = loop, .login = "+OK\r\n"};
    text_add_str(&p->logins, "");
    text_add_str(&p->last, "");
    CHECK(uv_tcp_init(loop_uv(loop), &p->listener) == 0);
    p->listener.data = p;
    CHECK(uv_ip4_addr("127.0.0.1", 0, &at) == 0);
    CHECK(uv_tcp_bind(&p->listener, (const struct sockaddr *)&at, 0) == 0);
    CHECK(uv_listen((uv_stream_t *)&p->listener, 16, on_connection) == 0);
    CHECK(uv_tcp_getsockname(&p->listener, (struct sockaddr *)&at, &len) == 0);
    p->port = ntohs(at.sin_port);
}

void store_peer_refuse(struct store_peer *p)
{
    if (!p->refuses)
        uv_close((uv_handle_t *)&p->listener, NULL);
    p->refuses = true;
}

void store_peer_end(struct store_peer *p)
{
    store_peer_refuse(p);
    store_peer_close(p, false);
    text_free(&p->got);
    text_free(&p->logins);
    text_free(&p->last);
}

struct config *store_peer_config(const struct store_peer *p, const char *login, const char *path,
                                 const char *directives)
{
    struct text all = {0};
    text_printf(&all, "budget_store = \"redis://%s127.0.0.1:%u%s\"\n%s\n", login, p->port, path,
                directives);
    struct config *c = parse_good(all.at);
    text_free(&all);
    return c;
}
