/* Checks with openssl the CA and the certificates that it signs. */
#include <fcntl.h>
#include <mbedtls/pem.h>
#include <mbedtls/psa_util.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/ca.h"
#include "net/tls_context.h"
#include "suite.h"

static char dir[64];

static void set_up(void)
{
    tls_start();
    snprintf(dir, sizeof dir, "/tmp/check_ca.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

static void tear_down(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static PRINTF_LIKE(1, 2) int shell(const char *format, ...)
{
    char command[2000];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return system(command);
}

static void write_file(const char *path, struct span content)
{
    FILE *f = fopen(path, "w");
    ck_assert(f && fwrite(content.at, 1, content.len, f) == content.len && fclose(f) == 0);
}

static const char *read_file(const char *path)
{
    static char content[20000];
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    content[fread(content, 1, sizeof content - 1, f)] = '\0';
    fclose(f);
    return content;
}

static const char *const hosts[] = {"binance.test", "api.kraken.test"};

/* ca.pem, issuer.pem and ca.key */
static struct ca *make(void)
{
    struct ca_files made = {0};
    char why[160];
    struct ca_error error;
    ck_assert_msg(ca_make(hosts, COUNT_OF(hosts), time(NULL), &made, why, sizeof why), "%s", why);
    write_file("ca.pem", text_span(&made.anchor));
    write_file("issuer.pem", text_span(&made.issuer));
    write_file("ca.key", text_span(&made.key));
    ck_assert_int_eq(chmod("ca.key", 0600), 0);
    ca_files_free(&made);
    struct ca *ca = ca_load("issuer.pem", "ca.key", &error);
    ck_assert_msg(ca != NULL, "%s", error.words);
    return ca;
}

/* leaf.pem; chain.pem contains the other certificates that are sent. */
static void save_leaf(const struct leaf *leaf)
{
    unsigned char pem[4096];
    size_t len;
    struct text chain = {0};
    text_add_str(&chain, ""); /* it may stay empty */
    for (const mbedtls_x509_crt *c = &leaf->cert; c; c = c->next) {
        ck_assert_int_eq(mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
                                                  "-----END CERTIFICATE-----\n", c->raw.p,
                                                  c->raw.len, pem, sizeof pem, &len),
                         0);
        if (c == &leaf->cert)
            write_file("leaf.pem", (struct span){(char *)pem, len - 1});
        else
            text_add(&chain, (struct span){(char *)pem, len - 1});
    }
    write_file("chain.pem", text_span(&chain));
    text_free(&chain);
}

/* As strict as Python 3.13 is. */
static int verify(const char *name)
{
    return shell(
        "openssl verify -CAfile ca.pem -untrusted chain.pem -x509_strict -purpose sslserver "
        "-verify_hostname %s leaf.pem >out 2>&1",
        name);
}

static void must_refuse(const char *cert, const char *key, bool in_key, const char *words)
{
    struct ca_error error = {0};
    ck_assert_msg(ca_load(cert, key, &error) == NULL, "%s was taken", cert);
    ck_assert_msg(strstr(error.words, words) != NULL, "%s: %s", cert, error.words);
    ck_assert_msg(strstr(error.words, in_key ? "ca_key " : "ca_cert ") == error.words, "%s",
                  error.words);
    ck_assert(error.in_key == in_key);
    ck_assert(strchr(error.words, '\n') == NULL);
}

/* A CA made by openssl, own.pem and own.key. */
static void make_own(const char *algorithm, const char *subject, const char *extensions,
                     const char *more)
{
    char config[1000];
    snprintf(config, sizeof config, "[req]\ndistinguished_name=dn\n%s\n[dn]\n[x]\n%s\n", more,
             extensions);
    write_file("config", span_of(config));
    ck_assert_msg(shell("openssl req -x509 -new -newkey %s -nodes -keyout own.key -config config "
                        "-extensions x -subj '%s' -days 30 -out own.pem 2>out",
                        algorithm, subject) == 0,
                  "%s", read_file("out"));
}

#define EC "ec -pkeyopt ec_paramgen_curve:prime256v1"
#define IS_CA "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash\n"
#define NAMED "nameConstraints=critical,permitted;DNS:own.test\n"

START_TEST(signs_for_its_hosts_and_below)
{
    static const char *const names[] = {
        "binance.test", "a.binance.test", "api.kraken.test",
        "a-name-of-more-than-64-characters-altogether-and-so-too-long.for-a-cn.binance.test"};
    struct ca *ca = make();
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct leaf leaf;
        ck_assert(ca_may_sign(ca, names[i], time(NULL)));
        ck_assert_int_eq(ca_sign(ca, names[i], time(NULL), &leaf), 0);
        save_leaf(&leaf);
        ck_assert_msg(verify(names[i]) == 0, "%s: %s", names[i], read_file("out"));
        ck_assert(verify("other.test") != 0);
        leaf_free(&leaf);
    }
    ca_unref(ca);
}
END_TEST

START_TEST(knows_what_it_may_not_sign)
{
    static const char *const names[] = {"kraken.test", "other.test", "xbinance.test", "127.0.0.1",
                                        "::1",         "",           "test"};
    struct ca *ca = make();
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_msg(!ca_may_sign(ca, names[i], time(NULL)), "%s", names[i]);
    ca_unref(ca);
}
END_TEST

/* Signs a certificate that trunkline itself refuses to sign with the CA's own key, and checks that
 * openssl rejects it. */
static void must_not_vouch(const char *subject, const char *extensions, const char *words)
{
    write_file("ext", span_of(extensions));
    ck_assert_int_eq(shell("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                           "-nodes -keyout leaf.key -subj '%s' -out leaf.csr 2>out && "
                           "openssl x509 -req -in leaf.csr -CA issuer.pem -CAkey ca.key -days 5 "
                           "-extfile ext -out leaf.pem 2>out",
                           subject),
                     0);
    ck_assert(shell("openssl verify -CAfile ca.pem -untrusted issuer.pem leaf.pem >out 2>&1") != 0);
    ck_assert_msg(strstr(read_file("out"), words) != NULL, "%s: %s", extensions, read_file("out"));
}

START_TEST(can_vouch_for_nothing_else)
{
    ca_unref(make());
    must_not_vouch("/CN=x", "subjectAltName=DNS:other.test", "permitted subtree violation");
    must_not_vouch("/CN=x", "subjectAltName=DNS:binance.test,DNS:other.test",
                   "permitted subtree violation");
    must_not_vouch("/CN=other.test", "keyUsage=digitalSignature", "permitted subtree violation");
    must_not_vouch("/CN=x", "subjectAltName=IP:127.0.0.1", "excluded subtree violation");
    must_not_vouch("/CN=x", "subjectAltName=IP:2001:db8::1", "excluded subtree violation");
}
END_TEST

START_TEST(cannot_make_other_cas)
{
    ca_unref(make());
    ck_assert_int_eq(
        shell(
            "printf 'basicConstraints=critical,CA:TRUE\n' >ext && "
            "for n in sub leaf; do openssl req -new -newkey ec -pkeyopt "
            "ec_paramgen_curve:prime256v1 -nodes -keyout $n.key -subj /CN=$n -out $n.csr; done "
            "2>out && openssl x509 -req -in sub.csr -CA issuer.pem -CAkey ca.key -extfile ext "
            "-out sub.pem 2>out && printf 'subjectAltName=DNS:binance.test\n' >ext && "
            "openssl x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key -extfile ext -out leaf.pem "
            "2>out"),
        0);
    ck_assert(shell("cat issuer.pem >>sub.pem; openssl verify -CAfile ca.pem -untrusted sub.pem "
                    "leaf.pem >out 2>&1") != 0);
    ck_assert_msg(strstr(read_file("out"), "path length") != NULL, "%s", read_file("out"));
}
END_TEST

START_TEST(says_so_in_its_certificate)
{
    ca_unref(make());
    ck_assert_int_eq(shell("openssl x509 -in issuer.pem -noout -text | tr -s '\n ' ' ' >out"), 0);
    const char *text = read_file("out");
    static const char *const phrases[] = {
        "NIST CURVE: P-256",
        "Basic Constraints: critical CA:TRUE, pathlen:0",
        "Authority Key Identifier",
        "Key Usage: critical Certificate Sign, CRL Sign",
        "TLS Web Server Authentication",
        "Name Constraints: critical Permitted: DNS:binance.test DNS:api.kraken.test Excluded: "
        "IP:0.0.0.0/0.0.0.0 IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0",
    };
    for (size_t i = 0; i < COUNT_OF(phrases); i++)
        ck_assert_msg(strstr(text, phrases[i]) != NULL, "%s: %s", phrases[i], text);
    ck_assert(strstr(text, "Client Authentication") == NULL);
}
END_TEST

/* The key of the trust anchor is stored nowhere; the issuer below it is the only one. */
START_TEST(anchor_and_issuer_are_two)
{
    ca_unref(make());
    ck_assert_int_eq(shell("openssl x509 -in ca.pem -noout -text | tr -s '\n ' ' ' >out"), 0);
    const char *text = read_file("out");
    ck_assert(strstr(text, "Basic Constraints: critical CA:TRUE, pathlen:1") != NULL);
    ck_assert(strstr(text, "Name Constraints: critical Permitted: DNS:binance.test") != NULL);
    ck_assert(shell("openssl verify -CAfile ca.pem -x509_strict issuer.pem >out 2>&1") == 0);
    ck_assert(shell("for f in ca issuer; do openssl x509 -in $f.pem -noout -pubkey >$f.pub; done; "
                    "openssl pkey -in ca.key -pubout >key.pub; cmp -s issuer.pub key.pub && "
                    "! cmp -s ca.pub key.pub") == 0);
    must_refuse("ca.pem", "ca.key", true, "is not the key of ca_cert");
}
END_TEST

/* The same certificate is trust anchor and issuer, as older versions of ca init made it. It need
 * not be sent. */
START_TEST(takes_one_made_before)
{
    struct leaf leaf;
    struct ca_error error;
    make_own(EC, "/O=trunkline/CN=trunkline local CA",
             "basicConstraints=critical,CA:TRUE,pathlen:0\nsubjectKeyIdentifier=hash\n" NAMED, "");
    struct ca *ca = ca_load("own.pem", "own.key", &error);
    ck_assert_msg(ca != NULL, "%s", error.words);
    ck_assert_int_eq(ca_sign(ca, "own.test", time(NULL), &leaf), 0);
    ck_assert(leaf.cert.next == NULL);
    leaf_free(&leaf);
    ca_unref(ca);
}
END_TEST

/* With a PKI of the operator's own, all certificates between the leaf and the trust anchor are
 * sent. */
START_TEST(shows_the_issuers_above)
{
    struct leaf leaf;
    struct ca_error error;
    ca_unref(make());
    ck_assert_int_eq(shell("mv ca.pem top.pem; cat issuer.pem top.pem >both.pem"), 0);
    struct ca *ca = ca_load("both.pem", "ca.key", &error);
    ck_assert_msg(ca != NULL, "%s", error.words);
    ck_assert_int_eq(ca_sign(ca, "binance.test", time(NULL), &leaf), 0);
    ck_assert(leaf.cert.next != NULL && leaf.cert.next->next == NULL);
    leaf_free(&leaf);
    ca_unref(ca);
    ck_assert_int_eq(shell("(cat issuer.pem; head -c 300 top.pem) >torn.pem"), 0);
    must_refuse("torn.pem", "ca.key", false, "cannot be read");
}
END_TEST

static const char *serial_and_name(const char *cert)
{
    static char words[2][400];
    static unsigned next;
    char *at = words[next++ % 2];
    ck_assert_int_eq(shell("openssl x509 -in %s -noout -serial -subject >out", cert), 0);
    snprintf(at, sizeof words[0], "%s", read_file("out"));
    return at;
}

START_TEST(no_two_are_alike)
{
    struct ca *first = make();
    const char *words = serial_and_name("issuer.pem");
    struct ca *second = make();
    ck_assert_str_ne(words, serial_and_name("issuer.pem"));
    ck_assert(ca_is(first, first) && !ca_is(first, second));
    ca_unref(first);
    ca_unref(second);
}
END_TEST

static bool is_pair(const struct leaf *cert, const struct leaf *key)
{
    return mbedtls_pk_check_pair(&cert->cert.pk, &key->key, mbedtls_psa_get_random,
                                 MBEDTLS_PSA_RANDOM_STATE) == 0;
}

/* The certificate is backdated for clients with slow clocks, and renewed long before it expires for
 * clients with fast clocks. */
START_TEST(leaves_are_short_lived)
{
    struct ca *ca = make();
    struct leaf one, two;
    ck_assert_int_eq(ca_sign(ca, "binance.test", time(NULL), &one), 0);
    ck_assert_int_eq(ca_sign(ca, "binance.test", time(NULL), &two), 0);
    time_t now = time(NULL);
    ck_assert(one.renew_at > now + 86400 && one.renew_at < now + 7 * 86400);
    save_leaf(&one);
    ck_assert_int_eq(shell("openssl x509 -in leaf.pem -noout -checkend %ld >out",
                           (long)(one.renew_at - now + 86400)),
                     0);
    ck_assert(shell("openssl x509 -in leaf.pem -noout -checkend %d >out", 8 * 86400) != 0);
    ck_assert_int_eq(
        shell("openssl verify -CAfile ca.pem -untrusted chain.pem -attime %ld leaf.pem >out 2>&1",
              (long)now - 1800),
        0);
    ck_assert(one.cert.serial.len != two.cert.serial.len ||
              memcmp(one.cert.serial.p, two.cert.serial.p, one.cert.serial.len) != 0);
    ck_assert(is_pair(&one, &one));
    ck_assert(!is_pair(&one, &two));
    leaf_free(&one);
    leaf_free(&two);
    ca_unref(ca);
}
END_TEST

START_TEST(tells_whether_the_key_is_exposed)
{
    static const struct {
        mode_t mode;
        bool exposed;
    } cases[] = {{0600, false}, {0400, false}, {0640, false}, {0440, false},
                 {0660, true},  {0644, true},  {0604, true},  {0666, true}};
    struct ca_error error;
    ca_unref(make());
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert_int_eq(chmod("ca.key", cases[i].mode), 0);
        struct ca *ca = ca_load("issuer.pem", "ca.key", &error);
        ck_assert(ca != NULL && ca_key_is_exposed(ca) == cases[i].exposed);
        ca_unref(ca);
    }
}
END_TEST

