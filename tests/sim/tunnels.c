#include "tests/sim/tunnels.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/answer.h"
#include "tests/sim/freeze.h"
#include "tests/sim/life.h"
#include "tests/sim/upgrades.h"

#define SECOND_US 1000000
#define SIDES_MOST 256
#define HEADER 5 /* 0x16, as a ClientHello begins, and the number of the side */
#define CHUNK 4000
#define LIFE_US (5 * UINT64_C(1000000))    /* of a tunnel at most */
#define ANSWER_US (12 * UINT64_C(1000000)) /* until CONNECT is answered */
#define FAR 0x5db8d822
#define INSIDE 0x0a000032

/* How a side ends. */
enum deed { DEED_FIN, DEED_FIN_LAST, DEED_RESET, DEED_STALL, DEED_VANISH, DEEDS };

/* One of the two sides of a tunnel. */
struct side {
    unsigned number, life;
    struct dice dice;
    struct end *end;   /* NULL: none (any more) */
    struct side *peer; /* NULL: its header has not arrived */
    enum deed deed;
    uint64_t size, sent, got; /* bytes to send; sent; received */
    unsigned char header[HEADER];
    bool is_upgraded; /* its bytes are its upstream's, among others */
    bool is_far, is_speaking, has_finned, has_heard_end;
    struct tunnel_client *client;
};

struct tunnel_client {
    unsigned number, left; /* tunnels to open */
    struct dice dice;
    struct side *side;
    struct text out;
    size_t request_len;
    struct answer answer;
    bool is_open, is_denied, is_done, upgrades; /* it upgrades, and opens no tunnel by CONNECT */
    uint64_t asked_us;
    struct tunnel_client *next;
};

static struct side sides[SIDES_MOST];
static unsigned side_count, asked, opened, unnoticed;
static struct tunnel_client *clients;
static uint16_t port;
static bool is_letting_go, may_upgrade;

static void next_tunnel(void *owner);

/* ---------------------------------------------------------------------- the bytes */

static unsigned char byte_of(const struct side *s, uint64_t at)
{
    if (at == 0)
        return 0x16;
    if (at < HEADER)
        return (unsigned char)(s->number >> 8 * (at - 1));
    return (unsigned char)(at * 7 + (at >> 8) * 31 + s->number * 13);
}

static void learn_peer(struct side *s)
{
    unsigned number = 0;
    for (unsigned i = 1; i < HEADER; i++)
        number |= (unsigned)s->header[i] << 8 * (i - 1);
    if (s->header[0] != 0x16 || number >= side_count || sides[number].is_far == s->is_far) {
        world_fault("tunnel", "side %u got a beginning that was never sent", s->number);
        return;
    }
    s->peer = &sides[number];
    s->peer->peer = s;
}

static void take(struct side *s, const char *data, size_t len)
{
    opened += !s->is_far && s->got == 0 && len;
    for (size_t i = 0; i < len && !world_failed(); i++, s->got++) {
        if (s->got < HEADER)
            s->header[s->got] = (unsigned char)data[i];
        if (s->got + 1 == HEADER)
            learn_peer(s);
        if (s->got >= HEADER && (unsigned char)data[i] != byte_of(s->peer, s->got))
            world_fault("tunnel", "side %u: byte %llu is not what side %u sent", s->number,
                        (unsigned long long)s->got, s->peer->number);
    }
    if (s->peer && s->got > s->peer->sent)
        world_fault("tunnel", "side %u got %llu bytes, side %u sent %llu", s->number,
                    (unsigned long long)s->got, s->peer->number, (unsigned long long)s->peer->sent);
}

/* ------------------------------------------------------------------------ its end */

static bool is_judged(const struct side *s)
{
    return !is_letting_go && s->life == life_number() && life_is_on();
}

static void close_side(struct side *s, bool reset)
{
    if (s->end == NULL)
        return;
    world_say("tunnel: side %u %s after %llu bytes", s->number, reset ? "resets" : "closes",
              (unsigned long long)s->sent);
    /* Nobody reads any more where FIN came before RST, nor learns of what is lost. */
    unnoticed += s->deed == DEED_VANISH || (reset && s->has_finned);
    s->has_finned |= !reset;
    end_close(s->end, reset);
    s->end = NULL;
    if (s->client)
        world_in(dice_draw(&s->dice, SECOND_US / 10), next_tunnel, s->client);
}

