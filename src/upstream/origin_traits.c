#include "upstream/origin_traits.h"

/* As long as most handshakes take, even with distant origins. */
#define HOLD_MS 500
#define HTTP1_MS (60 * 60 * 1000) /* then ALPN asks again what it speaks */

void origin_traits_init(struct origin_traits *p, const struct upstream_config *u)
{
    *p = (struct origin_traits){.kind = PROSPECT_UNKNOWN, .allowed = CONN_UNSAID};
    if (u->http2 == HTTP2_ALWAYS)
        p->kind = PROSPECT_MANY;
    else if (u->http2 == HTTP2_NEVER || !u->secure)
        p->kind = PROSPECT_ONE;
}

void origin_traits_learn(struct origin_traits *p, bool shares, size_t allowed)
{
    if (p->http1_until) /* lines dialled before that still come up */
        return;
    p->kind = shares ? PROSPECT_MANY : PROSPECT_ONE;
    if (allowed != CONN_UNSAID)
        p->allowed = allowed;
}

bool origin_traits_wants_http1(struct origin_traits *p, uint64_t now_ms)
{
    if (p->http1_until)
        return false;
    *p = (struct origin_traits){
        .kind = PROSPECT_ONE, .allowed = CONN_UNSAID, .http1_until = now_ms + HTTP1_MS};
    return true;
}

enum config_http2 origin_traits_offer(struct origin_traits *p, const struct upstream_config *u,
                                      uint64_t now_ms)
{
    if (p->http1_until && now_ms >= p->http1_until)
        origin_traits_init(p, u);
    return p->http1_until ? HTTP2_NEVER : (enum config_http2)u->http2;
}

void origin_traits_failed(struct origin_traits *p, uint64_t now_ms)
{
    p->hold_until = now_ms;
}

size_t origin_traits_streams(const struct origin_traits *p, const struct upstream_config *u)
{
    if (p->kind != PROSPECT_MANY)
        return 1;
    size_t most = p->allowed < u->max_streams ? p->allowed : u->max_streams;
    return most ? most : 1;
}

size_t origin_traits_lines(const struct origin_traits *p, const struct upstream_config *u,
                           size_t waiters, size_t loners)
{
    size_t each = origin_traits_streams(p, u);
    if (each == 1)
        return waiters;
    return loners + (waiters - loners + each - 1) / each;
}

void origin_traits_dialled(struct origin_traits *p, uint64_t now_ms)
{
    if (p->kind == PROSPECT_UNKNOWN && p->hold_until == 0)
        p->hold_until = now_ms + HOLD_MS;
}

uint64_t origin_traits_holds(const struct origin_traits *p)
{
    return p->kind == PROSPECT_UNKNOWN ? p->hold_until : 0;
}
