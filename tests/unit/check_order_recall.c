/* What of a journal is remembered at the start, so that copies of its orders are not sent. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config_fixture.h"
#include "kept_log.h"
#include "proxy/order_line.h"
#include "proxy/order_recall.h"
#include "suite.h"

#define DIRECTIVES                                                                                 \
    "upstream x { url = \"https://x.test\" dedupe = 10s }\n"                                       \
    "upstream p { url = \"https://p.test\" path \"/long\" { dedupe = 1m } }\n"                     \
    "upstream off { url = \"https://off.test\" }\n"

static char path[40], rotated[60];
static struct loop *loop;
static struct config *config;
static struct dedupe *dedupe;
static struct text lines;
static struct order_clock order_clock;
static unsigned heard;
static struct dedupe_fate told;
static char told_id[REQUEST_ID_SIZE];

static const char *before(int64_t ms)
{
    struct timespec t = loop_wall(loop);
    int64_t us = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 - ms * 1000;
    t = (struct timespec){us / 1000000, us % 1000000 * 1000};
    return order_clock_text(&order_clock, &t);
}

static struct request_id id_of(unsigned n)
{
    struct request_id id;
    snprintf(id.text, sizeof id.text, "06f3k9d2q4ab-%u", n);
    return id;
}

static struct order_digest digest_of(unsigned n)
{
    return (struct order_digest){{(unsigned char)n, 7}};
}

static void begins(unsigned n, const char *upstream, int64_t before_ms)
{
    struct request_id id = id_of(n);
    struct order_digest d = digest_of(n);
    char digest[ORDER_DIGEST_TEXT_SIZE];
    order_digest_write(&d, digest);
    order_line_begin(&lines, before(before_ms),
                     &(struct order_begin){.id = &id,
                                           .upstream = upstream,
                                           .client = "127.0.0.1:5",
                                           .method = SPAN("POST"),
                                           .target = SPAN("/order"),
                                           .digest = n == 9 ? NULL : digest});
}

static void ends(unsigned n, int64_t before_ms, enum sent sent, unsigned status, enum failure error)
{
    struct request_id id = id_of(n);
    order_line_end(&lines, before(before_ms),
                   &(struct order_end){.id = &id,
                                       .sent = sent,
                                       .status = status,
                                       .error = error,
                                       .unknown = error != FAILURE_NONE && sent != SENT_NO});
}

static void write_to(const char *name)
{
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(lines.at, 1, lines.len, f), lines.len);
    ck_assert_int_eq(fclose(f), 0);
    text_free(&lines);
}

static void on_fate(void *owner, const struct dedupe_fate *f)
{
    (void)owner;
    heard++;
    told = *f;
    strcpy(told_id, f->id->text);
}

/* Is order n remembered for this upstream? Then `told` is its fate. */
static bool is_known(unsigned n, const char *upstream, uint64_t within)
{
    static const struct dedupe_events events = {.on_fate = on_fate};
    struct request_id id = {"new"};
    struct order_digest d = digest_of(n);
    struct dedupe_claim c = {.events = &events, .id = &id};
    heard = 0;
    if (dedupe_enter(dedupe, &c, upstream, &d, within) != DEDUPE_COPY) {
        dedupe_lost(&c, 0, 0, FAILURE_NONE, SENT_NO);
        return false;
    }
    loop_turn(loop, false);
    ck_assert_uint_eq(heard, 1);
    ck_assert_str_eq(told_id, id_of(n).text);
    return true;
}

static void start(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(path, sizeof path, "/tmp/check_order_recall.%d", getpid());
    snprintf(rotated, sizeof rotated, "%s.1", path);
    loop = loop_new();
    loop_hold(loop);
    config = parse_good(DIRECTIVES);
    dedupe = dedupe_new(loop);
}

static void stop(void)
{
    unlink(path);
    unlink(rotated);
    dedupe_free(dedupe);
    config_unref(config);
    loop_free(loop);
    forget();
}

START_TEST(what_counts_is_remembered)
{
    begins(1, "x", 4000);
    ends(1, 3900, SENT_YES, 200, FAILURE_NONE);
    begins(2, "x", 30000); /* open for half a minute */
    begins(3, "x", 19000); /* given up 9 s ago */
    ends(3, 9000, SENT_PARTIAL, 504, FAILURE_HTTP_RESPONSE_TIMEOUT);
    begins(4, "p", 40000);
    ends(4, 39000, SENT_YES, 502, FAILURE_NONE);
    write_to(path);
    ck_assert_uint_eq(order_recall(dedupe, loop, config, path), 4);
    ck_assert(is_known(1, "x", 10000));
    ck_assert(told.status == 200 && told.sent == SENT_YES && told.error == FAILURE_NONE);
    ck_assert(told.age_ms >= 4000 && told.age_ms < 9000);
    ck_assert(is_known(2, "x", 10000));
    ck_assert(told.status == 0 && told.sent == SENT_YES && told.age_ms >= 30000);
    ck_assert(is_known(3, "x", 10000));
    ck_assert(told.status == 0 && told.sent == SENT_PARTIAL &&
              told.error == FAILURE_HTTP_RESPONSE_TIMEOUT);
    ck_assert(is_known(4, "p", 60000));
    ck_assert_uint_eq(told.status, 502);
}
END_TEST

