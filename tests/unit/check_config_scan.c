/* The text that libconfuse gets: comments become spaces, lines keep their numbers, and anything
 * that libconfuse would silently accept is an error with its line. */
#include "config/scan.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"

static struct arena *arena;
static struct scan scan;

static void begin(void)
{
    arena = arena_new();
}

static void finish(void)
{
    arena_free(arena);
}

static void scanned(const char *text)
{
    scan_text(&scan, arena, span_of(text));
}

START_TEST(comments_become_blanks_and_lines_stay)
{
    scanned("a = 1 # one\n/* two\nthree */ b = { 2, // four\n  3 }\n");
    ck_assert_str_eq(scan.error, "");
    ck_assert_str_eq(scan.text, "a = 1      \n      \n         b = { 2,        \n  3 }\n");
    scanned("a = \"# no /* comment // here\" b = 'nor # here'");
    ck_assert_str_eq(scan.text, "a = \"# no /* comment // here\" b = 'nor # here'");
    scanned("url = https://a.example//x"); /* the first // is in a word, the second is not */
    ck_assert_str_eq(scan.text, "url = https://a.example   ");
}
END_TEST

START_TEST(blocks_are_found_with_their_lines)
{
    scanned("listen = {a}\ndefaults\n{ }\nupstream\na {\n  path /x { }\n  path\n  /y\n  { } }\n");
    ck_assert_str_eq(scan.error, "");
    ck_assert_uint_eq(scan.blocks[0].count, 2);
    ck_assert_int_eq(scan.blocks[0].at[0], 2);
    ck_assert_int_eq(scan.blocks[0].at[1], 4);
    ck_assert_uint_eq(scan.blocks[1].count, 2);
    ck_assert_int_eq(scan.blocks[1].at[0], 6);
    ck_assert_int_eq(scan.blocks[1].at[1], 7);
}
END_TEST

START_TEST(the_first_error_ends_the_text)
{
    static const struct {
        const char *text, *error;
        int line;
        const char *kept;
    } all[] = {
        {"a = 1\nb = \"x", "this string is never closed", 2, "a = 1\nb = "},
        {"a = 1\n/* x\n", "this comment is never closed", 2, "a = 1\n"},
        {"a = 1\nb += 2", "'+=' is not supported: give the whole list", 2, "a = 1\nb "},
        {"a = *", "unexpected '*'", 1, "a = "},
        {"a = \"${X\"", "'${' is never closed (write \\${ for the characters)", 1, "a = "},
        {"a = b${X}", "a value that contains '${' must be quoted", 1, "a = "},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        scanned(all[i].text);
        ck_assert_str_eq(scan.error, all[i].error);
        ck_assert_int_eq(scan.error_line, all[i].line);
        ck_assert_str_eq(scan.text, all[i].kept);
    }
    scanned("\nupstream a {\n");
    ck_assert_str_eq(scan.error, "this '{' is never closed");
    ck_assert_int_eq(scan.error_line, 2);
}
END_TEST

START_TEST(unset_variables_are_listed_with_their_lines)
{
    unsetenv("CHECK_SCAN_NOT");
    setenv("CHECK_SCAN", "x", 1);
    scanned("a = \"${CHECK_SCAN}\"\nb = \"${CHECK_SCAN_NOT}${CHECK_SCAN_NOT:-x}\"\n"
            "c = '${CHECK_SCAN_NOT}' # ${CHECK_SCAN_NOT}\nd = ${CHECK_SCAN_NOT}\n");
    ck_assert_str_eq(scan.error, "");
    ck_assert_uint_eq(scan.unset_count, 2);
    ck_assert_str_eq(scan.unset[0].name, "CHECK_SCAN_NOT");
    ck_assert_int_eq(scan.unset[0].line, 2);
    ck_assert_int_eq(scan.unset[1].line, 4);
}
END_TEST

START_TEST(a_nul_is_no_end)
{
    scan_text(&scan, arena, (struct span){"a = 1\n\0b = 2", 12});
    ck_assert_str_eq(scan.error, "unexpected byte 0x00");
    ck_assert_int_eq(scan.error_line, 2);
    scan_text(&scan, arena, (struct span){"a = \"\0\"", 7});
    ck_assert_str_eq(scan.error, "NUL in a string");
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(comments_become_blanks_and_lines_stay);
    TEST(blocks_are_found_with_their_lines);
    TEST(the_first_error_ends_the_text);
    TEST(unset_variables_are_listed_with_their_lines);
    TEST(a_nul_is_no_end);
}