START_TEST(refuses_bad_files)
{
    ca_unref(make());
    ck_assert_int_eq(
        shell("cp ca.key first.key; head -c 300 issuer.pem >half.pem; echo hi >hi.pem; "
              "head -c 100 ca.key >half.key; head -c 400000 /dev/zero >big.pem"),
        0);
    must_refuse("none.pem", "ca.key", false, "No such file");
    must_refuse("issuer.pem", "none.key", true, "No such file");
    must_refuse("/", "ca.key", false, "Is a directory");
    must_refuse("half.pem", "ca.key", false, "cannot be read: PEM");
    must_refuse("hi.pem", "ca.key", false, "cannot be read: PEM");
    must_refuse("big.pem", "ca.key", false, "too large");
    must_refuse("ca.key", "ca.key", false, "cannot be read: PEM");
    must_refuse("issuer.pem", "half.key", true, "cannot be read");
    must_refuse("issuer.pem", "ca.pem", true, "cannot be read");
    ca_unref(make());
    must_refuse("issuer.pem", "first.key", true, "is not the key of ca_cert");
}
END_TEST

START_TEST(takes_what_openssl_makes)
{
    static const char *const algorithms[] = {EC, "ec -pkeyopt ec_paramgen_curve:secp384r1",
                                             "rsa:2048"};
    struct ca_error error;
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        struct leaf leaf;
        make_own(algorithms[i], "/O=Some, one/CN=own", IS_CA NAMED, "");
        struct ca *ca = ca_load("own.pem", "own.key", &error);
        ck_assert_msg(ca != NULL, "%s: %s", algorithms[i], error.words);
        ck_assert(ca_may_sign(ca, "a.own.test", time(NULL)) &&
                  !ca_may_sign(ca, "binance.test", time(NULL)));
        ck_assert_int_eq(ca_sign(ca, "a.own.test", time(NULL), &leaf), 0);
        save_leaf(&leaf);
        ck_assert_msg(shell("openssl verify -CAfile own.pem -verify_hostname a.own.test leaf.pem "
                            ">out 2>&1") == 0,
                      "%s", read_file("out"));
        leaf_free(&leaf);
        ca_unref(ca);
    }
}
END_TEST

