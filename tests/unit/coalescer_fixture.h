/* Several identical requests at once to the upstream of transaction_fixture.h, which must
 * be included before. For check_coalescer*.c. */
#pragma once

#define NUMBERED "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static struct asking many[8];

static inline void start(size_t count, const char *fields)
{
    for (size_t i = 0; i < count; i++)
        ask_whole(&many[i], "GET", fields);
}

static inline void clear_all(size_t count)
{
    for (size_t i = 0; i < count; i++)
        clear(&many[i]);
}

/* Asks, waits for the end of the response, and returns what was heard. */
static inline const char *hear(struct asking *a, const char *method, const char *fields)
{
    ask_whole(a, method, fields);
    UNTIL(a->asker.ended);
    return a->heard.at;
}

/* Asks once more: the response must have these words in its head or body. */
static inline void hears(const char *fields, const char *words)
{
    struct asking a;
    const char *heard = hear(&a, "GET", fields);
    ck_assert_msg(strstr(heard, words) != NULL, "wanted %s in %s", words, heard);
    clear(&a);
}

static inline void answers(const char *answer)
{
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = answer;
}
