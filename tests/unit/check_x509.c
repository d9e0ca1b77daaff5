/* Certificates made by openssl, read alone, in bundles, and as a handshake reads them. */
#include <mbedtls/oid.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "net/tls_context.h"
#include "net/x509.h"
#include "suite.h"

static char dir[64];
static mbedtls_x509_crt chain;

static PRINTF_LIKE(1, 2) void shell(const char *format, ...)
{
    char command[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    ck_assert_msg(system(command) == 0, "%s", command);
}

/* NAME.pem and NAME.der, with this extension. */
static void make(const char *name, const char *extension)
{
    shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout k.key "
          "-subj /CN=%s -days 9 -addext '%s' -out %s.pem 2>out && "
          "openssl x509 -in %s.pem -outform DER -out %s.der",
          name, extension, name, name, name);
}

static struct text content(const char *file)
{
    struct text t = {0};
    FILE *f = fopen(file, "r");
    ck_assert_ptr_nonnull(f);
    text_added(&t, fread(text_reserve(&t, 100000), 1, 100000, f));
    fclose(f);
    return t;
}

static void set_up(void)
{
    tls_start();
    snprintf(dir, sizeof dir, "/tmp/check_x509.XXXXXX");
    ck_assert(mkdtemp(dir) != NULL && chdir(dir) == 0);
    mbedtls_x509_crt_init(&chain);
    make("plain", "basicConstraints=CA:TRUE");
    make("named", "nameConstraints=critical,permitted;DNS:a.test");
    make("odd", "1.2.3.4=critical,ASN1:NULL");
}

static void tear_down(void)
{
    mbedtls_x509_crt_free(&chain);
    shell("rm -r %s", dir);
}

static size_t length(void)
{
    size_t n = 0;
    for (const mbedtls_x509_crt *c = &chain; c && c->raw.len; c = c->next)
        n++;
    return n;
}

/* How many certificates of the file can be read, and how many cannot. */
static void reads(const char *file, size_t good, size_t bad)
{
    struct text t = content(file);
    size_t unreadable;
    mbedtls_x509_crt_free(&chain);
    mbedtls_x509_crt_init(&chain);
    int error = x509_read(&chain, text_span(&t), &unreadable);
    ck_assert_msg((error == 0) == (good > 0), "%s: -0x%x", file, (unsigned)-error);
    ck_assert_msg(length() == good && unreadable == bad, "%s: %zu and %zu", file, length(),
                  unreadable);
    text_free(&t);
}

START_TEST(reads_pem_and_der)
{
    shell("(echo hello; cat plain.pem; echo and; cat odd.pem named.pem; echo bye) >mixed.pem; "
          "(cat plain.pem; head -c 200 named.pem) >torn.pem; echo hello >text.pem");
    reads("plain.pem", 1, 0);
    reads("plain.der", 1, 0);
    reads("named.pem", 1, 0);
    reads("mixed.pem", 2, 1);
    reads("torn.pem", 1, 1);
    reads("odd.pem", 0, 1);
    reads("text.pem", 0, 0);
    reads("/dev/null", 0, 0);
}
END_TEST

START_TEST(finds_an_extension)
{
    static const struct span oid = {MBEDTLS_OID_NAME_CONSTRAINTS,
                                    MBEDTLS_OID_SIZE(MBEDTLS_OID_NAME_CONSTRAINTS)};
    struct span value;
    reads("plain.pem", 1, 0);
    ck_assert(x509_extension(&chain, oid, &value) && value.at == NULL);
    reads("named.pem", 1, 0);
    ck_assert(x509_extension(&chain, oid, &value));
    ck_assert(span_is(value, (struct span){"\x30\x0c\xa0\x0a\x30\x08\x82\x06"
                                           "a.test",
                                           14}));
}
END_TEST

static int show(const char *file)
{
    struct text t = content(file);
    int error = mbedtls_x509_crt_parse_der(&chain, (const unsigned char *)t.at, t.len);
    text_free(&t);
    return error;
}

/* Replaces the function of this name that libmbedtls calls when an origin sends its chain. */
START_TEST(a_handshake_reads_by_the_same_rule)
{
    ck_assert_int_ne(show("odd.der"), 0); /* the origin's own certificate must be readable */
    ck_assert_int_eq(show("named.der"), 0);
    ck_assert_int_eq(show("odd.der"), 0);
    ck_assert_uint_eq(length(), 1);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(show("plain.der"), 0);
    ck_assert_uint_eq(length(), X509_SHOWN_MAX);
}
END_TEST

SUITE()
{
    FIXTURE(set_up, tear_down);
    TEST(reads_pem_and_der);
    TEST(finds_an_extension);
    TEST(a_handshake_reads_by_the_same_rule);
}
