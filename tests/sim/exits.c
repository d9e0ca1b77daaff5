#include "tests/sim/exits.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "tests/sim/names.h"
#include "tests/sim/origin.h"

#define CONNECTIONS_MOST 16384
#define SLOW_US 2500000
#define SECOND_US 1000000
#define CREDENTIALS 3
#define ORIGINS 8

enum kind { KIND_SOURCE, KIND_SOCKS5, KIND_CONNECT };

struct exit {
    const char *text; /* as in the configuration */
    enum kind kind;
    bool has_login;
    uint32_t address;
    uint16_t port;
    struct net_listener listener;
    struct hop *hops; /* all that there were */
};

/* One connection to a proxy. */
struct hop {
    struct hop *next;
    struct exit *exit;
    struct end *end;
    struct dice dice;
    struct text in;
    bool has_greeted, has_login, is_over;
    unsigned deed;
    struct origin_conn *conn; /* NULL: it leads nowhere (yet) */
};

static struct exit all[] = {
    {.text = "10.1.0.1", .address = 0x0a010001},
    {.text = "10.1.0.2", .address = 0x0a010002},
    {.text = "192.0.2.77", .address = 0xc000024d}, /* not ours */
    {.text = "socks5://10.2.0.1:1080", .kind = KIND_SOCKS5, .address = 0x0a020001, .port = 1080},
    {.text = "socks5://bot:" EXITS_SECRET "@exit.sim:1080",
     .kind = KIND_SOCKS5,
     .has_login = true,
     .address = 0x0a020002,
     .port = 1080},
    {.text = "http://10.2.0.3:3128", .kind = KIND_CONNECT, .address = 0x0a020003, .port = 3128},
    {.text = "http://bot:" EXITS_SECRET "@10.2.0.4:3128",
     .kind = KIND_CONNECT,
     .has_login = true,
     .address = 0x0a020004,
     .port = 3128},
};
static const uint32_t foreign = 0xc000024d;

static uint32_t trouble;
static unsigned most, drawn, opened;
static bool may_move;                         /* there was another configuration */
static struct exit *way_of[CONNECTIONS_MOST]; /* by connection, of those that a proxy leads on */
static struct {
    const char *upstream;
    const struct exit *at[CREDENTIALS];
} seen[ORIGINS];

/* ------------------------------------------------------------------------------ judging */

bool exits_is_ours(uint32_t address)
{
    return address != foreign;
}

static struct exit *way(const struct end *e)
{
    struct exit *w = way_of[end_number(e) % CONNECTIONS_MOST];
    for (size_t i = 0; i < COUNT_OF(all) && w == NULL; i++)
        if (all[i].kind == KIND_SOURCE && all[i].address == end_source(e))
            w = &all[i];
    return w;
}

void exits_accepted(struct end *e)
{
    if (most && way(e) == NULL)
        world_fault("exit", "connection %u comes past all exits", end_number(e));
}

void exits_carry(struct end *e, const char *upstream, unsigned order)
{
    const struct exit *w = way(e), **last;
    size_t i = 0;
    if (order == 0 || w == NULL || may_move)
        return;
    while (i < ORIGINS - 1 && seen[i].upstream && strcmp(seen[i].upstream, upstream) != 0)
        i++;
    seen[i].upstream = upstream;
    last = &seen[i].at[order % CREDENTIALS];
    if (*last && *last != w)
        world_fault("exit", "order %u leaves by %s, and others with its credential by %s", order,
                    w->text, (*last)->text);
    *last = w;
}

unsigned exits_count(void)
{
    return most;
}

bool exits_have_changed(void)
{
    return may_move;
}

unsigned exits_opened(void)
{
    unsigned n = opened;
    opened = 0;
    return n;
}

/* ----------------------------------------------------------------------- configuration */

void exits_draw(struct dice *d)
{
    bool is_new = drawn == 0 || dice_chance(d, 30);
    unsigned set = is_new ? 0 : drawn, count = 0;
    for (unsigned wanted = is_new ? dice_between(d, 1, 3) : 0; wanted; wanted--)
        set |= 1u << dice_draw(d, COUNT_OF(all));
    for (unsigned i = 0; i < COUNT_OF(all); i++)
        count += set >> i & 1;
    may_move |= drawn && set != drawn;
    drawn = set;
    most = count > most ? count : most;
}

void exits_write(FILE *out)
{
    const char *between = "    exits = {";
    for (unsigned i = 0; i < COUNT_OF(all); i++) {
        if (!(drawn >> i & 1))
            continue;
        fprintf(out, "%s\"%s\"", between, all[i].text);
        between = ", ";
    }
    if (drawn)
        fprintf(out, "}\n");
}

/* ------------------------------------------------------------------------------ a proxy */

