/* A relay between two streams: bytes, back-pressure, half-close and resets, and how it ends in each
 * state. */
#include "config_fixture.h"
#include "suite.h"

#include "fake_stream.h"
#include "pool_fixture.h"
#include "proxy/freezes.h"
#include "proxy/tunnel.h"
#include "proxy/tunnel_record.h"

#define MEGABYTE ((size_t)1024 * 1024)

static struct lingering *linger;
static struct fake_stream client, origin;
static struct tunnel *tunnel;
static struct buf ahead;
static unsigned spoke, over;
static enum tunnel_kind kind;

static void on_origin(void *owner)
{
    ck_assert_ptr_eq(owner, &spoke);
    spoke++;
}

static void on_over(void *owner)
{
    ck_assert_ptr_eq(owner, &spoke);
    tunnel = NULL;
    over++;
}

static const struct tunnel_events events = {on_origin, on_over};

static void open_tunnel(const char *read_ahead)
{
    begin("");
    linger = linger_new(loop);
    fake_stream_init(&client);
    fake_stream_init(&origin);
    spoke = over = 0;
    tunnel =
        tunnel_new(loop, pool, pool_ways(pool)->at[0], kind, &origin.base, span_of(read_ahead));
}

static void join_with(const char *said)
{
    buf_append(&ahead, said, strlen(said));
    tunnel_join(tunnel, &client.base, &ahead, linger, &events, &spoke);
    ck_assert_uint_eq(ahead.size, 0);
}

static void joined(void)
{
    open_tunnel("");
    join_with("");
}

static void close_all(void)
{
    if (tunnel)
        tunnel_close(tunnel);
    tunnel = NULL;
    ck_assert_uint_eq(look().tunnels, 0);
    if (client.base.ops && !client.closed && client.base.owner == NULL)
        stream_close(&client.base); /* the client never joined the tunnel */
    linger_free(linger);
    loop_turn(loop, false);
    fake_stream_free(&client);
    fake_stream_free(&origin);
    finish();
}

static void wrote(const struct fake_stream *s, const char *text)
{
    ck_assert_str_eq(s->written.len ? s->written.at : "", text);
}

START_TEST(bytes_go_both_ways)
{
    joined();
    ck_assert(fake_stream_feed(&client, "ping", 4));
    ck_assert(fake_stream_feed(&origin, "pong!", 5));
    wrote(&origin, "ping");
    wrote(&client, "pong!");
    ck_assert_uint_eq(look().tunnels, 1);
    ck_assert_uint_eq(look().stats->tunnels_total, 1);
    ck_assert_uint_eq(look().stats->traffic.bytes_sent, 4);
    ck_assert_uint_eq(look().stats->traffic.bytes_received, 5);
    ck_assert_uint_eq(look().requests, 0);
    close_all();
}
END_TEST

/* Only the requests inside a CONNECT tunnel could have used pooled lines; an upgrade could not. */
START_TEST(what_goes_past_the_pool_is_counted)
{
    kind = _i ? TUNNEL_CONNECT : TUNNEL_UPGRADE;
    open_tunnel("");
    tunnel_wait(tunnel, &events, &spoke);
    ck_assert_uint_eq(look().stats->tunnels_bypassing, 0);
    join_with("");
    ck_assert_uint_eq(look().stats->tunnels_bypassing, _i);
    close_all();
}
END_TEST

START_TEST(what_was_read_ahead_comes_first)
{
    open_tunnel("101's tail");
    join_with("client's own");
    ck_assert(fake_stream_feed(&origin, "+more", 5));
    ck_assert(fake_stream_feed(&client, "+more", 5));
    wrote(&client, "101's tail+more");
    wrote(&origin, "client's own+more");
    ck_assert_uint_eq(look().stats->traffic.bytes_sent, 17);
    ck_assert_uint_eq(look().stats->traffic.bytes_received,
                      5); /* the tail was counted by its line */
    close_all();
}
END_TEST

START_TEST(an_origin_may_speak_first)
{
    open_tunnel("");
    tunnel_wait(tunnel, &events, &spoke);
    ck_assert_uint_eq(look().tunnels, 0); /* the tunnel may still turn out to be plain HTTP */
    ck_assert(fake_stream_feed(&origin, "220 hello", 9));
    ck_assert_uint_eq(spoke, 1);
    ck_assert(origin.paused);
    join_with("");
    wrote(&client, "220 hello");
    ck_assert(!origin.paused && !client.paused);
    close_all();
}
END_TEST

START_TEST(an_origin_may_end_before_the_client_spoke)
{
    open_tunnel("");
    tunnel_wait(tunnel, &events, &spoke);
    fake_stream_end(&origin, STREAM_EOF);
    ck_assert_uint_eq(spoke, 1);
    join_with("hello?");
    wrote(&origin, "hello?");
    ck_assert(client.shut);
    fake_stream_end(&client, STREAM_EOF);
    ck_assert_uint_eq(over, 1);
    close_all();
}
END_TEST

