/* Entries of order_paths, cancel_paths and read_paths. */
#include "config/order_path.h"

#include "config_fixture.h"
#include "suite.h"

static const struct {
    const char *path;
    bool plain;
} paths[] = {
    {"/", true},       {"/a", true},         {"/a/", true},     {"/a/b.c", true}, {"/a/..b", true},
    {"/a/...", true},  {"/a:b@c", true},     {"/~a=b&c", true}, {"", false},      {"a", false},
    {"//", false},     {"/a//b", false},     {"/a//", false},   {"/.", false},    {"/a/.", false},
    {"/a/../", false}, {"/..", false},       {"/a%41", false},  {"/a%", false},   {"/a;b", false},
    {"/a\\b", false},  {"/a?b", false},      {"/a#", false},    {"/a b", false},  {"/a\x7f", false},
    {"/a\n", false},   {"/\xc3\xa9", false},
};

START_TEST(a_plain_path_can_be_read_in_one_way)
{
    ck_assert_msg(order_path_is_plain(span_of(paths[_i].path)) == paths[_i].plain, "%s",
                  paths[_i].path);
}
END_TEST

START_TEST(an_entry_is_a_prefix_with_an_optional_method)
{
    struct order_path p = order_path_parse(SPAN("POST /a"));
    ck_assert(span_is(p.method, SPAN("POST")) && span_is(p.prefix, SPAN("/a")));
    ck_assert_ptr_null(order_path_wrong(&p));
    p = order_path_parse(SPAN("/a"));
    ck_assert(p.method.len == 0 && span_is(p.prefix, SPAN("/a")));
    ck_assert_ptr_null(order_path_wrong(&p));
}
END_TEST

#define METHODS "the method must be one of GET HEAD OPTIONS POST PUT PATCH DELETE"
#define PATH "must be a path that begins with /, optionally after a method and a space"
#define PLAIN "the path must have no query"

static const struct {
    const char *entry, *words;
} wrong[] = {
    {"post /a", METHODS},
    {"TRACE /a", METHODS},
    {"/a /b", METHODS},
    {"POST  a", PATH},
    {"", PATH},
    {"POST", PATH},
    {"POST ", PATH},
    {"a", PATH},
    {"/a?b", PLAIN},
    {"GET /a b", PLAIN},
    {"/a%41", PLAIN},
    {"POST //a", PLAIN},
    {"POST /a/..", PLAIN},
    {"/a;b", PLAIN},
};

START_TEST(a_wrong_entry_is_refused_with_its_line)
{
    struct text line = {0};
    text_printf(&line, "read_paths = {\"/good\", \"%s\"}", wrong[_i].entry);
    refuse_in_upstream(line.at, wrong[_i].words);
    text_free(&line);
}
END_TEST

START_TEST(entries_are_printed_as_they_are_read)
{
    struct config *c = parse_good("upstream ex {\nurl = \"https://ex.test\"\n"
                                  "order_paths = {\"POST   /a\", \"/b\"}\n}\n");
    const struct config_names *l = &find(c, "ex")->order_paths;
    ck_assert_uint_eq(l->count, 2);
    ck_assert_str_eq(l->at[0], "POST /a");
    ck_assert_str_eq(l->at[1], "/b");
    config_unref(c);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    LOOP(a_plain_path_can_be_read_in_one_way, 0, COUNT_OF(paths));
    TEST(an_entry_is_a_prefix_with_an_optional_method);
    LOOP(a_wrong_entry_is_refused_with_its_line, 0, COUNT_OF(wrong));
    TEST(entries_are_printed_as_they_are_read);
}
