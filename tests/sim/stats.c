#include "tests/sim/stats.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "tests/sim/admin.h"
#include "tests/sim/answer.h"
#include "tests/sim/book.h"
#include "tests/sim/budget.h"
#include "tests/sim/client.h"
#include "tests/sim/exits.h"
#include "tests/sim/kernel.h"
#include "tests/sim/life.h"
#include "tests/sim/quotes.h"
#include "tests/sim/tunnels.h"

#define TRIES_MOST 50
#define AGAIN_US 200000

static const char request[] =
    "GET /stats HTTP/1.1\r\nHost: 127.0.0.1:8642\r\nConnection: close\r\n\r\n";

static struct end *end;
static uint16_t port;
static size_t sent;
static unsigned tries;
static unsigned tunnels_then; /* open when it was asked */
static struct answer answer;
static void (*go_on)(void *);

static json_int_t at(const json_t *o, const char *key, const char *inner)
{
    const json_t *in = json_object_get(o, key);
    return json_integer_value(inner ? json_object_get(in, inner) : in);
}

static json_int_t sum(const json_t *all)
{
    const char *key;
    json_t *value;
    json_int_t n = 0;
    json_object_foreach ((json_t *)all, key, value)
        n += json_integer_value(value);
    return n;
}

/* An upstream's connections are those of its exits; what it had opened by others counts on. */
static void check_exits(const json_t *u, const char *name)
{
    static const char *const keys[] = {"open", "idle", "active", "connecting", "opened", "failed"};
    const json_t *c = json_object_get(u, "connections"), *x;
    size_t i, exits = json_array_size(json_object_get(u, "exits"));
    for (size_t k = 0; k < COUNT_OF(keys) && exits && !exits_have_changed(); k++) {
        json_int_t n = 0;
        json_array_foreach (json_object_get(u, "exits"), i, x)
            n += at(x, "connections", keys[k]);
        if (n != at(c, keys[k], NULL))
            world_fault("sums", "%s: %s is %lld, and %lld of its exits", name, keys[k],
                        (long long)at(c, keys[k], NULL), (long long)n);
    }
}

static void check_upstream(const json_t *u)
{
    const json_t *c = json_object_get(u, "connections"), *r = json_object_get(u, "requests");
    const char *name = json_string_value(json_object_get(u, "name"));
    json_int_t open = at(c, "open", NULL), idle = at(c, "idle", NULL),
               active = at(c, "active", NULL), connecting = at(c, "connecting", NULL),
               opened = at(c, "opened", NULL), closed = sum(json_object_get(c, "closed"));
    if (open != idle + active + connecting)
        world_fault("sums", "%s: open %lld, idle %lld, active %lld, connecting %lld", name,
                    (long long)open, (long long)idle, (long long)active, (long long)connecting);
    if (opened != open - connecting + closed)
        world_fault("sums", "%s: opened %lld, open %lld, connecting %lld, closed %lld", name,
                    (long long)opened, (long long)open, (long long)connecting, (long long)closed);
    json_int_t total = at(r, "total", NULL),
               ended = at(r, "active", NULL) + at(r, "succeeded", NULL) + at(r, "failed", NULL) +
                       at(r, "abandoned", NULL);
    if (total != ended)
        world_fault("sums", "%s: total %lld of requests, %lld by outcome", name, (long long)total,
                    (long long)ended);
    check_exits(u, name);
    if (at(u, "queue", "waiting"))
        world_fault("sums", "%s: something waits, and no client does", name);
}

/* What the answers said was counted so, and no more than was asked for. */
static void check_quotes(const json_t *all)
{
    static const char *const names[QUOTE_RESULTS] = {"hits", "misses", "stale", "collapsed"};
    json_int_t sum_of_all = 0, bytes = at(all, "cache", "bytes");
    for (int result = 0; result < QUOTE_RESULTS; result++) {
        const json_t *u;
        size_t i;
        json_int_t counted = 0, least = life_number() == 1 ? quotes_heard(result) : 0;
        json_array_foreach (json_object_get(all, "upstreams"), i, u)
            counted += at(u, "cache", names[result]);
        if (counted < least)
            world_fault("sums", "cache.%s: %lld counted, %lld answers said so", names[result],
                        (long long)counted, (long long)least);
        sum_of_all += counted;
    }
    if (sum_of_all > quotes_asked())
        world_fault("sums", "cache: %lld counted, %u asked for", (long long)sum_of_all,
                    quotes_asked());
    if (bytes < 0 || (size_t)bytes > quotes_bytes())
        world_fault("sums", "cache: %lld bytes, %zu are allowed", (long long)bytes, quotes_bytes());
}

