/* What is written to an order journal reads back, and nothing else is taken for it. */
#include <stdio.h>

#include "proxy/order_line.h"
#include "suite.h"

static const struct request_id id = {"06f3k9d2q4ab-17"};

static const char *time_of(int64_t s, long ns)
{
    static struct order_clock clock;
    return order_clock_text(&clock, &(struct timespec){s, ns});
}

static json_t *parsed(const struct text *line)
{
    ck_assert(line->len > 0 && line->at[line->len - 1] == '\n');
    ck_assert_uint_eq(span_find(text_span(line), '\n'), line->len - 1);
    json_t *o = json_loadb(line->at, line->len, 0, NULL);
    ck_assert_ptr_nonnull(o);
    return o;
}

static const char *word(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static const struct order_begin begin = {.id = &id,
                                         .upstream = "kraken",
                                         .bot = "grid1",
                                         .client = "127.0.0.1:5",
                                         .method = SPAN("POST"),
                                         .target = SPAN("/0/private/AddOrder?sig=***"),
                                         .ids = SPAN("{\"cl_ord_id\":\"a1\"}"),
                                         .digest = "8a54c83a7036c66dcdaa8e5218a02676"};

START_TEST(a_time_has_microseconds)
{
    ck_assert_str_eq(time_of(1795770000, 123456789), "2026-11-27T09:00:00.123456Z");
    ck_assert_str_eq(time_of(1795770000, 5999), "2026-11-27T09:00:00.000005Z");
    ck_assert_str_eq(time_of(1795770001, 999999999), "2026-11-27T09:00:01.999999Z");
    ck_assert_str_eq(time_of(0, 0), "1970-01-01T00:00:00.000000Z");
}
END_TEST

START_TEST(a_begin_has_the_keys_of_the_contract)
{
    struct text line = {0};
    order_line_begin(&line, time_of(1795770000, 123456000), &begin);
    ck_assert_str_eq(
        line.at, "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":"
                 "\"begin\",\"upstream\":\"kraken\",\"bot\":\"grid1\",\"client\":\"127.0.0.1:5\","
                 "\"method\":\"POST\",\"target\":\"/0/private/AddOrder?sig=***\",\"order_ids\":{"
                 "\"cl_ord_id\":\"a1\"},\"digest\":\"8a54c83a7036c66dcdaa8e5218a02676\"}\n");
    text_free(&line);
}
END_TEST

START_TEST(what_a_begin_lacks_is_null)
{
    struct text line = {0};
    const struct order_begin b = {
        .id = &id, .upstream = "x", .client = "c", .method = SPAN("PUT"), .target = SPAN("/")};
    order_line_begin(&line, time_of(1, 0), &b);
    json_t *o = parsed(&line);
    ck_assert(json_is_null(json_object_get(o, "bot")));
    ck_assert(json_is_null(json_object_get(o, "digest")));
    ck_assert_uint_eq(json_object_size(json_object_get(o, "order_ids")), 0);
    json_decref(o);
    text_free(&line);
}
END_TEST

START_TEST(an_end_has_the_keys_of_the_contract)
{
    struct text line = {0};
    const struct order_end e = {
        .id = &id, .sent = SENT_YES, .status = 200, .error = FAILURE_NONE, .total_us = 81200};
    order_line_end(&line, time_of(1795770000, 0), &e);
    ck_assert_str_eq(line.at,
                     "{\"t\":\"2026-11-27T09:00:00.000000Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":"
                     "\"end\",\"sent\":\"yes\",\"status\":200,\"error\":null,\"left\":false,"
                     "\"unknown\":false,\"total_ms\":81.200}\n");
    text_free(&line);
}
END_TEST

START_TEST(an_end_tells_of_an_error)
{
    struct text line = {0};
    const struct order_end e = {.id = &id,
                                .sent = SENT_PARTIAL,
                                .error = FAILURE_CONNECTION_TERMINATED,
                                .left = true,
                                .unknown = true};
    order_line_end(&line, time_of(1, 0), &e);
    json_t *o = parsed(&line);
    ck_assert_str_eq(word(o, "sent"), "partial");
    ck_assert_str_eq(word(o, "error"), "connection_terminated");
    ck_assert(json_is_null(json_object_get(o, "status")));
    ck_assert(json_is_true(json_object_get(o, "left")));
    ck_assert(json_is_true(json_object_get(o, "unknown")));
    json_decref(o);
    text_free(&line);
}
END_TEST

START_TEST(no_byte_of_a_target_ends_a_line)
{
    struct text line = {0};
    struct order_begin b = begin;
    b.target = SPAN("/a\"b\\c\n\xff");
    order_line_begin(&line, time_of(1, 0), &b);
    json_decref(parsed(&line));
    text_free(&line);
}
END_TEST

static enum order_line_kind kind_of(const char *line)
{
    struct order_line l;
    order_line_read(&l, span_of(line));
    enum order_line_kind kind = l.kind;
    ck_assert_int_eq(l.object != NULL, kind != ORDER_LINE_FOREIGN);
    order_line_clear(&l);
    return kind;
}

START_TEST(what_was_written_reads_back)
{
    struct text line = {0};
    struct order_line l;
    order_line_start(&line, time_of(1795770000, 5000), "06f3k9d2q4ab");
    ck_assert_int_eq(kind_of(line.at), ORDER_LINE_START);
    text_clear(&line);
    order_line_begin(&line, time_of(1795770000, 5000), &begin);
    order_line_read(&l, text_span(&line));
    ck_assert_int_eq(l.kind, ORDER_LINE_BEGIN);
    ck_assert_str_eq(l.id, id.text);
    ck_assert_int_eq(l.at_us, 1795770000000005);
    order_line_clear(&l);
    text_clear(&line);
    order_line_end(&line, time_of(1795770000, 0), &(struct order_end){.id = &id});
    ck_assert_int_eq(kind_of(line.at), ORDER_LINE_END);
    text_free(&line);
}
END_TEST

START_TEST(every_day_of_a_year_reads_back)
{
    for (time_t day = 1798761600; day < 1798761600 + 366 * (time_t)86400; day += 86400) {
        struct text line = {0};
        struct order_line l;
        order_line_end(&line, time_of(day, 0), &(struct order_end){.id = &id});
        order_line_read(&l, text_span(&line));
        ck_assert_msg(l.kind == ORDER_LINE_END, "%s", line.at);
        ck_assert_int_eq(l.at_us, (int64_t)day * 1000000);
        order_line_clear(&l);
        text_free(&line);
    }
}
END_TEST

static const char *const foreign[] = {
    "",
    "\n",
    "{",
    "[]",
    "{}",
    "null",
    "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":\"beg",
    "{\"t\":\"2026-11-27T09:00:00Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":\"begin\"}",
    "{\"t\":\"2026-12-32T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":\"begin\"}",
    "{\"t\":\"2026-12-00T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":\"begin\"}",
    "{\"t\":\"2026-13-27T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":\"begin\"}",
    "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab\",\"ev\":\"begin\"}",
    "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\"short-17\",\"ev\":\"begin\"}",
    "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":7,\"ev\":\"begin\"}",
    "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":\"middle\"}",
    "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"ev\":\"start\"}",
    "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab-17\",\"ev\":\"begin\"}x",
    "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ab-12345678901234567890123\",\"ev\":"
    "\"begin\"}",
};

START_TEST(other_lines_are_foreign)
{
    ck_assert_int_eq(kind_of(foreign[_i]), ORDER_LINE_FOREIGN);
}
END_TEST

SUITE()
{
    TEST(a_time_has_microseconds);
    TEST(a_begin_has_the_keys_of_the_contract);
    TEST(what_a_begin_lacks_is_null);
    TEST(an_end_has_the_keys_of_the_contract);
    TEST(an_end_tells_of_an_error);
    TEST(no_byte_of_a_target_ends_a_line);
    TEST(what_was_written_reads_back);
    TEST(every_day_of_a_year_reads_back);
    LOOP(other_lines_are_foreign, 0, COUNT_OF(foreign));
}
