/* Orders as a table and as JSON: what is not known is told as such, and nothing steers a terminal. */
#include "cli/orders_table.h"

#include <jansson.h>

#include "suite.h"

static const struct order_past answered = {.fate = ORDER_KNOWN,
                                           .began_us = 1795770000123456,
                                           .ended_us = 1795770001000000,
                                           .sent = SENT_YES,
                                           .status = 200,
                                           .total_ms = 81.25,
                                           .id = "06f3k9d2q4ab-1",
                                           .upstream = "kraken",
                                           .bot = "",
                                           .client = "127.0.0.1:5",
                                           .method = "POST",
                                           .target = "/add",
                                           .ids = "{\"cl_ord_id\":[\"a\",\"b\"]}",
                                           .digest = "",
                                           .error = ""};

static struct order_past lost(void)
{
    struct order_past p = answered;
    p.fate = ORDER_UNKNOWN;
    p.ended_us = 0;
    p.status = 0;
    p.bot = "grid\x1b[1m";
    p.target = "/\x1b[2J";
    p.ids = "{\"cl_ord_id\":\"c\"}";
    return p;
}

START_TEST(a_table_has_a_summary_and_aligned_rows)
{
    struct text out = {0};
    struct orders_table *t = orders_table_new();
    struct order_past p = lost();
    orders_table_add(t, &answered);
    orders_table_add(t, &p);
    orders_table_print(t, &out);
    ck_assert_str_eq(
        out.at, "2 orders: 0 open, 1 unknown\n"
                "began                    fate    sent status error upstream bot      order ids  "
                "         id             method target\n"
                "2026-11-27T09:00:00.123Z known   yes  200    -     kraken   -        "
                "cl_ord_id=[\"a\",\"b\"] 06f3k9d2q4ab-1 POST   /add\n"
                "2026-11-27T09:00:00.123Z unknown -    -      -     kraken   grid?[1m "
                "cl_ord_id=c         06f3k9d2q4ab-1 POST   /?[2J\n");
    orders_table_free(t);
    text_free(&out);
}
END_TEST

START_TEST(no_orders_are_one_line)
{
    struct text out = {0};
    struct orders_table *t = orders_table_new();
    orders_table_print(t, &out);
    ck_assert_str_eq(out.at, "0 orders: 0 open, 0 unknown\n");
    orders_table_free(t);
    text_free(&out);
}
END_TEST

START_TEST(json_says_null_where_nothing_is_known)
{
    static const char *const nulls[] = {"ended", "sent", "status", "error", "left", "total_ms"};
    struct text out = {0};
    struct order_past p = lost();
    orders_json_add(&out, &p);
    json_t *o = json_loadb(out.at, out.len, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(o, "fate")), "unknown");
    for (size_t i = 0; i < COUNT_OF(nulls); i++)
        ck_assert(json_is_null(json_object_get(o, nulls[i])));
    json_decref(o);
    text_clear(&out);
    orders_json_add(&out, &answered);
    o = json_loadb(out.at, out.len, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(o, "sent")), "yes");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "status")), 200);
    ck_assert(json_is_null(json_object_get(o, "bot")));
    ck_assert_uint_eq(
        json_array_size(json_object_get(json_object_get(o, "order_ids"), "cl_ord_id")), 2);
    json_decref(o);
    text_free(&out);
}
END_TEST

SUITE()
{
    TEST(a_table_has_a_summary_and_aligned_rows);
    TEST(no_orders_are_one_line);
    TEST(json_says_null_where_nothing_is_known);
}
