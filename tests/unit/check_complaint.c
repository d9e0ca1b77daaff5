/* Complaints: each begins with file and line, and none contains anything that could imitate
 * another. */
#include "config/complaint.h"

#include <string.h>

#include "base/text.h"
#include "suite.h"

static void hear(void *context, const char *message)
{
    text_add_str(context, message);
    text_add_str(context, "\n");
}

START_TEST(file_and_line_come_first)
{
    struct text heard = {0};
    struct complaints c = {.path = "t.conf", .to = hear, .context = &heard};
    ck_assert(!c.any);
    complaint_add(&c, 7, "%s = %d", "retries", 3);
    complaint_add(&c, 0, "cannot be read");
    ck_assert(c.any);
    ck_assert_str_eq(heard.at, "t.conf:7: retries = 3\nt.conf: cannot be read\n");
    text_free(&heard);
}
END_TEST

START_TEST(controls_do_not_pass)
{
    struct text heard = {0};
    struct complaints c = {.path = "t.conf", .to = hear, .context = &heard};
    complaint_add(&c, 1, "a\nt.conf:2: b\x1b[0m\x7f");
    ck_assert_str_eq(heard.at, "t.conf:1: a?t.conf:2: b?[0m?\n");
    text_free(&heard);
}
END_TEST

START_TEST(nobody_need_hear_them)
{
    struct complaints c = {.path = "t.conf"};
    complaint_add(&c, 1, "wrong");
    ck_assert(c.any);
}
END_TEST

SUITE()
{
    TEST(file_and_line_come_first);
    TEST(controls_do_not_pass);
    TEST(nobody_need_hear_them);
}
