#include "net/ca.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <stdio.h>
#include <sys/stat.h>

#include "net/certificate.h"
#include "net/name_constraints.h"
#include "net/x509.h"

#define HOUR (time_t)3600
#define DAY (24 * HOUR)

/* A compromise between the risk of keeping a key on disk and the work of configuring each client
 * with the next CA. */
#define CA_DAYS 1826
#define LEAF_DAYS 7
#define RENEW_DAYS 5 /* a client's clock may be days ahead */
#define EARLIER HOUR /* or behind */

#define PEM_SIZE 4096
#define FILE_SIZE_MAX (256 * 1024)
#define COMMON_NAME_MAX 64 /* RFC 5280 A.1, ub-common-name */

#define PEM_CERT_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_CERT_END "-----END CERTIFICATE-----"

struct ca {
    unsigned refs;
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    struct name_constraints names;
    time_t until;
    bool key_is_exposed;
    char subject[512];
};

/* -------------------------------------------------------------------- making */

/* Each CA has a different name, since clients look up an issuer by its name. */
static int make_names(char *anchor, char *issuer, size_t size)
{
    unsigned char mark[4];
    int error = mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, mark, sizeof mark);
    snprintf(anchor, size, "O=trunkline, CN=trunkline local CA %02x%02x%02x%02x", mark[0], mark[1],
             mark[2], mark[3]);
    snprintf(issuer, size, "O=trunkline, CN=trunkline local issuer %02x%02x%02x%02x", mark[0],
             mark[1], mark[2], mark[3]);
    return error;
}

static int add_pem(const struct text *der, struct text *pem)
{
    size_t len;
    size_t room = der->len * 2 + sizeof PEM_CERT_BEGIN + sizeof PEM_CERT_END + 2;
    char *to = text_reserve(pem, room);
    int error = mbedtls_pem_write_buffer(PEM_CERT_BEGIN "\n", PEM_CERT_END "\n",
                                         (const unsigned char *)der->at, der->len,
                                         (unsigned char *)to, room, &len);
    if (error == 0)
        text_added(pem, len - 1); /* the length includes the NUL */
    return error;
}

static int add_key(const mbedtls_pk_context *key, struct text *pem)
{
    char buffer[PEM_SIZE];
    int error = mbedtls_pk_write_key_pem(key, (unsigned char *)buffer, sizeof buffer);
    if (error == 0)
        text_add_str(pem, buffer);
    mbedtls_platform_zeroize(buffer, sizeof buffer);
    return error;
}

static int write_pem(const struct certificate *c, struct text *pem)
{
    struct text der = {0};
    int error = certificate_write(c, &der);
    if (error == 0)
        error = add_pem(&der, pem);
    text_free(&der);
    return error;
}

/* Both are constrained: most clients apply the constraints of the anchor as well. */
static int make_pair(mbedtls_pk_context *anchor_key, mbedtls_pk_context *key,
                     struct span constraints, time_t now, struct ca_files *files)
{
    char anchor[80], issuer[80];
    int error = make_names(anchor, issuer, sizeof anchor);
    struct certificate c = {.subject = anchor,
                            .issuer = anchor,
                            .key = anchor_key,
                            .issuer_key = anchor_key,
                            .from = now - EARLIER,
                            .until = now + CA_DAYS * DAY,
                            .constraints = constraints,
                            .path_len = 1};
    if (error == 0)
        error = write_pem(&c, &files->anchor);
    c.subject = issuer;
    c.key = key;
    c.path_len = 0;
    if (error == 0)
        error = write_pem(&c, &files->issuer);
    return error ? error : add_key(key, &files->key);
}

/* The anchor's key signs the issuer, and is then discarded. */
bool ca_make(const char *const *hosts, size_t count, time_t now, struct ca_files *files,
             char *words, size_t size)
{
    mbedtls_pk_context anchor_key, key;
    struct text constraints = {0};
    mbedtls_pk_init(&anchor_key);
    mbedtls_pk_init(&key);
    name_constraints_write(hosts, count, &constraints);
    int error = certificate_make_key(&anchor_key);
    if (error == 0)
        error = certificate_make_key(&key);
    if (error == 0)
        error = make_pair(&anchor_key, &key, text_span(&constraints), now, files);
    if (error)
        mbedtls_strerror(error, words, size);
    text_free(&constraints);
    mbedtls_pk_free(&anchor_key);
    mbedtls_pk_free(&key);
    return error == 0;
}

void ca_files_free(struct ca_files *f)
{
    if (f->key.at)
        mbedtls_platform_zeroize(f->key.at, f->key.room);
    text_free(&f->anchor);
    text_free(&f->issuer);
    text_free(&f->key);
}

/* ------------------------------------------------------------------- signing */

