#include "net/name_constraints.h"
#include "suite.h"

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

/* Long enough for the lengths to take two and three bytes. */
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

/* ------------------------------------------------- what any CA may vouch for */

static bool admits(struct span der, int kind, struct span value)
{
    struct general_name name = {kind, value};
    size_t work = 100;
    return name_constraints_admit(der, &name, &work);
}

/* permitted test, .sub.other, 10.0.0.0/8; excluded b.test, 10.1.0.0/16, mail of x */
static const struct span limits = {"\x30\x4b\xa0\x27\x30\x06\x82\x04Test\x30\x0c\x82\x0a.sub.other"
                                   "\x30\x0a\x87\x08\x0a\0\0\0\xff\0\0\0"
                                   "\x30\x03\x82\x01q"
                                   "\xa1\x20\x30\x08\x82\x06"
                                   "b.test\x30\x0a\x87\x08\x0a\x01\0\0\xff\xff\0\0"
                                   "\x30\x08\x81\x06"
                                   "x.test",
                                   77};

START_TEST(admits_by_kind)
{
    static const struct {
        int kind;
        struct span value;
        bool admitted;
    } cases[] = {
        {NAME_DNS, {"test", 4}, true},
        {NAME_DNS, {"a.TEST", 6}, true},
        {NAME_DNS, {"*.test", 6}, true},
        {NAME_DNS, {"b.test", 6}, false},
        {NAME_DNS, {"a.b.test", 8}, false},
        {NAME_DNS, {"atest", 5}, false},
        {NAME_DNS, {"sub.other", 9}, false},
        {NAME_DNS, {"a.sub.other", 11}, true},
        {NAME_DNS, {"", 0}, false},
        {NAME_ADDRESS, {"\x0a\x02\x03\x04", 4}, true},
        {NAME_ADDRESS, {"\x0a\x01\x03\x04", 4}, false},
        {NAME_ADDRESS, {"\x0b\x02\x03\x04", 4}, false},
        {NAME_ADDRESS, {"\x0a\x02\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0", 16}, false},
        {1, {"a@y.test", 8}, false}, /* mail: cannot be compared */
        {6, {"https://evil", 12}, true},
        {NAME_DIRECTORY, {"\x30\0", 2}, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_msg(admits(limits, cases[i].kind, cases[i].value) == cases[i].admitted,
                      "case %zu", i);
}
END_TEST

/* C=X, O=Ab as printable strings; O=aB as UTF-8; a BMP string of other letters. */
#define RDN_C "\x31\x0a\x30\x08\x06\x03\x55\x04\x06\x13\x01X"
#define RDN_O(type, value) "\x31\x0b\x30\x09\x06\x03\x55\x04\x0a" type "\x02" value

START_TEST(admits_directory_names_by_their_beginning)
{
    struct span der = BYTES("\x30\x21\xa0\x1f\x30\x1d\xa4\x1b\x30\x19" RDN_C RDN_O("\x13", "Ab"));
    ck_assert(admits(der, NAME_DIRECTORY, BYTES("\x30\x19" RDN_C RDN_O("\x0c", "aB"))));
    ck_assert(admits(der, NAME_DIRECTORY,
                     BYTES("\x30\x26" RDN_C RDN_O("\x0c", "aB") RDN_O("\x0c", "zz"))));
    ck_assert(!admits(der, NAME_DIRECTORY, BYTES("\x30\x19" RDN_C RDN_O("\x0c", "Ac"))));
    ck_assert(!admits(der, NAME_DIRECTORY, BYTES("\x30\x0c" RDN_C)));
    ck_assert(!admits(der, NAME_DIRECTORY, BYTES("\x30\x19" RDN_O("\x13", "Ab") RDN_C)));
    ck_assert(!admits(der, NAME_DIRECTORY, BYTES("\x30\x0d" RDN_O("\x1e", "\0z"))));
    ck_assert(!admits(der, NAME_DIRECTORY, BYTES("\x30\x05" RDN_C)));
    ck_assert(admits(der, NAME_DNS, BYTES("any.test")));
    struct span bmp = BYTES("\x30\x15\xa0\x13\x30\x11\xa4\x0f\x30\x0d" RDN_O("\x1e", "\0b"));
    ck_assert(admits(bmp, NAME_DIRECTORY, BYTES("\x30\x0d" RDN_O("\x1e", "\0B"))));
    ck_assert(!admits(bmp, NAME_DIRECTORY, BYTES("\x30\x0d" RDN_O("\x1e", "\0c"))));
}
END_TEST

START_TEST(admits_nothing_by_what_is_malformed)
{
    static const struct span ders[] = {
        {"", 0},
        {"\x30\x02\xa0\x05", 4},
        {"\x30\x06\xa2\x04\x30\x02\x82\x00", 8},
        {"\x30\x09\xa0\x07\x30\x05\x82\x00\x80\x01\x01", 11},
        {"\x30\x0c\xa0\x04\x30\x02\x82\x00\xa1\x04\x30\x02\x87\x00",
         14}, /* an address of nothing */
    };
    for (size_t i = 0; i + 1 < COUNT_OF(ders); i++)
        ck_assert_msg(!admits(ders[i], NAME_DNS, BYTES("a.test")), "case %zu", i);
    ck_assert(!admits(ders[4], NAME_ADDRESS, BYTES("\x0a\0\0\1")));
}
END_TEST

/* The work that a hostile CA can cause by its constraints is bounded. */
START_TEST(admits_nothing_once_the_work_is_used_up)
{
    struct general_name name = {NAME_DNS, BYTES("a.test")};
    size_t work = 10;
    ck_assert(name_constraints_admit(limits, &name, &work));
    ck_assert_uint_eq(work, 3);
    ck_assert(!name_constraints_admit(limits, &name, &work));
    ck_assert_uint_eq(work, 0);
}
END_TEST

SUITE()
{
    TEST(reads_back_what_it_wrote);
    TEST(writes_many_and_long_names);
    TEST(excludes_every_address);
    TEST(permits_names_and_what_is_below);
    TEST(heeds_what_others_write);
    TEST(an_empty_name_is_every_name);
    TEST(refuses_what_is_malformed);
    TEST(admits_by_kind);
    TEST(admits_directory_names_by_their_beginning);
    TEST(admits_nothing_by_what_is_malformed);
    TEST(admits_nothing_once_the_work_is_used_up);
}
