/* The client's own ids are found where exchanges take them, and nothing else is shown. */
#include "proxy/order_ids.h"

#include <jansson.h>

#include "suite.h"

static const char *names_list[] = {"newClientOrderId", "cl_ord_id", "clOrdId", "userref"};
static const struct config_names names = {.at = names_list, .count = COUNT_OF(names_list)};

static void finds(const char *target, const char *body, const char *expected)
{
    struct text found = {0};
    order_ids_add(&found, &names, span_of(target), span_of(body));
    ck_assert_str_eq(found.at ? found.at : "", expected);
    if (found.len) {
        json_t *o = json_loadb(found.at, found.len, 0, NULL);
        ck_assert(json_is_object(o));
        json_decref(o);
    }
    text_free(&found);
}

static const struct {
    const char *target, *body, *expected;
} cases[] = {
    {"/order", "", ""},
    {"/order?symbol=A&newClientOrderId=x-1&signature=abc", "", "{\"newClientOrderId\":\"x-1\"}"},
    {"/order?newClientOrderId=", "", ""},
    {"/order?newClientOrderIdX=1", "", ""},
    {"/order?a=newClientOrderId", "", ""},
    {"/order?new%43lientOrderId=x%2d1+", "", ""}, /* no exchange writes it so: not looked for */
    {"/order?newClientOrderId=x%2d1%22", "", "{\"newClientOrderId\":\"x-1\\\"\"}"},
    {"/0/private/AddOrder", "nonce=1&userref=7&cl_ord_id=a%2fb",
     "{\"userref\":\"7\",\"cl_ord_id\":\"a/b\"}"},
    {"/x", "orders[0][cl_ord_id]=a&orders%5B1%5D[cl_ord_id]=b", "{\"cl_ord_id\":[\"a\",\"b\"]}"},
    {"/x", "{\"instId\":\"BTC\",\"clOrdId\":\"a1\"}", "{\"clOrdId\":\"a1\"}"},
    {"/x", " [{\"clOrdId\":\"a\"},{\"clOrdId\":\"b\"},{\"clOrdId\":\"c\"}]",
     "{\"clOrdId\":[\"a\",\"b\",\"c\"]}"},
    {"/x", "{\"orders\":[{\"userref\":12},{\"deep\":{\"userref\":13}}]}",
     "{\"userref\":[\"12\",\"13\"]}"},
    {"/x", "{\"clOrdId\":{\"no\":\"text\"},\"userref\":null}", ""},
    {"/x", "{\"clOrdId\":\"a1\"", ""}, /* no JSON */
    {"/x", "{\"note\":\"clOrdId\"}", ""},
    {"/x?batch=%5B%7B%22newClientOrderId%22:%22a%22%7D%5D", "", "{\"newClientOrderId\":\"a\"}"},
    {"/x?cl_ord_id=q", "{\"cl_ord_id\":\"b\"}", "{\"cl_ord_id\":[\"q\",\"b\"]}"},
    {"/x", "cl_ord_id=\xff\x01\n", "{\"cl_ord_id\":\"???\"}"},
    {"/x", "{\"cl_ord_id\":\"\\u00e9\\u0000\"}", "{\"cl_ord_id\":\"???\"}"},
};

START_TEST(ids_are_found)
{
    finds(cases[_i].target, cases[_i].body, cases[_i].expected);
}
END_TEST

START_TEST(no_more_than_a_bound)
{
    struct text body = {0}, found = {0};
    for (int i = 0; i < 5000; i++)
        text_add(&body, SPAN("cl_ord_id=xxxxxxxxxxxx&"));
    order_ids_add(&found, &names, SPAN("/x"), text_span(&body));
    json_t *o = json_loadb(found.at, found.len, 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "cl_ord_id")), ORDER_IDS_MAX);
    json_decref(o);
    text_clear(&body);
    text_clear(&found);
    text_add(&body, SPAN("cl_ord_id="));
    for (int i = 0; i < 5000; i++)
        text_add(&body, SPAN("y"));
    order_ids_add(&found, &names, SPAN("/x"), text_span(&body));
    ck_assert_uint_lt(found.len, ORDER_ID_MOST + 20);
    text_free(&body);
    text_free(&found);
}
END_TEST

SUITE()
{
    LOOP(ids_are_found, 0, COUNT_OF(cases));
    TEST(no_more_than_a_bound);
}
