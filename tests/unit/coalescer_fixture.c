#include "coalescer_fixture.h"

struct test_client many[8];

void start(size_t count, const char *fields)
{
    for (size_t i = 0; i < count; i++)
        ask_whole(&many[i], "GET", fields);
}

void clear_all(size_t count)
{
    for (size_t i = 0; i < count; i++)
        clear(&many[i]);
}

const char *hear(struct test_client *a, const char *method, const char *fields)
{
    ask_whole(a, method, fields);
    UNTIL(a->recorder.ended);
    return a->heard.at;
}

void hears(const char *fields, const char *words)
{
    struct test_client a;
    const char *heard = hear(&a, "GET", fields);
    ck_assert_msg(strstr(heard, words) != NULL, "wanted %s in %s", words, heard);
    clear(&a);
}

void answers(const char *answer)
{
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = answer;
}
