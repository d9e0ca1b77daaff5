/* Where a store of budgets is, as the configuration says it. */
#include <string.h>

#include "config/store_url.h"
#include "suite.h"

static struct arena *arena;

static void begin(void)
{
    arena = arena_new();
}

static void finish(void)
{
    arena_free(arena);
}

static struct config_store read_good(const char *text)
{
    struct config_store s;
    const char *why = "";
    ck_assert_msg(store_url_read(arena, text, &s, &why), "%s: %s", text, why);
    return s;
}

START_TEST(a_server)
{
    struct config_store s = read_good("redis://Cache.example");
    ck_assert_str_eq(s.host, "cache.example");
    ck_assert_uint_eq(s.port, 6379);
    ck_assert(!s.secure && s.db == 0 && !s.user && !s.password && !s.path);
    ck_assert_str_eq(s.text, "redis://Cache.example");
    s = read_good("rediss://[::1]:7000/12");
    ck_assert_str_eq(s.host, "::1");
    ck_assert(s.secure && s.port == 7000 && s.db == 12);
    ck_assert_uint_eq(read_good("redis://10.0.0.1:1/").port, 1);
}
END_TEST

START_TEST(a_login_is_decoded_once_and_never_shown)
{
    struct config_store s = read_good("redis://bob:s%40c%2525@h:1/2");
    ck_assert_str_eq(s.user, "bob");
    ck_assert_str_eq(s.password, "s@c%25");
    ck_assert_str_eq(s.text, "redis://***@h:1/2");
    s = read_good("redis://:pass@h");
    ck_assert(s.user == NULL);
    ck_assert_str_eq(s.password, "pass");
    s = read_good("redis://p@ss:w@rd@h"); /* not encoded, but clear */
    ck_assert_str_eq(s.user, "p@ss");
    ck_assert_str_eq(s.password, "w@rd");
    ck_assert_str_eq(s.host, "h");
    ck_assert_str_eq(read_good("redis://alone@h").password, "alone");
}
END_TEST

START_TEST(a_unix_socket)
{
    struct config_store s = read_good("unix:/run/redis/redis.sock");
    ck_assert_str_eq(s.path, "/run/redis/redis.sock");
    ck_assert_str_eq(s.text, "unix:/run/redis/redis.sock");
    ck_assert(s.host == NULL && !s.secure);
}
END_TEST

static const char *const wrong[] = {
    "http://h",
    "redis:/h",
    "h:6379",
    "redis://",
    "redis://:6379",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:6379x",
    "redis://h/a",
    "redis://h/99999",
    "redis://h/1/2",
    "redis://[::1",
    "redis://::1",
    "redis://bob:secret%4@h",
    "redis://bob:secret%00@h",
    "redis://bob:@h",
    "redis://secret@h h",
    "unix:",
    "unix:redis.sock",
    "unix:/0123456789012345678901234567890123456789012345678901234567890"
    "12345678901234567890123456789012345678901234567"};

START_TEST(what_is_wrong_is_told_without_the_text)
{
    struct config_store s;
    const char *why = NULL;
    ck_assert_msg(!store_url_read(arena, wrong[_i], &s, &why), "%s", wrong[_i]);
    ck_assert_ptr_nonnull(why);
    ck_assert_ptr_null(strstr(why, "secret"));
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(a_server);
    TEST(a_login_is_decoded_once_and_never_shown);
    TEST(a_unix_socket);
    LOOP(what_is_wrong_is_told_without_the_text, 0, sizeof wrong / sizeof *wrong);
}