/* A side that has ended by itself may look complete only if it is. */
static void judge_clean(const struct side *s)
{
    /* Its client has left before it began, or has been silent for too long. */
    bool is_unused =
        s->got == 0 && (s->is_far || end_peer_has_read(s->end) <= s->client->request_len);
    if (!is_judged(s) || is_unused)
        return;
    if (s->peer == NULL || !s->peer->has_finned || s->got != s->peer->sent)
        world_fault("tunnel", "side %u: a clean end after %llu bytes, of %llu that were sent",
                    s->number, (unsigned long long)s->got,
                    s->peer ? (unsigned long long)s->peer->sent : 0);
}

static void hear_end(struct side *s, bool reset)
{
    s->has_heard_end = true;
    world_say("tunnel: side %u hears %s after %llu bytes", s->number, reset ? "RST" : "FIN",
              (unsigned long long)s->got);
    if (!reset)
        judge_clean(s);
    if (reset || s->has_finned)
        close_side(s, false);
}

/* ------------------------------------------------------------------------ its voice */

static void finish(struct side *s)
{
    switch (s->deed) {
    case DEED_FIN_LAST:
        if (!s->has_heard_end)
            return;
        break;
    case DEED_RESET: close_side(s, true); return;
    case DEED_STALL: return;
    case DEED_VANISH:
        if (s->is_far)
            end_black_hole(s->end);
        return;
    default: break;
    }
    s->has_finned = true;
    world_say("tunnel: side %u sends FIN after %llu bytes", s->number, (unsigned long long)s->sent);
    if (s->has_heard_end)
        close_side(s, false);
    else
        (void)end_shutdown(s->end);
}

static void speak(void *owner)
{
    struct side *s = owner;
    unsigned char bytes[CHUNK];
    size_t n = s->size - s->sent < CHUNK ? s->size - s->sent : CHUNK;
    if (s->end == NULL || s->has_finned)
        return;
    n = n && dice_chance(&s->dice, 40) ? 1 + dice_draw(&s->dice, (uint32_t)n) : n;
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_of(s, s->sent + i);
    ssize_t taken = n ? end_send(s->end, bytes, n) : 0;
    if (taken < 0 && taken != -EAGAIN)
        return; /* its end will be told */
    s->sent += taken > 0 ? (uint64_t)taken : 0;
    if (s->sent == s->size && (s->deed != DEED_FIN_LAST || s->has_heard_end)) {
        finish(s);
        return;
    }
    world_in(200 + dice_draw(&s->dice, dice_chance(&s->dice, 10) ? 100000 : 2000), speak, s);
}

static void begin_to_speak(struct side *s)
{
    if (s->is_speaking)
        return;
    s->is_speaking = true;
    world_in(dice_chance(&s->dice, 30) ? dice_draw(&s->dice, SECOND_US / 2) : 0, speak, s);
}

static void give_up(void *owner)
{
    struct side *s = owner;
    close_side(s, true);
}

static struct side *side_new(bool is_far)
{
    static const uint32_t sizes[] = {HEADER, 200, 5000, 150000};
    CHECK(side_count < SIDES_MOST);
    struct side *s = &sides[side_count];
    s->number = side_count++;
    s->life = life_number();
    s->is_far = is_far;
    s->dice = dice_of("tunnel", s->number);
    s->size = HEADER + dice_draw(&s->dice, sizes[dice_draw(&s->dice, COUNT_OF(sizes))]);
    s->deed = dice_chance(&s->dice, 60) ? (enum deed)dice_draw(&s->dice, DEED_FIN_LAST + 1)
                                        : (enum deed)dice_draw(&s->dice, DEEDS);
    if (dice_chance(&s->dice, 20)) /* in the middle */
        world_in(dice_draw(&s->dice, SECOND_US / 5), give_up, s);
    return s;
}

/* ------------------------------------------------------------------------- the far side */

static void on_far_open(void *owner)
{
    (void)owner;
}

static void on_far_data(void *owner, const char *data, size_t len)
{
    take(owner, data, len);
}

static void on_far_end(void *owner, bool reset)
{
    hear_end(owner, reset);
}

