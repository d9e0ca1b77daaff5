#include "front/access_line.h"

#include <stdio.h>

#include "base/quoting.h"
#include "base/timestamp.h"

#define ORDER_TARGET_SHOWN 500
#define ORDER_IDS_SHOWN 160

struct line {
    struct text *to;
    bool json, begun;
};

static void add_key(struct line *l, const char *key)
{
    if (l->json)
        text_add(l->to, l->begun ? SPAN(",\"") : SPAN("{\""));
    else if (l->begun)
        text_add(l->to, SPAN(" "));
    text_add_str(l->to, key);
    text_add(l->to, l->json ? SPAN("\":") : SPAN("="));
    l->begun = true;
}

/* "-" means none, so a value that reads "-" is quoted. */
static bool needs_quotes(struct span s)
{
    if (s.len == 0 || span_is(s, SPAN("-")))
        return true;
    for (size_t i = 0; i < s.len; i++)
        if (!quote_is_plain(s.at[i]) || s.at[i] == ' ' || s.at[i] == '=')
            return true;
    return false;
}

static void add_text(struct line *l, const char *key, struct span value)
{
    add_key(l, key);
    if (l->json || needs_quotes(value))
        quote_add(l->to, value, l->json);
    else
        text_add(l->to, value);
}

static void add_none(struct line *l, const char *key)
{
    add_key(l, key);
    text_add(l->to, l->json ? SPAN("null") : SPAN("-"));
}

static void add_word(struct line *l, const char *key, const char *word)
{
    if (word)
        add_text(l, key, span_of(word));
    else
        add_none(l, key);
}

static void add_number(struct line *l, const char *key, uint64_t n)
{
    add_key(l, key);
    text_add_number(l->to, n);
}

static void add_bool(struct line *l, const char *key, bool value)
{
    add_key(l, key);
    text_add(l->to, value ? SPAN("true") : SPAN("false"));
}

static void add_ms(struct line *l, const char *key, uint64_t us)
{
    unsigned rest = (unsigned)(us % 1000);
    char fraction[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                        (char)('0' + rest % 10)};
    add_number(l, key, us / 1000);
    text_add(l->to, (struct span){fraction, sizeof fraction});
}

static const char *id_of(const struct record *r)
{
    return r->id && r->id->text[0] ? r->id->text : NULL;
}

/* A line of the log is cut off at 1 KiB, and what follows the target must fit too. */
static struct span shown(struct span target)
{
    return target.len > ORDER_TARGET_SHOWN ? span_first(target, ORDER_TARGET_SHOWN) : target;
}

void access_line_of_order(struct text *to, const struct record *r)
{
    struct line l = {.to = to};
    add_text(&l, "method", r->method);
    add_word(&l, "client", r->client);
    add_word(&l, "bot", r->bot);
    add_word(&l, "error", r->error == FAILURE_NONE ? NULL : failure_name(r->error));
    if (r->status)
        add_number(&l, "status", r->status);
    else
        add_none(&l, "status");
    add_word(&l, "sent", sent_name(r->sent));
    if (r->left)
        add_word(&l, "left", "yes");
    add_ms(&l, "total_ms", r->total_us);
    if (r->order_ids.len)
        add_text(&l, "order_ids", span_first(r->order_ids, ORDER_IDS_SHOWN));
    add_text(&l, "target", shown(r->target));
    add_word(&l, "id", id_of(r));
}

void access_line(struct text *to, enum config_log_format format, const struct timespec *at,
                 const struct record *r)
{
    char time[TIMESTAMP_SIZE];
    struct line l = {.to = to, .json = format == LOG_FORMAT_JSON};
    add_text(&l, "time", span_of(timestamp_text(time, at)));
    add_word(&l, "client", r->client);
    add_text(&l, "method", r->method);
    add_word(&l, "upstream", r->upstream);
    add_text(&l, "target", r->target);
    if (r->timing.exit)
        add_word(&l, "exit", r->timing.exit);
    if (r->timing.endpoint)
        add_word(&l, "endpoint", r->timing.endpoint);
    if (r->status)
        add_number(&l, "status", r->status);
    else
        add_none(&l, "status");
    add_number(&l, "bytes", r->bytes);
    add_bool(&l, "reused", r->timing.reused);
    add_word(&l, "protocol", r->timing.protocol);
    add_word(&l, "cache", cache_result_name(r->cache.result));
    add_word(&l, "error", r->error == FAILURE_NONE ? NULL : failure_name(r->error));
    add_word(&l, "sent", sent_name(r->sent));
    add_ms(&l, "hold_ms", r->timing.hold_us);
    add_ms(&l, "queue_ms", r->timing.queue_us);
    add_ms(&l, "dns_ms", r->timing.dns_us);
    add_ms(&l, "connect_ms", r->timing.connect_us);
    add_ms(&l, "tls_ms", r->timing.tls_us);
    add_ms(&l, "ttfb_ms", r->timing.ttfb_us);
    add_ms(&l, "total_ms", r->total_us);
    add_word(&l, "bot", r->bot);
    if (r->duplicate)
        add_word(&l, "duplicate", "yes");
    if (r->left)
        add_word(&l, "left", "yes");
    add_word(&l, "id", id_of(r));
    text_add(to, l.json ? SPAN("}\n") : SPAN("\n"));
}