START_TEST(refuses_what_would_not_be_believed)
{
    make_own(EC, "/CN=own", "basicConstraints=CA:FALSE\n" NAMED, "");
    must_refuse("own.pem", "own.key", false, "is not the certificate of a CA");
    make_own(EC, "/CN=own", IS_CA NAMED "keyUsage=digitalSignature\n", "");
    must_refuse("own.pem", "own.key", false, "may not be used to sign");
    make_own(EC, "/CN=own", IS_CA NAMED "extendedKeyUsage=emailProtection\n", "");
    must_refuse("own.pem", "own.key", false, "may not be used to sign");
    make_own(EC, "/CN=own", IS_CA, "");
    must_refuse("own.pem", "own.key", false, "could vouch for any host");
    make_own(EC, "/CN=own", IS_CA "nameConstraints=critical,excluded;DNS:x.test\n", "");
    must_refuse("own.pem", "own.key", false, "could vouch for any host");
    make_own(EC, "/CN=own", IS_CA NAMED "1.2.3.4=critical,DER:0500\n", "");
    must_refuse("own.pem", "own.key", false, "cannot be read");
    make_own(EC, "/CN=own", "basicConstraints=CA:TRUE\nsubjectKeyIdentifier=01:02\n" NAMED, "");
    must_refuse("own.pem", "own.key", false, "of an unusual kind");
    make_own(EC, "/C=DE/L=Ulm/CN=own", IS_CA NAMED, "string_mask=pkix");
    must_refuse("own.pem", "own.key", false, "of an unusual kind");
}
END_TEST

START_TEST(refuses_one_out_of_date)
{
    make_own(EC, "/CN=own", IS_CA NAMED, "");
    ck_assert_int_eq(shell("openssl x509 -in own.pem -signkey own.key -days -1 -out late.pem "
                           "2>out"),
                     0);
    must_refuse("late.pem", "own.key", false, "is out of date");
}
END_TEST

SUITE()
{
    FIXTURE(set_up, tear_down);
    TEST(signs_for_its_hosts_and_below);
    TEST(knows_what_it_may_not_sign);
    TEST(can_vouch_for_nothing_else);
    TEST(cannot_make_other_cas);
    TEST(says_so_in_its_certificate);
    TEST(anchor_and_issuer_are_two);
    TEST(takes_one_made_before);
    TEST(shows_the_issuers_above);
    TEST(no_two_are_alike);
    TEST(leaves_are_short_lived);
    TEST(tells_whether_the_key_is_exposed);
    TEST(refuses_bad_files);
    TEST(takes_what_openssl_makes);
    TEST(refuses_what_would_not_be_believed);
    TEST(refuses_one_out_of_date);
}