static bool on_far_accept(void *owner, struct end *e)
{
    static const struct end_events events = {on_far_open, on_far_data, on_far_end};
    (void)owner;
    struct side *s = side_new(true);
    s->end = e;
    if (dice_chance(&s->dice, 8)) {
        s->end = NULL;
        return false;
    }
    end_bind(e, &events, s);
    begin_to_speak(s);
    return true;
}

void tunnels_switch(struct end *e)
{
    struct side *s = &sides[side_count];
    if (!on_far_accept(NULL, e))
        end_close(e, true);
    s->is_upgraded = true;
}

static bool on_inside(void *owner, struct end *e)
{
    (void)owner;
    world_fault("tunnel", "connection %u leads to a private address", end_number(e));
    return false;
}

/* ------------------------------------------------------------------------- the client */

static void end_tunnel(struct tunnel_client *c)
{
    close_side(c->side, false);
}

static void flush(void *owner)
{
    struct tunnel_client *c = owner;
    if (c->side->end == NULL || c->out.len == 0)
        return;
    ssize_t n = end_send(c->side->end, c->out.at, c->out.len);
    if (n < 0 && n != -EAGAIN)
        return;
    text_drop(&c->out, n > 0 ? (size_t)n : 0);
    if (c->out.len)
        world_in(300, flush, c);
}

static void on_open(void *owner)
{
    struct tunnel_client *c = owner;
    static const char *const hosts[] = {"far.sim:443", "far.sim:9443", "inside.sim:443",
                                        "far.sim:22"};
    c->is_open = true;
    c->side->life = life_number(); /* it may have dialled before this one began */
    c->asked_us = world_us();
    text_clear(&c->out);
    if (c->upgrades) {
        upgrade_write(c->side->number, &c->out);
        c->request_len = c->out.len;
        c->is_denied = false;
        flush(c);
        return;
    }
    uint32_t host = dice_draw(&c->dice, dice_chance(&c->dice, 85) ? 2 : COUNT_OF(hosts));
    c->is_denied = host >= 2;
    text_printf(&c->out, "CONNECT %s HTTP/1.%d\r\nHost: %s\r\n\r\n", hosts[host],
                dice_chance(&c->dice, 70), hosts[host]);
    c->request_len = c->out.len;
    world_say("tunnel: side %u asks for %s", c->side->number, hosts[host]);
    flush(c);
}

/* An error, or 200: then the bytes begin. */
static void on_answer(struct tunnel_client *c)
{
    int status = c->answer.status;
    world_say("tunnel: side %u is answered %d", c->side->number, status);
    if (c->is_denied && status != 403 && status != 503 && status != 504 && status != 502)
        world_fault("tunnel", "a target that is not allowed is answered %d", status);
    if (status != (c->upgrades ? 101 : 200)) {
        end_tunnel(c);
        return;
    }
    freeze_judge(c->asked_us);
    begin_to_speak(c->side);
    world_in(LIFE_US, give_up, c->side);
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct tunnel_client *c = owner;
    size_t used = 0;
    if (!c->answer.is_whole) {
        used = answer_feed(&c->answer, data, len);
        if (c->answer.is_wrong)
            world_fault("answer", "CONNECT is answered, and not by HTTP");
        if (!c->answer.is_whole)
            return;
        on_answer(c);
    }
    if (c->side->end && used < len)
        take(c->side, data + used, len - used);
}

static void on_end(void *owner, bool reset)
{
    struct tunnel_client *c = owner;
    struct side *s = c->side;
    /* A 200 may be lost: the far side resets, and so does the daemon. */
    bool was_read =
        c->is_open && end_peer_has_read(s->end) >= c->request_len && end_peer_sent(s->end) == 0;
    if (c->is_open && c->answer.is_whole) {
        hear_end(s, reset);
        return;
    }
    if (was_read && is_judged(s))
        world_fault("unanswered", "a CONNECT that was read is not answered");
    end_tunnel(c);
}

static void look_late(void *owner)
{
    struct side *s = owner;
    if (s->end && s->client->side == s && !s->client->answer.is_whole && is_judged(s) &&
        end_peer_has_read(s->end) >= s->client->request_len)
        world_fault("late", "a CONNECT is not answered");
}

