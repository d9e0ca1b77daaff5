/* The warning about an order of unknown fate: its text, and that it is written regardless of
 * log_level. */
#include "front/order_warning.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "suite.h"

static char line[2000];

/* The line logged, without its time. */
static const char *logged(const struct record *r)
{
    int ends[2], saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    order_warning(r);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(ends[0], line, sizeof line - 1);
    ck_assert_int_gt(n, 0);
    line[n] = '\0';
    close(ends[0]);
    const char *level = strstr(line, "warn ");
    return level ? level : line;
}

static const struct request_id id = {"06f3k9d2q4ab-17"};
static const struct record order = {.id = &id,
                                    .client = "127.0.0.1:5",
                                    .method = {"POST", 4},
                                    .bot = "grid1",
                                    .upstream = "kraken",
                                    .target = {"/0/private/AddOrder?a=1", 23},
                                    .error = FAILURE_CONNECTION_TERMINATED,
                                    .status = 502,
                                    .sent = SENT_YES,
                                    .unknown = true,
                                    .total_us = 1234567};

START_TEST(all_there_is_to_know)
{
    ck_assert_str_eq(logged(&order),
                     "warn upstream kraken: order of unknown fate: method=POST client=127.0.0.1:5 "
                     "bot=grid1 error=connection_terminated status=502 sent=yes total_ms=1234.567 "
                     "target=\"/0/private/AddOrder?a=1\" id=06f3k9d2q4ab-17\n");
}
END_TEST

START_TEST(what_is_not_there)
{
    struct record r = order;
    r.bot = r.upstream = NULL;
    r.error = FAILURE_NONE;
    r.status = 0;
    r.sent = SENT_PARTIAL;
    ck_assert_ptr_nonnull(strstr(logged(&r), " bot=- error=- status=- sent=partial "));
}
END_TEST

START_TEST(whatever_the_log_level)
{
    log_set_level(LOG_LEVEL_ERROR);
    ck_assert_ptr_nonnull(strstr(logged(&order), "order of unknown fate"));
}
END_TEST

SUITE()
{
    TEST(all_there_is_to_know);
    TEST(what_is_not_there);
    TEST(whatever_the_log_level);
}