/* A reset is not passed on as a clean end, not even one that came before the client's stream did. */
START_TEST(an_origin_may_fail_before_the_client_spoke)
{
    open_tunnel("");
    tunnel_wait(tunnel, &events, &spoke);
    fake_stream_end(&origin, STREAM_RESET);
    ck_assert_uint_eq(spoke, 1);
    join_with("hello?");
    ck_assert_uint_eq(over, 0);
    loop_turn(loop, false);
    ck_assert_uint_eq(over, 1);
    ck_assert(client.reset && !client.shut);
    wrote(&client, "");
    close_all();
}
END_TEST

/* Its upstream was frozen while the client was silent. What the origin does until it is refused is
 * not looked at: between two turns of the loop it may end, too. */
START_TEST(a_frozen_one_reads_no_more)
{
    open_tunnel("");
    struct freezes *freezes = freezes_new(loop);
    tunnel_set_freezes(tunnel, freezes, SPAN(""));
    tunnel_wait(tunnel, &events, &spoke);
    ck_assert(freezes_begin(freezes, NULL, NULL, "me"));
    join_with("hello?");
    ck_assert(origin.paused && client.paused);
    ck_assert(!fake_stream_feed(&origin, "220 hello", 9));
    loop_turn(loop, false);
    ck_assert_uint_eq(over, 1);
    ck_assert(origin.reset && client.reset);
    wrote(&origin, "");
    wrote(&client, "");
    close_all();
    freezes_free(freezes);
}
END_TEST

/* While the reader of one side is slow, the other side is not read from; the opposite direction
 * continues. */
START_TEST(back_pressure)
{
    struct fake_stream *from = _i ? &origin : &client, *to = _i ? &client : &origin;
    char *much = calloc(1, MEGABYTE);
    joined();
    to->stuck = true;
    ck_assert(fake_stream_feed(from, much, STREAM_HIGH));
    ck_assert(!from->paused);
    ck_assert(fake_stream_feed(from, much, 1));
    ck_assert(from->paused && !to->paused);
    ck_assert(!fake_stream_feed(from, much, 1));
    ck_assert(fake_stream_feed(to, "back", 4));
    wrote(from, "back");
    fake_stream_take(to, STREAM_HIGH - STREAM_LOW);
    ck_assert(from->paused);
    fake_stream_take(to, MEGABYTE);
    ck_assert(!from->paused);
    free(much);
    close_all();
}
END_TEST

START_TEST(a_half_close_goes_on_as_one)
{
    struct fake_stream *first = _i ? &origin : &client, *second = _i ? &client : &origin;
    joined();
    fake_stream_end(first, _i ? STREAM_CUT : STREAM_EOF);
    ck_assert(second->shut && !first->shut && over == 0);
    ck_assert(fake_stream_feed(second, "the rest", 8));
    wrote(first, "the rest");
    fake_stream_end(second, STREAM_EOF);
    ck_assert_uint_eq(over, 1);
    ck_assert(first->closed && second->closed && !first->reset && !second->reset);
    close_all();
}
END_TEST

/* Bytes that a reader has not taken yet are left to the linger list. */
START_TEST(the_last_bytes_arrive)
{
    joined();
    client.stuck = true;
    ck_assert(fake_stream_feed(&origin, "the end", 7));
    fake_stream_end(&client, STREAM_EOF);
    fake_stream_end(&origin, STREAM_EOF);
    ck_assert_uint_eq(over, 1);
    ck_assert(origin.closed && !client.closed && client.shut);
    ck_assert_uint_eq(linger_count(linger), 1);
    close_all();
}
END_TEST

START_TEST(a_reset_breaks_both)
{
    joined();
    fake_stream_end(_i ? &origin : &client, STREAM_RESET);
    ck_assert_uint_eq(over, 1);
    ck_assert(client.reset && origin.reset);
    close_all();
}
END_TEST

/* Open tunnels have no timer at all; half-open tunnels end when no bytes move. */
START_TEST(only_half_open_ones_are_timed)
{
    joined();
    loop_skip(loop, 24 * 3600 * 1000);
    ck_assert(tunnel && !client.closed);
    fake_stream_end(&origin, STREAM_EOF);
    for (int i = 0; i < 5; i++) {
        loop_skip(loop, 59000);
        ck_assert(fake_stream_feed(&client, "still here", 10));
    }
    ck_assert_uint_eq(over, 0);
    loop_skip(loop, 61000);
    loop_skip(loop, 61000);
    ck_assert_uint_eq(over, 1);
    close_all();
}
END_TEST

static unsigned told;
static struct record end_record;

