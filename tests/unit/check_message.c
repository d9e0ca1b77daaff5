/* Fields: finding, counting, listing, adding. */
#include "http/message.h"

#include <stdio.h>

#include "suite.h"

static struct field some[] = {
    {{"Host", 4}, {"a", 1}},
    {{"Connection", 10}, {"keep-alive, , Upgrade", 21}},
    {{"accept", 6}, {"x", 1}},
    {{"CONNECTION", 10}, {"te", 2}},
};
static const struct fields all = {.at = some, .count = COUNT_OF(some)};

START_TEST(finds_in_any_case)
{
    ck_assert_ptr_eq(fields_find(&all, SPAN("connection")), &some[1]);
    ck_assert_ptr_eq(fields_find(&all, SPAN("Accept")), &some[2]);
    ck_assert_ptr_null(fields_find(&all, SPAN("Hos")));
    ck_assert_ptr_null(fields_find(&(struct fields){0}, SPAN("Host")));
    ck_assert_uint_eq(fields_count(&all, SPAN("Connection")), 2);
    ck_assert_uint_eq(fields_count(&all, SPAN("Hosts")), 0);
}
END_TEST

START_TEST(lists_over_all_fields)
{
    ck_assert(fields_list(&all, SPAN("Connection"), SPAN("upgrade")));
    ck_assert(fields_list(&all, SPAN("Connection"), SPAN("TE")));
    ck_assert(!fields_list(&all, SPAN("Connection"), SPAN("keep")));
    ck_assert(!fields_list(&all, SPAN("Accept"), SPAN("te")));
}
END_TEST

START_TEST(adds_and_keeps_order)
{
    struct arena *arena = arena_new();
    struct fields f = {0};
    for (int i = 0; i < 500; i++) {
        const char *name = arena_printf(arena, "Name-%d", i); /* something in between */
        fields_add(&f, arena, span_of(name), SPAN("v"));
    }
    ck_assert_uint_eq(f.count, 500);
    for (int i = 0; i < 500; i++) {
        char name[20];
        snprintf(name, sizeof name, "name-%d", i);
        ck_assert_ptr_eq(fields_find(&f, span_of(name)), &f.at[i]);
    }
    arena_free(arena);
}
END_TEST

START_TEST(adding_to_borrowed_fields_copies_them)
{
    struct arena *arena = arena_new();
    struct fields copy = all;
    fields_add(&copy, arena, SPAN("Via"), SPAN("1.1 trunkline"));
    ck_assert_uint_eq(copy.count, COUNT_OF(some) + 1);
    ck_assert_ptr_ne(copy.at, some);
    ck_assert(span_is(copy.at[0].name, SPAN("Host")));
    ck_assert(span_is(fields_find(&copy, SPAN("via"))->value, SPAN("1.1 trunkline")));
    ck_assert_ptr_null(fields_find(&all, SPAN("via")));
    arena_free(arena);
}
END_TEST

SUITE()
{
    TEST(finds_in_any_case);
    TEST(lists_over_all_fields);
    TEST(adds_and_keeps_order);
    TEST(adding_to_borrowed_fields_copies_them);
}
