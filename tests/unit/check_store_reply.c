/* Replies of a store, cut everywhere; bounds; the script's request and answer. */
#include <string.h>

#include "budget/credential.h"
#include "budget/store_conn.h"
#include "budget/store_script.h"
#include "suite.h"

static struct store_parser *parser;

static void begin(void)
{
    parser = store_parser_new();
}

static void finish(void)
{
    store_parser_free(parser);
}

static struct store_reply *read_all(const char *text)
{
    ck_assert(store_parser_feed(parser, text, strlen(text)));
    return store_parser_next(parser);
}

#define ANSWER                                                                                     \
    "*14\r\n:3\r\n:2\r\n:50000\r\n:-1500\r\n:4\r\n:77\r\n:1000\r\n$5\r\n12.34\r\n:6\r\n:1\r\n"     \
    "$5\r\nholds\r\n$3\r\nall\r\n:5000\r\n$20\r\n418\n5000\n0\ngrid\n/p/q\r\n"

START_TEST(an_answer_in_pieces)
{
    const char *text = ANSWER;
    struct store_reply *r = NULL;
    for (size_t i = 0; text[i]; i++) {
        ck_assert_ptr_null(r);
        ck_assert(store_parser_feed(parser, text + i, 1));
        r = store_parser_next(parser);
    }
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(r->count, 14);
    struct store_answer a;
    struct hold h;
    ck_assert(store_script_read(r, &a));
    ck_assert(a.grant.now == 3 && a.grant.later == 2 && a.grant.wait_us == 50000);
    ck_assert(a.grant.level == -1.5 && a.grant.daemons == 4);
    ck_assert(a.weight == 77 && a.weight_left_ms == 1000);
    ck_assert_str_eq(a.seen.epoch, "12.34");
    ck_assert(a.seen.version == 6 && a.seen.lifts == 1);
    ck_assert(store_answer_hold(&a, 100, &h));
    ck_assert(h.scope == HOLD_ALL && h.status == 418 && h.until_ms == 5100 && h.lasts_ms == 5000);
    ck_assert_str_eq(h.bot, "grid");
    ck_assert_str_eq(h.path, "/p/q");
    ck_assert(!store_answer_hold(&a, 100, &h));
    store_reply_free(r);
    ck_assert_ptr_null(store_parser_next(parser));
    ck_assert_ptr_null(store_parser_error(parser));
}
END_TEST

static const char *const not_answers[] = {
    "+OK\r\n",
    "*0\r\n",
    ":5\r\n",
    "$-1\r\n",
    "*10\r\n:3\r\n:2\r\n:0\r\n:0\r\n:4\r\n:77\r\n:1000\r\n:5\r\n:6\r\n:1\r\n",      /* no epoch */
    "*10\r\n:-3\r\n:2\r\n:0\r\n:0\r\n:4\r\n:7\r\n:10\r\n$1\r\n1\r\n:6\r\n:1\r\n",   /* < 0 */
    "*10\r\n:3\r\n:2\r\n:0\r\n:0\r\n:4\r\n:7\r\n:60001\r\n$1\r\n1\r\n:6\r\n:1\r\n", /* minute */
    "*10\r\n$1\r\n3\r\n:2\r\n:0\r\n:0\r\n:4\r\n:7\r\n:10\r\n$1\r\n1\r\n:6\r\n:1\r\n",
    "*9\r\n:3\r\n:2\r\n:0\r\n:0\r\n:4\r\n:77\r\n:1000\r\n$1\r\n1\r\n:6\r\n"};

START_TEST(something_else_is_no_answer)
{
    struct store_answer a;
    struct store_reply *r = read_all(not_answers[_i]);
    ck_assert_ptr_nonnull(r);
    ck_assert(!store_script_read(r, &a));
    store_reply_free(r);
}
END_TEST

START_TEST(holds_that_make_no_sense_are_left_out)
{
    struct store_answer a;
    struct hold h;
    struct store_reply *r = read_all(
        "*23\r\n:0\r\n:0\r\n:0\r\n:0\r\n:1\r\n:-1\r\n:1000\r\n$1\r\n1\r\n:6\r\n:1\r\n$"
        "5\r\nholds\r\n"
        "$3\r\nxyz\r\n:5000\r\n$9\r\n418\n5\n0\n\n\r\n"                           /* whom */
        "$3\r\nall\r\n:5000\r\n$9\r\n4x8\n5\n0\n\n\r\n"                           /* status */
        "$18\r\nc:ba7816bf8f01cfea\r\n:99999999\r\n$12\r\n429\n5\n0\na\1\n\n\r\n" /* good */
        "$3\r\nall\r\n$1\r\n5\r\n$9\r\n418\n5\n0\n\n\r\n");
    ck_assert_ptr_nonnull(r);
    ck_assert(store_script_read(r, &a));
    ck_assert(store_answer_hold(&a, 0, &h));
    ck_assert(h.scope == HOLD_CREDENTIAL && h.credential == UINT64_C(0xba7816bf8f01cfea));
    ck_assert_uint_eq(h.until_ms, HOLD_MOST_MS);
    ck_assert_str_eq(h.bot, "a?");
    ck_assert(!store_answer_hold(&a, 0, &h));
    store_reply_free(r);
}
END_TEST

