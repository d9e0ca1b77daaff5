#include "tests/sim/origin_conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/exits.h"
#include "tests/sim/toy_tls.h"

#define FLUSH_US 150
#define PIECE 4000

/* ------------------------------------------------------------------------------ writing */

static void flush(void *owner)
{
    struct origin_conn *c = owner;
    c->flushes = false;
    while (!c->over && c->out.len) {
        ssize_t n = end_send(c->end, c->out.at, c->out.len);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            c->over = true;
            end_close(c->end, false);
            return;
        }
        text_drop(&c->out, (size_t)n);
    }
    if (c->over)
        return;
    if (c->out.len) {
        c->flushes = true;
        world_in(FLUSH_US, flush, c);
    } else if (c->finishes) {
        c->over = true;
        end_close(c->end, false);
    }
}

static void add(struct origin_conn *c, const void *data, size_t len)
{
    text_add(&c->out, (struct span){data, len});
    if (!c->flushes)
        flush(c);
}

void origin_write(struct origin_conn *c, const void *data, size_t len)
{
    const char *at = data;
    unsigned char record[TOY_RECORD_HEAD + PIECE];
    if (c->over || c->finishes)
        return;
    if (!c->origin->is_tls) {
        add(c, data, len);
        return;
    }
    for (size_t n; len; at += n, len -= n) {
        n = len < PIECE ? len : PIECE;
        add(c, record, toy_tls_record(TOY_DATA, at, n, record));
    }
}

uint64_t origin_written(const struct origin_conn *c)
{
    return end_sent(c->end) + c->out.len;
}

/* -------------------------------------------------------------------------------- ending */

void origin_finish(struct origin_conn *c)
{
    unsigned char record[TOY_RECORD_HEAD];
    if (c->over || c->finishes)
        return;
    world_say("%s: closes connection %u", c->origin->name, c->number);
    if (c->origin->is_tls && c->greeted && dice_chance(&c->dice, 70))
        add(c, record, toy_tls_record(TOY_ALERT, "", 0, record));
    c->finishes = true;
    if (!c->flushes)
        flush(c);
}

void origin_break(struct origin_conn *c)
{
    if (c->over)
        return;
    world_say("%s: resets connection %u", c->origin->name, c->number);
    c->over = true;
    end_close(c->end, true);
}

void origin_vanish(struct origin_conn *c)
{
    if (c->over)
        return;
    world_say("%s: connection %u is a black hole", c->origin->name, c->number);
    end_black_hole(c->end);
}

void origin_go_deaf(struct origin_conn *c)
{
    world_say("%s: reads no more on connection %u", c->origin->name, c->number);
    end_pause(c->end, true);
}

static void look_idle(void *owner)
{
    struct origin_conn *c = owner;
    if (c->over || c->finishes)
        return;
    uint64_t idle = world_us() - c->active_us;
    if (idle >= c->origin->idle_us)
        origin_finish(c);
    else
        world_in(c->origin->idle_us - idle, look_idle, c);
}

void origin_touch(struct origin_conn *c)
{
    c->active_us = world_us();
}

void origin_later(struct origin_conn *c, void (*run)(void *owner), void *owner)
{
    uint32_t most = c->origin->slow_us;
    if (dice_chance(&c->dice, 5))
        most *= 20;
    world_in(dice_draw(&c->dice, most + 1), run, owner);
}

void origin_body(unsigned number, size_t size, struct text *to)
{
    char unit[32];
    size_t from = to->len;
    snprintf(unit, sizeof unit, "try=%u;", number);
    while (to->len - from < size)
        text_add_str(to, unit);
    text_cut(to, from + size);
}

/* ------------------------------------------------------------------------------- reading */

static void greet(struct origin_conn *c, struct span offer)
{
    unsigned char record[64];
    bool h2 = c->origin->is_h2 && memmem(offer.at, offer.len, "h2 ", 3);
    const char *chosen = h2 ? "h2" : "http/1.1";
    c->greeted = true;
    if (dice_chance(&c->dice, c->origin->trouble / 4)) {
        if (dice_chance(&c->dice, 50))
            origin_break(c);
        else
            origin_finish(c);
        return;
    }
    add(c, record, toy_tls_record(TOY_HELLO, chosen, strlen(chosen), record));
    c->protocol = h2 ? &origin_h2 : &origin_h1;
    c->protocol->begin(c);
}

static void use_record(struct origin_conn *c, unsigned char type, struct span body)
{
    if (type == TOY_HELLO && !c->greeted)
        greet(c, body);
    else if (type == TOY_DATA && c->protocol)
        c->protocol->bytes(c, body.at, body.len);
}

static void use_records(struct origin_conn *c)
{
    while (!c->over && c->in.len >= TOY_RECORD_HEAD) {
        const unsigned char *at = (const unsigned char *)c->in.at;
        size_t len = (size_t)at[3] << 8 | at[4];
        if (c->in.len < TOY_RECORD_HEAD + len)
            return;
        use_record(c, at[0], (struct span){c->in.at + TOY_RECORD_HEAD, len});
        text_drop(&c->in, TOY_RECORD_HEAD + len);
    }
}

static void on_open(void *owner)
{
    (void)owner;
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct origin_conn *c = owner;
    if (c->over)
        return;
    origin_touch(c);
    if (!c->origin->is_tls) {
        c->protocol->bytes(c, data, len);
        return;
    }
    text_add(&c->in, (struct span){data, len});
    use_records(c);
}

static void on_end(void *owner, bool reset)
{
    struct origin_conn *c = owner;
    if (c->over)
        return;
    if (c->protocol)
        c->protocol->end(c);
    if (reset) {
        c->over = true;
        end_close(c->end, false);
        return;
    }
    origin_finish(c);
}

struct origin_conn *origin_take(struct origin *o, struct end *end)
{
    static const struct end_events events = {on_open, on_data, on_end};
    struct origin_conn *c = NEW(struct origin_conn);
    c->origin = o;
    c->end = end;
    c->next = o->conns;
    o->conns = c;
    c->number = end_number(end);
    c->dice = dice_of(o->name, ++o->opened);
    c->active_us = world_us();
    exits_accepted(end);
    if (dice_chance(&c->dice, o->trouble / 8)) {
        c->over = true;
        return NULL;
    }
    if (!o->is_tls) {
        c->protocol = &origin_h1;
        c->protocol->begin(c);
    }
    end_bind(end, &events, c);
    if (o->idle_us)
        world_in(o->idle_us, look_idle, c);
    return c;
}

static bool on_accept(void *owner, struct end *end)
{
    return origin_take(owner, end) != NULL;
}

void origin_lose(struct origin_conn *c, bool reset)
{
    if (reset)
        origin_break(c);
    else
        origin_finish(c);
}

uint32_t origin_draw_deed(const struct origin *o, struct dice *dice, const struct deeds *d)
{
    if (o->is_fickle)
        return d->lost[dice_draw(dice, d->lost_count)];
    if (o->habit_count == 0)
        return dice_draw(dice, d->count);
    return o->habits[dice_draw(dice, (uint32_t)o->habit_count)] % d->count;
}

void origin_crash(struct origin *o)
{
    for (struct origin_conn *c = o->conns; c; c = c->next)
        origin_break(c);
}

void origin_begin(struct origin *o)
{
    o->listener = (struct net_listener){
        .address = o->address, .port = o->port, .on_accept = on_accept, .owner = o};
    net_listen(&o->listener);
}