/* At rest none is open but those whose far side still is. */
static void check_tunnels(const json_t *all)
{
    json_int_t open = 0, total = 0;
    const json_t *u;
    size_t i;
    json_array_foreach (json_object_get(all, "upstreams"), i, u) {
        open += at(u, "tunnels", "open");
        total += at(u, "tunnels", "total");
    }
    if (life_number() == 1 && total < tunnels_opened())
        world_fault("sums", "tunnels.total: %lld counted, %u answers said so", (long long)total,
                    tunnels_opened());
    if (total > tunnels_asked())
        world_fault("sums", "tunnels.total: %lld counted, %u asked for", (long long)total,
                    tunnels_asked());
    unsigned most = tunnels_then > tunnels_open() ? tunnels_then : tunnels_open();
    if (open > most)
        world_fault("sums", "tunnels.open: %lld, %u can be", (long long)open, most);
}

static void check(const char *text)
{
    if (strstr(text, EXITS_SECRET))
        world_fault("secret", "/stats shows a password");
    json_error_t error;
    json_t *all = json_loads(text, 0, &error), *u;
    size_t i;
    json_int_t total = 0;
    if (all == NULL) {
        world_fault("sums", "/stats is no JSON: %s", error.text);
        return;
    }
    json_array_foreach (json_object_get(all, "upstreams"), i, u) {
        check_upstream(u);
        total += at(u, "requests", "total");
    }
    check_quotes(all);
    check_tunnels(all);
    tunnels_check_bytes(all);
    budget_check(all);
    if (total > at(all, "requests", "total"))
        world_fault("sums", "requests: %lld of all upstreams, %lld in all", (long long)total,
                    (long long)at(all, "requests", "total"));
    /* Pages and verbs do not count, unless they are cut off or turned away. */
    json_int_t told = at(all, "requests", "total"),
               least = life_number() == 1 ? clients_answered() : 0,
               most = book_tries() + tries + admin_said() + tunnels_asked();
    if (told < least || told > most)
        world_fault("sums", "requests: %lld counted, %lld to %lld there were", (long long)told,
                    (long long)least, (long long)most);
    json_decref(all);
}

static void begin(void *owner);

/* While descriptors are short, it may be refused. */
static void try_again(void)
{
    end_close(end, false);
    answer_clear(&answer);
    if (++tries <= TRIES_MOST)
        world_in(AGAIN_US, begin, NULL);
    else if (kernel_limit_now() < KERNEL_MOST)
        go_on(NULL);
    else
        world_fault("unanswered", "/stats has no answer");
}

static void finish(void)
{
    if (answer.status != 200) {
        try_again();
        return;
    }
    text_add(&answer.body, (struct span){"", 1});
    check(answer.body.at);
    end_close(end, false);
    go_on(NULL);
}

static void send_rest(void *owner)
{
    struct end *e = owner;
    ssize_t n = e == end ? end_send(e, request + sent, sizeof request - 1 - sent) : 0;
    if (e != end || (n < 0 && n != -EAGAIN))
        return; /* its end will be told */
    sent += n > 0 ? (size_t)n : 0;
    if (sent < sizeof request - 1)
        world_in(1000, send_rest, e);
}

static void on_open(void *owner)
{
    (void)owner;
    sent = 0;
    budget_look();
    send_rest(end);
}

static void on_data(void *owner, const char *data, size_t len)
{
    (void)owner;
    answer_feed(&answer, data, len);
    if (answer.is_whole)
        finish();
}

static void on_end(void *owner, bool reset)
{
    (void)owner;
    (void)reset;
    answer_end(&answer);
    if (answer.is_whole)
        finish();
    else
        try_again();
}

static void begin(void *owner)
{
    static const struct end_events events = {on_open, on_data, on_end};
    (void)owner;
    tunnels_then = tunnels_open();
    end = end_dial(port, &events, NULL);
}

void stats_ask(uint16_t at_port, void (*then)(void *))
{
    go_on = then;
    port = at_port;
    begin(NULL);
}