START_TEST(the_rest_is_not)
{
    begins(1, "x", 11000);
    ends(1, 10500, SENT_YES, 200, FAILURE_NONE);
    begins(2, "x", 1000);
    ends(2, 900, SENT_NO, 503, FAILURE_CONNECTION_LIMIT_REACHED);
    begins(3, "off", 1000);
    begins(4, "x", 200000);
    begins(9, "x", 1000); /* without a digest */
    text_add_str(&lines, "no line of a journal\n");
    write_to(path);
    ck_assert_uint_eq(order_recall(dedupe, loop, config, path), 0);
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
}
END_TEST

/* Two rotations within the time, and whatever logrotate names their files. */
START_TEST(all_rotated_journals_count)
{
    static const char *const names[][2] = {{".2", ".1"}, {"-20261126", "-20261127"}};
    char older[70], newer[70];
    snprintf(older, sizeof older, "%s%s", path, names[_i][0]);
    snprintf(newer, sizeof newer, "%s%s", path, names[_i][1]);
    begins(1, "x", 6000);
    begins(2, "x", 5000);
    write_to(older);
    ends(1, 4500, SENT_YES, 200, FAILURE_NONE);
    begins(3, "x", 4000);
    write_to(newer);
    ends(3, 3000, SENT_YES, 200, FAILURE_NONE);
    write_to(path);
    ck_assert_uint_eq(order_recall(dedupe, loop, config, path), 3);
    unlink(older);
    unlink(newer);
    ck_assert(is_known(1, "x", 10000) && told.status == 200);
    ck_assert(is_known(2, "x", 10000) && told.status == 0);
    ck_assert(is_known(3, "x", 10000) && told.status == 200);
}
END_TEST

START_TEST(a_rotated_journal_counts)
{
    begins(1, "x", 4000);
    write_to(rotated);
    ends(1, 3000, SENT_YES, 200, FAILURE_NONE);
    begins(2, "x", 2000);
    write_to(path);
    ck_assert_uint_eq(order_recall(dedupe, loop, config, path), 2);
    ck_assert(is_known(1, "x", 10000) && told.status == 200);
    ck_assert(is_known(2, "x", 10000) && told.status == 0);
}
END_TEST

/* The time of an order without an end counts from now, to the millisecond. */
START_TEST(an_open_order_counts_from_now)
{
    begins(1, "x", 4000);
    write_to(path);
    ck_assert_uint_eq(order_recall(dedupe, loop, config, path), 1);
    loop_skip(loop, _i ? 10000 : 9999);
    ck_assert_int_eq(is_known(1, "x", 10000), !_i);
}
END_TEST

/* Nothing is read, and nothing counts as remembered. */
START_TEST(without_dedupe_none_is)
{
    begins(1, "x", 4000);
    write_to(path);
    config_unref(config);
    config = parse_good("upstream x { url = \"https://x.test\" }\n");
    ck_assert_uint_eq(order_recall(dedupe, loop, config, path), 0);
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
}
END_TEST

/* There is a warning for what cannot be read, and for nothing else. */
START_TEST(only_what_cannot_be_read_is_told)
{
    begins(1, "x", 4000);
    write_to(path);
    kept_log_begin(LOG_LEVEL_WARN);
    size_t count = order_recall(dedupe, loop, config, path);
    const char *words = kept_log_end();
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(words, "");
}
END_TEST

START_TEST(there_may_be_none)
{
    ck_assert_uint_eq(order_recall(dedupe, loop, config, path), 0);
    ck_assert_uint_eq(order_recall(dedupe, loop, config, "/dev/null"), 0);
}
END_TEST

/* A pipe that has a writer, as the journal itself is, would be waited for. */
START_TEST(a_pipe_is_not_read)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "{}\n", 3), 3);
    ck_assert_uint_eq(order_recall(dedupe, loop, config, path), 0);
    ck_assert_int_eq(read(fd, told_id, 3), 3);
    close(fd);
}
END_TEST

SUITE()
{
    FIXTURE(start, stop);
    TEST(what_counts_is_remembered);
    TEST(the_rest_is_not);
    TEST(a_rotated_journal_counts);
    LOOP(all_rotated_journals_count, 0, 2);
    LOOP(an_open_order_counts_from_now, 0, 2);
    TEST(without_dedupe_none_is);
    TEST(only_what_cannot_be_read_is_told);
    TEST(there_may_be_none);
    TEST(a_pipe_is_not_read);
}
