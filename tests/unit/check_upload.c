/* How much of a request's body is gathered and kept, and when its owner is asked to wait. */
#include <string.h>

#include "proxy/upload.h"
#include "suite.h"

static char piece[70000];

/* An exchange that counts what it is given, and accepts more data or not. */
static struct {
    struct exchange exchange;
    size_t bytes;
    bool full;
} line;

static bool take(struct exchange *x, const char *data, size_t len)
{
    (void)x, (void)data;
    line.bytes += len;
    return !line.full;
}

static void begin(bool full)
{
    static const struct exchange_ops ops = {.body = take};
    memset(&line, 0, sizeof line);
    line.exchange.ops = &ops;
    line.full = full;
}

START_TEST(short_ones_are_kept)
{
    struct upload u;
    upload_init(&u, FRAMING_LENGTH, UPLOAD_KEPT_MAX);
    ck_assert(upload_gather(&u, piece, 10));
    ck_assert(!upload_is_gathered(&u));
    ck_assert(upload_gather(&u, piece, UPLOAD_KEPT_MAX - 10)); /* everything that was announced */
    u.complete = true;
    for (int tries = 0; tries < 3; tries++) {
        begin(false);
        ck_assert(!upload_begin(&u, &line.exchange));
        ck_assert_uint_eq(line.bytes, UPLOAD_KEPT_MAX);
        ck_assert(u.replayable);
    }
    upload_free(&u);
}
END_TEST

START_TEST(long_ones_go_on)
{
    struct upload u;
    upload_init(&u, _i ? FRAMING_CHUNKED : FRAMING_LENGTH, 1000000);
    ck_assert(upload_gather(&u, piece, UPLOAD_KEPT_MAX - 1));
    ck_assert(upload_gather(&u, piece, 1)); /* it may be all: a chunked body's end comes later */
    ck_assert(!upload_is_gathered(&u));
    ck_assert(!upload_gather(&u, piece, 1));
    ck_assert(upload_is_gathered(&u));
    begin(false);
    ck_assert(upload_begin(&u, &line.exchange)); /* it continues */
    ck_assert(!u.replayable);
    ck_assert_uint_eq(u.kept.len, 0);
    ck_assert_uint_eq(line.bytes, UPLOAD_KEPT_MAX + 1);
    line.full = true;
    ck_assert(!upload_pass(&u, &line.exchange, piece, 5));
    line.full = false;
    ck_assert(upload_pass(&u, &line.exchange, piece, 5));
    upload_free(&u);
}
END_TEST

/* A line that accepts no more data makes the owner wait, as the gathering did. */
START_TEST(a_full_line_holds_back)
{
    struct upload u;
    upload_init(&u, FRAMING_CHUNKED, 0);
    ck_assert(!upload_gather(&u, piece, sizeof piece));
    begin(true);
    ck_assert(!upload_begin(&u, &line.exchange));
    ck_assert(!u.replayable);
    ck_assert_uint_eq(line.bytes, sizeof piece);
    upload_free(&u);
}
END_TEST

START_TEST(none_at_all)
{
    struct upload u;
    upload_init(&u, FRAMING_NONE, 0);
    u.complete = true;
    begin(false);
    ck_assert(!upload_begin(&u, &line.exchange));
    ck_assert(u.replayable && line.bytes == 0);
    upload_free(&u);
}
END_TEST

SUITE()
{
    TEST(short_ones_are_kept);
    LOOP(long_ones_go_on, 0, 2);
    TEST(a_full_line_holds_back);
    TEST(none_at_all);
}
