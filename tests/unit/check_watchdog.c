/* The status line over fake pools, and the messages that a fake service manager receives. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "daemon/watchdog.h"
#include "suite.h"

struct pool {
    struct pool_view view;
};

static struct pool rows[6];
static size_t row_count;
static struct totals totals;
static struct admin admin;
static struct text status;

void pools_each(const struct pools *p, void (*visit)(void *, const struct pool *), void *context)
{
    (void)p;
    for (size_t i = 0; i < row_count; i++)
        visit(context, &rows[i]);
}

void pool_describe(const struct pool *p, struct pool_view *view)
{
    *view = p->view;
}

static void add(const char *name, const char *state, bool listed)
{
    rows[row_count++].view = (struct pool_view){.name = name,
                                                .state = state,
                                                .listed = listed,
                                                .idle = 3,
                                                .active = 2,
                                                .connecting = 1,
                                                .waiting = 4};
}

static void setup(void)
{
    row_count = 0;
    totals = (struct totals){
        .under_way.requests.count = 1, .succeeded = 10, .failed = 2, .abandoned = 3};
    admin = (struct admin){.totals = &totals};
}

static void teardown(void)
{
    text_free(&status);
}

static const char *tell(void)
{
    text_clear(&status);
    watchdog_status(&admin, &status);
    return status.at;
}

START_TEST(nothing_yet)
{
    totals = (struct totals){0};
    ck_assert_str_eq(tell(), "0 of 0 upstreams up; 0 lines, 0 busy, 0 waiting; "
                             "0 requests, 0 active, 0 failed");
}
END_TEST

START_TEST(unlisted_hosts_count_as_lines_alone)
{
    add("binance", "up", true);
    add("example.com:443", "open", false);
    ck_assert_str_eq(tell(), "1 of 1 upstreams up; 12 lines, 4 busy, 8 waiting; "
                             "16 requests, 1 active, 2 failed");
}
END_TEST

START_TEST(those_that_are_not_up_are_named)
{
    add("binance", "up", true);
    add("kraken", "paused", true);
    add("okx", "open", true);
    ck_assert_ptr_nonnull(strstr(tell(), "1 of 3 upstreams up (kraken paused, okx open); 18"));
    add("bybit", "held", true);
    ck_assert_ptr_nonnull(strstr(tell(), "(kraken paused, okx open, bybit held); "));
    add("a", "open", true);
    add("b", "open", true);
    ck_assert_ptr_nonnull(strstr(tell(), "1 of 6 upstreams up (kraken paused, okx open, "
                                         "bybit held, ...); "));
}
END_TEST

START_TEST(a_drain_comes_first)
{
    admin.draining = true;
    ck_assert_int_eq(strncmp(tell(), "draining; 0 of 0", 16), 0);
}
END_TEST

/* ------------------------------------------------------------------- beating */

static int listen_as_manager(char path[64])
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(path, 64, "/tmp/check_pulse.%d", (int)getpid());
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

/* The next message; empty: there is none. */
static const char *hear(int fd)
{
    static char message[500];
    ssize_t n = recv(fd, message, sizeof message - 1, 0);
    message[n > 0 ? n : 0] = '\0';
    return message;
}

static const char *wait_for_beat(struct loop *l, int fd)
{
    const char *heard = "";
    for (int i = 0; i < 20000 && *heard == '\0'; i++) {
        loop_turn(l, false);
        heard = hear(fd);
        usleep(*heard ? 0 : 500);
    }
    return heard;
}

/* It notifies the watchdog again and again, and only if there is one. */
static void beat(const char *watchdog_us, bool again, bool fed)
{
    char path[64];
    int fd = listen_as_manager(path);
    unsetenv("WATCHDOG_USEC");
    if (watchdog_us)
        ck_assert_int_eq(setenv("WATCHDOG_USEC", watchdog_us, 1), 0);
    if (notify_heard()) { /* built with systemd */
        struct loop *l = loop_new();
        struct watchdog *p = watchdog_new(l, &admin);
        for (int i = 0; i < (again ? 3 : 1); i++) {
            const char *heard = wait_for_beat(l, fd);
            ck_assert_int_eq(strncmp(heard, "WATCHDOG=1\n", 11) == 0, fed);
            ck_assert_msg(strstr(heard, "STATUS=0 of 0 upstreams up; ") != NULL, "%s", heard);
        }
        watchdog_beat(p);
        ck_assert_ptr_nonnull(strstr(hear(fd), "STATUS="));
        watchdog_free(p);
        loop_free(l);
    }
    close(fd);
    unlink(path);
}

START_TEST(the_watchdog_is_fed)
{
    beat("20000", true, true);
}
END_TEST

START_TEST(without_a_watchdog_it_tells_its_status)
{
    beat(NULL, false, false);
}
END_TEST

START_TEST(without_a_manager_it_is_silent)
{
    unsetenv("NOTIFY_SOCKET");
    struct loop *l = loop_new();
    struct watchdog *p = watchdog_new(l, &admin);
    watchdog_beat(p);
    loop_run(l); /* nothing keeps the loop alive */
    watchdog_free(p);
    loop_free(l);
}
END_TEST

static void forget_the_manager(void)
{
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

SUITE()
{
    ONCE(forget_the_manager, NULL);
    FIXTURE(setup, teardown);
    TEST(nothing_yet);
    TEST(unlisted_hosts_count_as_lines_alone);
    TEST(those_that_are_not_up_are_named);
    TEST(a_drain_comes_first);
    TEST(the_watchdog_is_fed);
    TEST(without_a_watchdog_it_tells_its_status);
    TEST(without_a_manager_it_is_silent);
}