START_TEST(what_is_no_resp_is_an_error)
{
    ck_assert_ptr_null(read_all("HTTP/1.1 400 Bad Request\r\n\r\n"));
    ck_assert_ptr_nonnull(store_parser_error(parser));
    ck_assert_ptr_null(store_parser_next(parser));
}
END_TEST

START_TEST(a_large_reply_is_an_error)
{
    static char much[STORE_REPLY_BYTES_MAX];
    memset(much, 'x', sizeof much);
    ck_assert_ptr_null(read_all("$2000000000\r\n"));
    ck_assert_ptr_null(store_parser_error(parser));
    ck_assert(!store_parser_feed(parser, much, sizeof much));
    ck_assert_ptr_nonnull(store_parser_error(parser));
}
END_TEST

START_TEST(a_long_list_is_an_error)
{
    ck_assert_ptr_null(read_all("*1000000\r\n"));
    for (int i = 0; i < STORE_REPLY_ELEMENTS_MAX && !store_parser_error(parser); i++)
        ck_assert_ptr_null(read_all(":1\r\n"));
    ck_assert_ptr_nonnull(store_parser_error(parser));
}
END_TEST

START_TEST(a_request_has_one_hash_tag_and_no_key)
{
    struct text t = {0};
    struct hold h = {.scope = HOLD_CREDENTIAL,
                     .credential = credential_of(SPAN("k3y")),
                     .until_ms = 1500,
                     .status = 429,
                     .lasts_ms = 1000,
                     .path = "/p"};
    struct store_request r = {.key = SPAN("ex"),
                              .exit = SPAN("10.0.0.1"),
                              .id = SPAN("me"),
                              .rate = {10, 1000},
                              .burst = 5,
                              .weight = -1,
                              .holds = &h,
                              .hold_count = 1,
                              .now_ms = 1000};
    store_script_write(&r, false, &t);
    ck_assert(strncmp(t.at, "*22\r\n$7\r\nEVALSHA\r\n$40\r\n", 23) == 0);
    ck_assert_ptr_nonnull(strstr(t.at, "\r\ntrunkline:{ex}:tokens:10/1000:10.0.0.1\r\n"));
    ck_assert_ptr_nonnull(strstr(t.at, "\r\ntrunkline:{ex}:holds:10.0.0.1\r\n"));
    ck_assert_ptr_nonnull(strstr(t.at, "\r\n$66\r\nc:"));
    ck_assert_ptr_nonnull(strstr(t.at, "\r\n$3\r\n500\r\n$14\r\n429\n1000\n0\n\n/p\r\n"));
    ck_assert_ptr_null(strstr(t.at, "k3y"));
    text_free(&t);
    store_script_write(&r, true, &t);
    ck_assert_ptr_nonnull(strstr(t.at, "redis.call('TIME')"));
    text_free(&t);
}
END_TEST

START_TEST(errors_are_told_without_secrets)
{
    static const struct {
        const char *error, *words;
    } rows[] = {
        {"WRONGPASS invalid username-password pair or user is disabled.", "WRONGPASS"},
        {"NOAUTH Authentication required.", "NOAUTH"},
        {"MOVED 3999 127.0.0.1:6381", "MOVED"},
        {"LOADING Redis is loading the dataset in memory", "LOADING"},
        {"READONLY You can't write against a read only replica.", "READONLY"},
        {"ERR Error running script (call to f_1): @user_script:9: WRONGTYPE Operation",
         "WRONGTYPE"},
        {"WRONGTYPE Operation against a key", "WRONGTYPE"},
        {"ERR unknown command `AUTH`, with args beginning with: `bob` `s3cret`", "does not know"},
        {"ERR s3cret", "ERR"},
        {"\1\2", "??"},
    };
    char words[STORE_WHY_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        store_error_words(span_of(rows[i].error), words);
        ck_assert_msg(strstr(words, rows[i].words), "%s: %s", rows[i].error, words);
        ck_assert_msg(!strstr(words, "s3cret"), "%s", words);
    }
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(an_answer_in_pieces);
    LOOP(something_else_is_no_answer, 0, sizeof not_answers / sizeof *not_answers);
    TEST(holds_that_make_no_sense_are_left_out);
    TEST(what_is_no_resp_is_an_error);
    TEST(a_large_reply_is_an_error);
    TEST(a_long_list_is_an_error);
    TEST(a_request_has_one_hash_tag_and_no_key);
    TEST(errors_are_told_without_secrets);
}