enum deed {
    DEED_LEAD,
    DEED_REFUSE,
    DEED_WANT_LOGIN,
    DEED_GARBAGE,
    DEED_HALF, /* of its answer, and closes */
    DEED_STALL,
    DEED_CLOSE,
    DEED_RESET,
    DEED_SLOW,
    DEED_LEAD_AND_CUT, /* some time later */
    DEED_LEAD_AND_VANISH,
    DEEDS
};

static const char *const words[DEEDS] = {
    [DEED_LEAD] = "leads on",
    [DEED_REFUSE] = "refuses",
    [DEED_WANT_LOGIN] = "wants another login",
    [DEED_GARBAGE] = "answers garbage",
    [DEED_HALF] = "answers half, and closes",
    [DEED_STALL] = "stalls",
    [DEED_CLOSE] = "closes",
    [DEED_RESET] = "resets",
    [DEED_SLOW] = "is slow",
    [DEED_LEAD_AND_CUT] = "leads on, and cuts",
    [DEED_LEAD_AND_VANISH] = "leads on, and vanishes",
};

static void close_hop(struct hop *h, bool reset)
{
    if (h->is_over)
        return;
    h->is_over = true;
    if (h->conn)
        origin_lose(h->conn, reset);
    else
        end_close(h->end, reset);
}

/* Answers are smaller than what a kernel takes at once. */
static void say(struct hop *h, const void *bytes, size_t len)
{
    if (!h->is_over && end_send(h->end, bytes, len) != (ssize_t)len)
        close_hop(h, true);
}

static void say_connect(struct hop *h, const char *status)
{
    char line[60];
    snprintf(line, sizeof line, "HTTP/1.1 %s\r\n\r\n", status);
    say(h, line, h->deed == DEED_HALF ? strlen(line) / 2 : strlen(line));
}

static void say_socks5(struct hop *h, unsigned code)
{
    const unsigned char reply[] = {5, (unsigned char)code, 0, 1, 10, 1, 0, 1, 80, 0};
    say(h, reply, h->deed == DEED_HALF ? sizeof reply / 2 : sizeof reply);
}

static void refuse(struct hop *h)
{
    if (h->exit->kind == KIND_SOCKS5)
        say_socks5(h, dice_between(&h->dice, 1, 8));
    else
        say_connect(h, dice_chance(&h->dice, 50) ? "502 Bad Gateway" : "504 Gateway Timeout");
    close_hop(h, false);
}

static void cut(void *owner)
{
    struct hop *h = owner;
    if (h->is_over)
        return;
    world_say("exit %s: cuts connection %u", h->exit->text, end_number(h->end));
    close_hop(h, dice_chance(&h->dice, 50));
}

static void vanish(void *owner)
{
    struct hop *h = owner;
    if (!h->is_over)
        end_black_hole(h->end);
}

/* An origin takes the connection as if it had been dialled itself. */
static void lead(struct hop *h, const char *host, uint16_t port)
{
    struct net_listener *l = net_listener_at(names_address(host), port);
    if (l == NULL || l->refuses) {
        refuse(h);
        return;
    }
    if (l->is_deaf)
        return;
    if (h->exit->kind == KIND_SOCKS5)
        say_socks5(h, 0);
    else
        say_connect(h, "200 OK");
    if (h->is_over)
        return;
    h->conn = origin_take(l->owner, h->end);
    if (h->conn == NULL)
        close_hop(h, true);
    if (h->deed == DEED_LEAD_AND_CUT)
        world_in(dice_draw(&h->dice, SECOND_US), cut, h);
    if (h->deed == DEED_LEAD_AND_VANISH)
        world_in(dice_draw(&h->dice, SECOND_US), vanish, h);
}

struct later {
    struct hop *hop;
    uint16_t port;
    char host[64];
};

static void lead_later(void *owner)
{
    struct later *l = owner;
    if (!l->hop->is_over)
        lead(l->hop, l->host, l->port);
    free(l);
}

static void lead_slowly(struct hop *h, const char *host, uint16_t port)
{
    struct later *l = NEW(struct later);
    *l = (struct later){.hop = h, .port = port};
    snprintf(l->host, sizeof l->host, "%s", host);
    world_in(dice_draw(&h->dice, SLOW_US), lead_later, l);
}

/* It has been asked for a way to this host. */
static void act(struct hop *h, const char *host, uint16_t port)
{
    world_say("exit %s: %s %s:%u", h->exit->text, words[h->deed], host, port);
    switch ((enum deed)h->deed) {
    case DEED_REFUSE: refuse(h); return;
    case DEED_WANT_LOGIN:
        if (h->exit->kind == KIND_SOCKS5)
            say_socks5(h, 2);
        else
            say_connect(h, "407 Login");
        close_hop(h, false);
        return;
    case DEED_GARBAGE: say(h, "what?\r\n\r\n", 9); return;
    case DEED_HALF:
        if (h->exit->kind == KIND_SOCKS5)
            say_socks5(h, 0);
        else
            say_connect(h, "200 OK");
        close_hop(h, false);
        return;
    case DEED_STALL: return;
    case DEED_CLOSE: close_hop(h, false); return;
    case DEED_RESET: close_hop(h, true); return;
    case DEED_SLOW: lead_slowly(h, host, port); return;
    default: lead(h, host, port);
    }
}

