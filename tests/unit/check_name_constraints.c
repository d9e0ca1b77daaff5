#include <check.h>

#include "net/name_constraints.h"

static struct name_constraints made(const char *const *hosts, size_t count)
{
    struct name_constraints c = {0};
    struct text der = {0};
    const char *why = "";
    name_constraints_write(hosts, count, &der);
    ck_assert_msg(name_constraints_read(&c, text_span(&der), &why), "%s", why);
    text_free(&der);
    return c;
}

START_TEST(reads_back_what_it_wrote)
{
    static const char *const hosts[] = {"api.binance.com", "kraken.com"};
    struct name_constraints c = made(hosts, COUNT_OF(hosts));
    ck_assert_uint_eq(c.permitted_count, 2);
    ck_assert_uint_eq(c.excluded_count, 0);
    ck_assert_str_eq(c.permitted[0], "api.binance.com");
    ck_assert_str_eq(c.permitted[1], "kraken.com");
    name_constraints_free(&c);
}
END_TEST

/* Its lengths then take two and three bytes. */
START_TEST(writes_many_and_long_names)
{
    static char names[300][254];
    const char *hosts[COUNT_OF(names)];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        memset(names[i], 'a' + (int)(i % 26), 253);
        names[i][60] = names[i][120] = names[i][180] = names[i][240] = '.';
        hosts[i] = names[i];
    }
    struct name_constraints c = made(hosts, COUNT_OF(names));
    ck_assert_uint_eq(c.permitted_count, COUNT_OF(names));
    ck_assert_str_eq(c.permitted[299], hosts[299]);
    ck_assert(name_constraints_permit(&c, hosts[7]));
    name_constraints_free(&c);
}
END_TEST

/* As openssl writes "excluded;IP:0/0" and "excluded;IP:::/0". */
START_TEST(excludes_every_address)
{
    static const char *const hosts[] = {"a.test"};
    static const char expected[] = "\x30\x3e"
                                   "\xa0\x0a\x30\x08\x82\x06"
                                   "a.test"
                                   "\xa1\x30\x30\x0a\x87\x08\0\0\0\0\0\0\0\0\x30\x22\x87\x20"
                                   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    struct text der = {0};
    name_constraints_write(hosts, 1, &der);
    ck_assert_uint_eq(der.len, sizeof expected);
    ck_assert_mem_eq(der.at, expected, sizeof expected);
    text_free(&der);
}
END_TEST

START_TEST(permits_names_and_what_is_below)
{
    static const char *const hosts[] = {"binance.com", "api.kraken.com"};
    static const struct {
        const char *host;
        bool permitted;
    } cases[] = {
        {"binance.com", true},
        {"api.binance.com", true},
        {"a.b.binance.com", true},
        {"api.kraken.com", true},
        {"kraken.com", false},
        {"evilbinance.com", false},
        {"binance.com.evil", false},
        {"com", false},
        {"", false},
        {"inance.com", false},
    };
    struct name_constraints c = made(hosts, COUNT_OF(hosts));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(name_constraints_permit(&c, cases[i].host) == cases[i].permitted, "%s",
                      cases[i].host);
    name_constraints_free(&c);
}
END_TEST

static struct span bytes(const char *at, size_t len)
{
    return (struct span){at, len};
}

#define BYTES(literal) bytes(literal, sizeof(literal) - 1)

START_TEST(heeds_what_others_write)
{
    struct name_constraints c = {0};
    const char *why = "";
    /* permitted A.test, ".sub.test"; excluded b.a.test, an e-mail address */
    ck_assert(name_constraints_read(&c,
                                    BYTES("\x30\x31\xa0\x17\x30\x08\x82\x06"
                                          "A.test"
                                          "\x30\x0b\x82\x09.sub.test"
                                          "\xa1\x16\x30\x0a\x82\x08"
                                          "b.a.test"
                                          "\x30\x08\x81\x06@.test"),
                                    &why));
    ck_assert(name_constraints_permit(&c, "a.test"));
    ck_assert(name_constraints_permit(&c, "c.a.test"));
    ck_assert(!name_constraints_permit(&c, "b.a.test"));
    ck_assert(!name_constraints_permit(&c, "x.b.a.test"));
    ck_assert(!name_constraints_permit(&c, "sub.test"));
    ck_assert(name_constraints_permit(&c, "x.sub.test"));
    name_constraints_free(&c);
}
END_TEST

START_TEST(an_empty_name_is_every_name)
{
    struct name_constraints c = {0};
    const char *why = "";
    ck_assert(name_constraints_read(&c, BYTES("\x30\x06\xa0\x04\x30\x02\x82\x00"), &why));
    ck_assert(name_constraints_permit(&c, "whatever.test"));
    name_constraints_free(&c);
}
END_TEST

START_TEST(refuses_what_is_malformed)
{
    static const struct {
        struct span der;
        const char *words;
    } cases[] = {
        {{"", 0}, "malformed"},
        {{"\x30", 1}, "malformed"},
        {{"\x30\x05", 2}, "malformed"},
        {{"\x31\x00", 2}, "malformed"},
        {{"\x30\x00x", 3}, "malformed"},
        {{"\x30\x02\xa0\x05", 4}, "malformed"},
        {{"\x30\x04\xa0\x02\x30\x00", 6}, "malformed"},
        {{"\x30\x06\xa2\x04\x30\x02\x82\x00", 8}, "malformed"},
        {{"\x30\x09\xa0\x07\x30\x05\x82\x00\x80\x01\x01", 11}, "malformed"}, /* a minimum */
        {{"\x30\x09\xa0\x07\x30\x05\x82\x03"
          "a\0b",
          11},
         "malformed"},
        {{"\x30\x08\xa0\x06\x30\x04\xa4\x02\x30\x00", 10}, "directory names"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct name_constraints c = {0};
        const char *why = "";
        ck_assert_msg(!name_constraints_read(&c, cases[i].der, &why), "case %zu", i);
        ck_assert_msg(strstr(why, cases[i].words) != NULL, "case %zu: %s", i, why);
        name_constraints_free(&c);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("name_constraints");
    TCase *all = tcase_create("all");
    tcase_add_test(all, reads_back_what_it_wrote);
    tcase_add_test(all, writes_many_and_long_names);
    tcase_add_test(all, excludes_every_address);
    tcase_add_test(all, permits_names_and_what_is_below);
    tcase_add_test(all, heeds_what_others_write);
    tcase_add_test(all, an_empty_name_is_every_name);
    tcase_add_test(all, refuses_what_is_malformed);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