static void next_tunnel(void *owner)
{
    static const struct end_events events = {on_open, on_data, on_end};
    struct tunnel_client *c = owner;
    if (c->left == 0 || is_letting_go || !world_takes("a client asks for a tunnel")) {
        c->is_done = true;
        return;
    }
    c->left--;
    asked++;
    c->side = side_new(false);
    c->side->client = c;
    answer_clear(&c->answer);
    c->upgrades = may_upgrade && dice_chance(&c->dice, 50);
    c->side->is_upgraded = c->upgrades;
    c->answer.is_head = !c->upgrades; /* no body belongs to a 200 */
    c->is_open = false;
    c->side->end = end_dial(port, &events, c);
    world_in(ANSWER_US, look_late, c->side);
}

/* -------------------------------------------------------------------------------- all */

static void listen_at(uint32_t address, uint16_t at, bool (*on_accept)(void *, struct end *))
{
    struct net_listener *l = NEW(struct net_listener);
    *l = (struct net_listener){.address = address, .port = at, .on_accept = on_accept};
    net_listen(l);
}

void tunnels_begin(uint16_t daemon_port, struct dice *d, bool upgrades)
{
    struct dice more = dice_of("upgrades", 0);
    may_upgrade = dice_chance(&more, 50) && upgrades;
    if (dice_chance(&more, 25))
        freeze_plan(daemon_port, &more);
    unsigned count = dice_between(d, 1, 4);
    port = daemon_port;
    listen_at(FAR, 443, on_far_accept);
    listen_at(FAR, 9443, on_far_accept);
    listen_at(INSIDE, 443, on_inside);
    for (unsigned i = 1; i <= count; i++) {
        struct tunnel_client *c = NEW(struct tunnel_client);
        c->number = i;
        c->left = dice_between(d, 1, 4);
        c->dice = dice_of("tunnel client", i);
        c->next = clients;
        clients = c;
        world_in(dice_between(d, 5000, SECOND_US), next_tunnel, c);
    }
}

bool tunnels_are_done(void)
{
    for (struct tunnel_client *c = clients; c; c = c->next)
        if (!c->is_done)
            return false;
    return true;
}

void tunnels_let_go(void)
{
    is_letting_go = true;
}

/* Each side that can hear at all has heard of the end. */
void tunnels_judge(void)
{
    for (unsigned i = 0; i < side_count; i++)
        if (sides[i].end && end_is_open(sides[i].end) && !sides[i].has_heard_end &&
            sides[i].deed != DEED_VANISH)
            world_fault("tunnel", "side %u has not heard of the end", i);
}

static json_int_t sum_of(const json_t *all, const char *key)
{
    json_int_t n = 0;
    const json_t *u;
    size_t i;
    json_array_foreach (json_object_get(all, "upstreams"), i, u)
        if (strchr(json_string_value(json_object_get(u, "name")), '.')) /* of no upstream's */
            n += json_integer_value(json_object_get(json_object_get(u, "bytes"), key));
    return n;
}

/* What has arrived was counted, and no more than what the daemon has read. */
static void check_way(const json_t *all, const char *key, bool from_far)
{
    uint64_t least = 0, most = 0;
    json_int_t counted = sum_of(all, key);
    for (unsigned i = 0; i < side_count; i++) {
        const struct side *s = &sides[i];
        if (s->life != life_number() || s->is_upgraded)
            continue;
        least += s->is_far == from_far ? 0 : s->got;
        most += s->is_far == from_far ? s->sent : 0;
    }
    if (counted < 0 || (uint64_t)counted < least || (uint64_t)counted > most)
        world_fault("sums", "bytes.%s of tunnels: %lld counted, %llu have arrived, of %llu", key,
                    (long long)counted, (unsigned long long)least, (unsigned long long)most);
}

void tunnels_check_bytes(const json_t *all)
{
    check_way(all, "sent", false);
    check_way(all, "received", true);
}

unsigned tunnels_asked(void)
{
    return asked;
}

unsigned tunnels_opened(void)
{
    return opened;
}

unsigned tunnels_open(void)
{
    unsigned n = unnoticed;
    for (unsigned i = 0; i < side_count; i++)
        n += sides[i].end != NULL;
    return n;
}