static void on_record(void *context, const struct record *r)
{
    ck_assert_ptr_eq(context, &told);
    ck_assert_str_eq(r->client, "127.0.0.1:9");
    ck_assert_str_eq(r->upstream, "a");
    ck_assert(span_is(r->target, SPAN("a.test:443")) && span_is(r->method, SPAN("CONNECT")));
    ck_assert_int_eq(r->tunnel, RECORD_TUNNEL_ENDED);
    end_record = *r;
    told++;
}

/* The strings of the record have been overwritten by the time the tunnel ends. */
static void tell_at_the_end(uint64_t least_us)
{
    char client_name[] = "127.0.0.1:9", upstream[] = "a", target[] = "a.test:443";
    struct record r = {.client = client_name,
                       .upstream = upstream,
                       .method = SPAN("CONNECT"),
                       .target = span_of(target),
                       .status = 200};
    told = 0;
    tunnel_set_record(
        tunnel, tunnel_record_new(&r, loop_clock_us(loop) - 5000, on_record, least_us, &told));
    memset(client_name, 'x', sizeof client_name - 1);
    memset(upstream, 'x', sizeof upstream - 1);
    memset(target, 'x', sizeof target - 1);
}

START_TEST(its_bytes_are_told_at_its_end)
{
    open_tunnel("ahead");
    tell_at_the_end(_i ? 3600ull * 1000 * 1000 : 0);
    join_with("request");
    ck_assert(fake_stream_feed(&origin, "answer", 6));
    ck_assert(fake_stream_feed(&client, "more of it", 10));
    ck_assert_uint_eq(told, 0);
    fake_stream_end(&origin, STREAM_EOF);
    fake_stream_end(&client, STREAM_EOF);
    ck_assert_uint_eq(over, 1);
    ck_assert_uint_eq(told, !_i); /* the tunnel did not last long enough to be logged */
    if (told) {
        ck_assert_uint_eq(end_record.bytes, 11); /* "ahead" and "answer" */
        ck_assert_uint_ge(end_record.total_us, 5000);
        ck_assert_uint_eq(end_record.status, 200);
    }
    close_all();
}
END_TEST

/* One that lasted just as long is logged. */
START_TEST(it_lasted_just_long_enough)
{
    struct record r = {.client = "127.0.0.1:9",
                       .upstream = "a",
                       .method = SPAN("CONNECT"),
                       .target = SPAN("a.test:443"),
                       .status = 200};
    told = 0;
    for (uint64_t least_us = 4999; least_us <= 5001; least_us++) {
        struct tunnel_record *record = tunnel_record_new(&r, 1000, on_record, least_us, &told);
        tunnel_record_tell(record, 7, 6000);
    }
    ck_assert_uint_eq(told, 2);
    ck_assert_uint_eq(end_record.total_us, 5000);
}
END_TEST

START_TEST(it_ends_in_every_state)
{
    open_tunnel("ahead");
    tell_at_the_end(0);
    if (_i > 0)
        tunnel_wait(tunnel, &events, &spoke);
    if (_i == 2)
        ck_assert(fake_stream_feed(&origin, "x", 1));
    if (_i == 3)
        fake_stream_end(&origin, STREAM_RESET);
    if (_i > 3)
        join_with("y");
    if (_i == 5)
        fake_stream_end(&client, STREAM_EOF);
    tunnel_close(tunnel);
    tunnel = NULL;
    ck_assert(origin.closed);
    ck_assert_uint_eq(over, 0);
    ck_assert_uint_eq(told, 1);
    close_all();
}
END_TEST

/* A pool that has been removed from the configuration lives as long as its tunnels. */
START_TEST(it_holds_its_pool)
{
    joined();
    pool_retire(pool);
    loop_turn(loop, false);
    ck_assert(!emptied);
    tunnel_close(tunnel);
    tunnel = NULL;
    loop_turn(loop, false);
    ck_assert(emptied);
    close_all();
}
END_TEST

SUITE()
{
    TEST(bytes_go_both_ways);
    LOOP(what_goes_past_the_pool_is_counted, 0, 2);
    TEST(what_was_read_ahead_comes_first);
    TEST(an_origin_may_speak_first);
    TEST(an_origin_may_end_before_the_client_spoke);
    TEST(an_origin_may_fail_before_the_client_spoke);
    TEST(a_frozen_one_reads_no_more);
    LOOP(back_pressure, 0, 2);
    LOOP(a_half_close_goes_on_as_one, 0, 2);
    TEST(the_last_bytes_arrive);
    LOOP(a_reset_breaks_both, 0, 2);
    TEST(only_half_open_ones_are_timed);
    TEST(it_lasted_just_long_enough);
    LOOP(its_bytes_are_told_at_its_end, 0, 2);
    LOOP(it_ends_in_every_state, 0, 6);
    TEST(it_holds_its_pool);
}
