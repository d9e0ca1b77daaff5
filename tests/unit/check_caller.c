/* How the log describes callers. */
#include "pages/caller.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "suite.h"

static struct arena *arena;
static struct request request;
static char text[CALLER_SIZE];

static void setup(void)
{
    arena = arena_new();
    request = (struct request){.arena = arena};
    fields_add(&request.fields, arena, SPAN("Host"), SPAN("127.0.0.1:8642"));
}

static void teardown(void)
{
    arena_free(arena);
}

static const struct ingress tcp = {.is_loopback = true, .client = "127.0.0.1:53122"};

START_TEST(an_address)
{
    ck_assert_str_eq(caller_text(text, &tcp, &request), "127.0.0.1:53122");
}
END_TEST

START_TEST(a_user_of_a_unix_socket)
{
    char expected[120];
    struct passwd *me = getpwuid(getuid());
    struct ingress in = {
        .is_unix = true, .has_uid = true, .uid = getuid(), .socket = "/run/t.sock"};
    if (me)
        snprintf(expected, sizeof expected, "uid %u (%s) on /run/t.sock", getuid(), me->pw_name);
    else
        snprintf(expected, sizeof expected, "uid %u on /run/t.sock", getuid());
    ck_assert_str_eq(caller_text(text, &in, &request), expected);
    in.uid = 3999999999u; /* no user has this id */
    ck_assert_str_eq(caller_text(text, &in, &request), "uid 3999999999 on /run/t.sock");
    in.has_uid = false;
    ck_assert_str_eq(caller_text(text, &in, &request), "a process on /run/t.sock");
    in.socket = NULL;
    ck_assert_str_eq(caller_text(text, &in, &request), "a process on a unix socket");
}
END_TEST

static const char *with(const char *name, const char *value)
{
    setup();
    fields_add(&request.fields, arena, span_of(name), span_of(value));
    caller_text(text, &tcp, &request);
    teardown();
    return text;
}

START_TEST(the_dashboard)
{
    teardown();
    static const char dashboard[] = "the dashboard (127.0.0.1:53122)";
    ck_assert_str_eq(with("Sec-Fetch-Site", "same-origin"), dashboard);
    ck_assert_str_eq(with("Sec-Fetch-Site", "none"), tcp.client);
    ck_assert_str_eq(with("Origin", "http://127.0.0.1:8642"), dashboard);
    ck_assert_str_eq(with("Origin", "http://localhost:8642"), tcp.client);
    ck_assert_str_eq(with("Origin", "https://127.0.0.1:8642"), tcp.client);
    ck_assert_str_eq(with("Origin", "*"), tcp.client);
    ck_assert_str_eq(with("Origin", ""), tcp.client);
    setup();
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(an_address);
    TEST(a_user_of_a_unix_socket);
    TEST(the_dashboard);
}