/* ------------------------------------------------------------------------- its ear */

/* RFC 1928 3, RFC 1929 2. False: more is to come. */
static bool hear_greeting(struct hop *h)
{
    const unsigned char *at = (const unsigned char *)h->in.at;
    if (h->in.len < 2 || h->in.len < 2u + at[1])
        return false;
    text_drop(&h->in, 2u + at[1]);
    h->has_greeted = true;
    bool refuses = h->deed == DEED_WANT_LOGIN && dice_chance(&h->dice, 50);
    const unsigned char method[] = {5, refuses ? 0xff : h->exit->has_login ? 2 : 0};
    say(h, method, sizeof method);
    if (refuses)
        close_hop(h, false);
    return true;
}

static bool hear_login(struct hop *h)
{
    const unsigned char *at = (const unsigned char *)h->in.at;
    size_t user = h->in.len > 1 ? at[1] : 0;
    if (h->in.len < 3 + user || h->in.len < 3 + user + at[2 + user])
        return false;
    text_drop(&h->in, 3 + user + at[2 + user]);
    h->has_login = true;
    say(h, "\1\0", 2);
    return true;
}

static bool hear_request(struct hop *h)
{
    const unsigned char *at = (const unsigned char *)h->in.at;
    char host[64];
    size_t name = h->in.len > 4 ? at[4] : 0;
    if (h->in.len < 5 || h->in.len < 7 + name)
        return false;
    if (at[3] != 3) {
        world_fault("exit", "a name was not left to the proxy to resolve");
        return false;
    }
    snprintf(host, sizeof host, "%.*s", (int)name, h->in.at + 5);
    uint16_t port = (uint16_t)(at[5 + name] << 8 | at[6 + name]);
    text_drop(&h->in, 7 + name);
    act(h, host, port);
    return false;
}

static bool hear_connect(struct hop *h)
{
    char host[64];
    unsigned port;
    if (h->in.len == 0 || memmem(h->in.at, h->in.len, "\r\n\r\n", 4) == NULL)
        return false;
    text_add(&h->in, (struct span){"", 1});
    if (sscanf(h->in.at, "CONNECT %60[^: ]:%u HTTP/1.1\r\n", host, &port) != 2) {
        world_fault("exit", "a proxy is asked for something else than CONNECT: %.40s", h->in.at);
        return false;
    }
    text_clear(&h->in);
    act(h, host, (uint16_t)port);
    return false;
}

static bool hear(struct hop *h)
{
    if (h->exit->kind == KIND_CONNECT)
        return hear_connect(h);
    if (!h->has_greeted)
        return hear_greeting(h);
    if (h->exit->has_login && !h->has_login)
        return hear_login(h);
    return hear_request(h);
}

static void on_open(void *owner)
{
    (void)owner;
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct hop *h = owner;
    if (h->is_over)
        return;
    text_add(&h->in, (struct span){data, len});
    while (!h->is_over && h->in.len && hear(h))
        ;
}

static void on_end(void *owner, bool reset)
{
    (void)reset;
    close_hop(owner, false);
}

static bool on_accept(void *owner, struct end *e)
{
    static const struct end_events events = {on_open, on_data, on_end};
    struct exit *x = owner;
    struct hop *h = NEW(struct hop);
    h->exit = x;
    h->end = e;
    h->dice = dice_of("hop", end_number(e));
    h->next = x->hops;
    x->hops = h;
    opened++;
    way_of[end_number(e) % CONNECTIONS_MOST] = x;
    if (dice_chance(&h->dice, trouble) && world_takes("an exit misbehaves"))
        h->deed = dice_draw(&h->dice, DEEDS);
    end_bind(e, &events, h);
    return true;
}

/* ---------------------------------------------------------------------- what befalls it */

static void recover(void *owner)
{
    struct exit *x = owner;
    x->listener.refuses = x->listener.is_deaf = false;
}

void exits_fail(struct dice *d)
{
    struct exit *x = &all[dice_draw(d, COUNT_OF(all))];
    bool deaf = dice_chance(d, 40);
    if (x->kind == KIND_SOURCE)
        return;
    world_say("exit %s is %s", x->text, deaf ? "out of reach" : "down");
    x->listener.is_deaf = deaf;
    x->listener.refuses = !deaf;
    for (struct hop *h = x->hops; h && !deaf; h = h->next)
        close_hop(h, true);
    world_in(dice_draw(d, 3 * SECOND_US), recover, x);
}

void exits_begin(uint32_t percent)
{
    trouble = percent;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct exit *x = &all[i];
        if (x->kind == KIND_SOURCE)
            continue;
        x->listener = (struct net_listener){
            .address = x->address, .port = x->port, .on_accept = on_accept, .owner = x};
        net_listen(&x->listener);
    }
}