static bool same_bytes(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static bool is_self_issued(const mbedtls_x509_crt *c)
{
    return same_bytes(&c->issuer_raw, &c->subject_raw);
}

static struct span raw(const mbedtls_x509_crt *c)
{
    return (struct span){(const char *)c->raw.p, c->raw.len};
}

/* Clients have the anchor, and nothing else (RFC 8446 4.4.2). */
static int add_issuers(const struct ca *ca, struct leaf *leaf)
{
    int error = 0;
    for (const mbedtls_x509_crt *c = &ca->cert; c && error == 0; c = c->next)
        if (!is_self_issued(c))
            error = x509_read_der(&leaf->cert, raw(c));
    return error;
}

static int sign(struct ca *ca, const char *host, time_t now, struct leaf *leaf)
{
    char subject[128];
    struct text der = {0};
    time_t until = now + LEAF_DAYS * DAY;
    bool fits = strlen(host) <= COMMON_NAME_MAX;
    mbedtls_x509_crt_init(&leaf->cert);
    mbedtls_pk_init(&leaf->key);
    leaf->renew_at = now + RENEW_DAYS * DAY;
    snprintf(subject, sizeof subject, "O=trunkline%s%s", fits ? ", CN=" : "", fits ? host : "");
    struct certificate c = {.subject = subject,
                            .issuer = ca->subject,
                            .key = &leaf->key,
                            .issuer_key = &ca->key,
                            .from = now - EARLIER,
                            .until = until < ca->until ? until : ca->until,
                            .host = host};
    int error = certificate_make_key(&leaf->key);
    if (error == 0)
        error = certificate_write(&c, &der);
    if (error == 0)
        error = x509_read_der(&leaf->cert, text_span(&der));
    if (error == 0)
        error = add_issuers(ca, leaf);
    text_free(&der);
    return error;
}

int ca_sign(struct ca *ca, const char *host, time_t now, struct leaf *leaf)
{
    CHECK(ca_may_sign(ca, host, now));
    return sign(ca, host, now, leaf);
}

void leaf_free(struct leaf *leaf)
{
    mbedtls_x509_crt_free(&leaf->cert);
    mbedtls_pk_free(&leaf->key);
}

/* ------------------------------------------------------------------- reading */

static bool deny_cert(struct ca_error *e, const char *words)
{
    e->in_key = false;
    snprintf(e->words, sizeof e->words, "%s", words);
    return false;
}

static bool deny_code(struct ca_error *e, bool in_key, int code)
{
    char words[160];
    mbedtls_strerror(code, words, sizeof words);
    e->in_key = in_key;
    snprintf(e->words, sizeof e->words, "cannot be read: %s", words);
    return false;
}

static bool read_constraints(struct ca *ca, struct ca_error *e)
{
    static const struct span oid = {MBEDTLS_OID_NAME_CONSTRAINTS,
                                    MBEDTLS_OID_SIZE(MBEDTLS_OID_NAME_CONSTRAINTS)};
    struct span value;
    const char *why;
    if (!x509_extension(&ca->cert, oid, &value))
        return deny_cert(e, "it has name constraints twice");
    return value.at == NULL || name_constraints_read(&ca->names, value, &why) || deny_cert(e, why);
}

/* The issuer comes first. */
static bool read_cert(struct ca *ca, struct span pem, struct ca_error *e)
{
    size_t unreadable = 0;
    int error = MBEDTLS_ERR_PEM_NO_HEADER_FOOTER_PRESENT;
    if (strstr(pem.at, PEM_CERT_BEGIN))
        error = x509_read(&ca->cert, pem, &unreadable);
    if (error == 0 && unreadable)
        error = MBEDTLS_ERR_X509_INVALID_FORMAT;
    return error ? deny_code(e, false, error) : read_constraints(ca, e);
}

static bool read_key(struct ca *ca, struct span pem, struct ca_error *e)
{
    int error = mbedtls_pk_parse_key(&ca->key, (const unsigned char *)pem.at, pem.len + 1, NULL, 0,
                                     mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    if (error)
        return deny_code(e, true, error);
    if (mbedtls_pk_check_pair(&ca->cert.pk, &ca->key, mbedtls_psa_get_random,
                              MBEDTLS_PSA_RANDOM_STATE) == 0)
        return true;
    e->in_key = true;
    snprintf(e->words, sizeof e->words,
             "is not the key of ca_cert (that of trunkline ca init is issuer.pem)");
    return false;
}

static bool check_cert(struct ca *ca, struct ca_error *e)
{
    const mbedtls_x509_crt *c = &ca->cert;
    if (mbedtls_x509_crt_get_ca_istrue(c) != 1)
        return deny_cert(e, "is not the certificate of a CA");
    if (mbedtls_x509_crt_check_key_usage(c, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0 ||
        mbedtls_x509_crt_check_extended_key_usage(c, MBEDTLS_OID_SERVER_AUTH,
                                                  MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0)
        return deny_cert(e, "may not be used to sign servers' certificates");
    if (mbedtls_x509_time_is_past(&c->valid_to) || mbedtls_x509_time_is_future(&c->valid_from))
        return deny_cert(e, "is out of date");
    if (ca->names.permitted_count == 0 || name_constraints_permit(&ca->names, ""))
        return deny_cert(e, "could vouch for any host: it needs name constraints (trunkline ca "
                            "init makes them)");
    ca->until = x509_seconds(&c->valid_to);
    return true;
}

/* Checks that clients will recognize this CA as the issuer of the leaf. Its name and key identifier
 * are re-encoded in the leaf, and the CA's own certificate may encode them differently. */
static bool is_issuer(const struct ca *ca, const struct leaf *leaf)
{
    const mbedtls_x509_buf *id = &ca->cert.subject_key_id;
    return same_bytes(&leaf->cert.issuer_raw, &ca->cert.subject_raw) &&
           (id->len == 0 || same_bytes(&leaf->cert.authority_key_id.keyIdentifier, id));
}

/* The trial leaf is never used, so any date that can be encoded will do. */
static bool try_to_sign(struct ca *ca, struct ca_error *e)
{
    struct leaf leaf;
    time_t date = ca->until - DAY;
    if (mbedtls_x509_dn_gets(ca->subject, sizeof ca->subject, &ca->cert.subject) <= 0)
        return deny_cert(e, "has a name of an unusual kind");
    bool signs = sign(ca, "trial.invalid", date, &leaf) == 0;
    bool good = signs && is_issuer(ca, &leaf);
    leaf_free(&leaf);
    return good || deny_cert(e, signs ? "has a name or key identifier of an unusual kind"
                                      : "is of a kind that cannot sign here");
}

static struct ca *new_ca(void)
{
    struct ca *ca = NEW(struct ca);
    ca->refs = 1;
    mbedtls_x509_crt_init(&ca->cert);
    mbedtls_pk_init(&ca->key);
    return ca;
}

/* mbedTLS requires the terminating NUL, and stops at it. */
struct ca *ca_parse(struct span cert_pem, struct span key_pem, struct ca_error *e)
{
    struct ca *ca = new_ca();
    struct text cert = {0}, key = {0};
    text_add(&cert, cert_pem);
    text_add_str(&cert, "\n");
    text_add(&key, key_pem);
    text_add_str(&key, "\n");
    bool good = read_cert(ca, text_span(&cert), e) && check_cert(ca, e) &&
                read_key(ca, text_span(&key), e) && try_to_sign(ca, e);
    mbedtls_platform_zeroize(key.at, key.len);
    text_free(&cert);
    text_free(&key);
    if (good)
        return ca;
    ca_unref(ca);
    return NULL;
}

/* Returns 0 or errno. */
static int read_file(const char *path, struct text *to, mode_t *mode)
{
    struct stat st;
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return errno;
    size_t n = fread(text_reserve(to, FILE_SIZE_MAX), 1, FILE_SIZE_MAX, in);
    text_added(to, n);
    int error = ferror(in) || fstat(fileno(in), &st) != 0 ? errno : n < FILE_SIZE_MAX ? 0 : EFBIG;
    fclose(in);
    if (error == 0)
        *mode = st.st_mode;
    return error;
}

static bool read_files(const char *cert_file, const char *key_file, struct text *cert,
                       struct text *key, mode_t *key_mode, struct ca_error *e)
{
    int error = read_file(cert_file, cert, key_mode);
    e->in_key = error == 0;
    if (error == 0)
        error = read_file(key_file, key, key_mode);
    errno = error;
    if (error)
        snprintf(e->words, sizeof e->words, "%m");
    return error == 0;
}

static void name_file(struct ca_error *e, const char *cert_file, const char *key_file)
{
    struct ca_error bare = *e;
    snprintf(e->words, sizeof e->words, "%s %.150s: %.130s", e->in_key ? "ca_key" : "ca_cert",
             e->in_key ? key_file : cert_file, bare.words);
}

struct ca *ca_load(const char *cert_file, const char *key_file, struct ca_error *e)
{
    struct text cert = {0}, key = {0};
    struct ca *ca = NULL;
    mode_t key_mode = 0;
    if (read_files(cert_file, key_file, &cert, &key, &key_mode, e))
        ca = ca_parse(text_span(&cert), text_span(&key), e);
    if (ca)
        ca->key_is_exposed = (key_mode & ~(mode_t)0640 & 0777) != 0;
    else
        name_file(e, cert_file, key_file);
    if (key.at)
        mbedtls_platform_zeroize(key.at, key.room);
    text_free(&cert);
    text_free(&key);
    return ca;
}

struct ca *ca_ref(struct ca *ca)
{
    ca->refs++;
    return ca;
}

void ca_unref(struct ca *ca)
{
    if (ca == NULL || --ca->refs)
        return;
    mbedtls_x509_crt_free(&ca->cert);
    mbedtls_pk_free(&ca->key);
    name_constraints_free(&ca->names);
    free(ca);
}

/* ------------------------------------------------------------------- looking */

static bool is_address(const char *host)
{
    unsigned char ip[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

bool ca_may_sign(const struct ca *ca, const char *host, time_t now)
{
    return !is_address(host) && name_constraints_permit(&ca->names, host) && now < ca->until;
}

bool ca_key_is_exposed(const struct ca *ca)
{
    return ca->key_is_exposed;
}

time_t ca_until(const struct ca *ca)
{
    return ca->until;
}

bool ca_is(const struct ca *ca, const struct ca *other)
{
    return same_bytes(&ca->cert.raw, &other->cert.raw);
}
