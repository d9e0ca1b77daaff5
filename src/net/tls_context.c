#include "net/tls_context.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <psa/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/span.h"
#include "base/text.h"
#include "net/aead.h"
#include "net/ca.h"
#include "net/tls_session.h"
#include "net/x509.h"

#define FILE_SIZE_MAX (size_t)(16 << 20) /* a bundle is a few hundred kilobytes */

/* There is one configuration for each pair of ALPN list and highest version, since mbedTLS stores
 * both in the configuration. */
struct variant {
    struct variant *next;
    mbedtls_ssl_config config;
    bool is_old;       /* TLS 1.2 at most */
    const char **alpn; /* NULL: none */
};

struct tls_context {
    unsigned refs;
    char *serves; /* of a server: its host; otherwise NULL */
    bool verify, tls13_only, has_cert;
    mbedtls_x509_crt *anchors;    /* the system's, or its own */
    mbedtls_x509_crt own_anchors; /* of ca_file; empty when nothing is verified */
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    struct variant *variants;
    struct tls_sessions sessions;
};

/* An origin may choose the first one that the client offers, so the fastest is first. Forward
 * secrecy and AEAD only. */
#define CHACHA20                                                                                   \
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,                                                       \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,                                     \
        MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
#define AES_GCM                                                                                    \
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384,                          \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,                                           \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,                                             \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,                                           \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
static const int chacha20_first[] = {CHACHA20, AES_GCM, 0};
static const int aes_first[] = {AES_GCM, CHACHA20, 0};

/* P-256 first: a handshake costs 3.0 ms with it and 3.5 with x25519. The list
 * also bounds the curves of certificates. */
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

/* PKCS#1 before PSS: if TLS 1.2 is negotiated, an origin that follows the client's order signs its
 * key exchange with the first algorithm that fits its key. mbedTLS treats PSS in TLS 1.2 as an
 * error, although it has to offer PSS for TLS 1.3 (RFC 8446 4.2.3). */
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,    MBEDTLS_TLS1_3_SIG_NONE,
};

/* Replace libmbedtls's functions. Nothing here reads debug messages, and mbedTLS's own functions find
 * that out after 36 instructions each, some 40 times a request. */
#define UNREAD_DEBUG __attribute__((visibility("default"))) void
UNREAD_DEBUG mbedtls_debug_print_msg(const mbedtls_ssl_context *, int level, const char *file,
                                     int line, const char *format, ...);
UNREAD_DEBUG mbedtls_debug_print_ret(const mbedtls_ssl_context *, int level, const char *file,
                                     int line, const char *text, int ret);
UNREAD_DEBUG mbedtls_debug_print_buf(const mbedtls_ssl_context *, int level, const char *file,
                                     int line, const char *text, const unsigned char *, size_t);

void mbedtls_debug_print_msg(const mbedtls_ssl_context *ssl, int level, const char *file, int line,
                             const char *format, ...)
{
    (void)ssl, (void)level, (void)file, (void)line, (void)format;
}

void mbedtls_debug_print_ret(const mbedtls_ssl_context *ssl, int level, const char *file, int line,
                             const char *text, int ret)
{
    (void)ssl, (void)level, (void)file, (void)line, (void)text, (void)ret;
}

void mbedtls_debug_print_buf(const mbedtls_ssl_context *ssl, int level, const char *file, int line,
                             const char *text, const unsigned char *bytes, size_t len)
{
    (void)ssl, (void)level, (void)file, (void)line, (void)text, (void)bytes, (void)len;
}

static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
};

void tls_start(void)
{
    CHECK(psa_crypto_init() == PSA_SUCCESS);
}

/* ------------------------------------------------------------------ reading */

static void explain(char *error, size_t size, const char *directive, const char *path, int code)
{
    char words[160];
    mbedtls_strerror(code, words, sizeof words);
    snprintf(error, size, "%s %s: cannot be read: %s", directive, path, words);
}

/* Reads the whole file and appends a NUL that is not counted. Returns 0 or errno. */
static int read_file(const char *path, struct text *to)
{
    FILE *in = fopen(path, "re");
    size_t n;
    if (in == NULL)
        return errno;
    do {
        n = fread(text_reserve(to, BUFSIZ), 1, BUFSIZ, in);
        text_added(to, n);
    } while (n && to->len < FILE_SIZE_MAX);
    int error = ferror(in) ? errno : n ? EFBIG : 0;
    fclose(in);
    return error;
}

/* Reads every certificate of a file; returns false with a message if there is none. */
static bool read_certificates(mbedtls_x509_crt *chain, const char *directive, const char *path,
                              size_t *unreadable, char *error, size_t size)
{
    struct text content = {0};
    *unreadable = 0;
    int failed = read_file(path, &content);
    int code = failed ? 0 : x509_read(chain, text_span(&content), unreadable);
    text_free(&content);
    if (failed)
        snprintf(error, size, "%s %s: cannot be read: %s", directive, path, strerror(failed));
    else if (code)
        explain(error, size, directive, path, code);
    else if (chain->raw.len == 0)
        snprintf(error, size, "%s %s: contains no certificate", directive, path);
    if (chain->raw.len)
        return true;
    mbedtls_x509_crt_free(chain);
    return false;
}

/* Certificates that cannot be parsed are skipped, as long as at least one can be. */
static bool read_anchors(mbedtls_x509_crt *chain, const char *directive, const char *path,
                         char *error, size_t size)
{
    size_t unreadable;
    if (!read_certificates(chain, directive, path, &unreadable, error, size))
        return false;
    if (unreadable)
        LOG(WARN, directive, "%s: %zu certificates cannot be read", path, unreadable);
    return true;
}

static const char *find_bundle(void)
{
    for (size_t i = 0; i < COUNT_OF(bundles); i++)
        if (access(bundles[i], R_OK) == 0)
            return bundles[i];
    return bundles[0];
}

/* The system's bundle is read once and never freed, since all upstreams share it. */
static mbedtls_x509_crt *system_anchors(char *error, size_t size)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static mbedtls_x509_crt chain;
    static bool is_read;
    pthread_mutex_lock(&mutex);
    if (!is_read)
        is_read = read_anchors(&chain, "system's CA bundle", find_bundle(), error, size);
    bool ok = is_read;
    pthread_mutex_unlock(&mutex);
    return ok ? &chain : NULL;
}

static bool read_identity(struct tls_context *c, const struct tls_settings *with, char *error,
                          size_t size)
{
    size_t unreadable;
    if (!read_certificates(&c->cert, "cert_file", with->cert_file, &unreadable, error, size))
        return false;
    if (unreadable) {
        explain(error, size, "cert_file", with->cert_file, MBEDTLS_ERR_X509_INVALID_FORMAT);
        return false;
    }
    const char *key_file = with->key_file ? with->key_file : with->cert_file;
    const char *directive = with->key_file ? "key_file" : "cert_file";
    int code = mbedtls_pk_parse_keyfile(&c->key, key_file, NULL, mbedtls_psa_get_random,
                                        MBEDTLS_PSA_RANDOM_STATE);
    if (code != 0) {
        explain(error, size, directive, key_file, code);
        return false;
    }
    code = mbedtls_pk_check_pair(&c->cert.pk, &c->key, mbedtls_psa_get_random,
                                 MBEDTLS_PSA_RANDOM_STATE);
    if (code != 0)
        snprintf(error, size, "%s %s: is not the key of cert_file %s", directive, key_file,
                 with->cert_file);
    return c->has_cert = code == 0;
}

static bool read_trust(struct tls_context *c, const struct tls_settings *with, char *error,
                       size_t size)
{
    c->anchors = &c->own_anchors;
    if (!with->verify)
        return true;
    if (with->ca_file)
        return read_anchors(c->anchors, "ca_file", with->ca_file, error, size);
    return (c->anchors = system_anchors(error, size)) != NULL;
}

static struct tls_context *new_context(void)
{
    struct tls_context *c = NEW(struct tls_context);
    c->refs = 1;
    mbedtls_x509_crt_init(&c->own_anchors);
    mbedtls_x509_crt_init(&c->cert);
    mbedtls_pk_init(&c->key);
    tls_sessions_init(&c->sessions);
    return c;
}

struct tls_context *tls_context_new(const struct tls_settings *with, char *error, size_t size)
{
    struct tls_context *c = new_context();
    c->verify = with->verify;
    c->tls13_only = with->tls13_only;
    if (read_trust(c, with, error, size) &&
        (with->cert_file == NULL || read_identity(c, with, error, size)))
        return c;
    tls_context_unref(c);
    return NULL;
}

struct tls_context *tls_context_serve(const char *host, struct leaf *leaf)
{
    struct tls_context *c = new_context();
    c->serves = must_strdup(host);
    c->cert = leaf->cert;
    c->key = leaf->key;
    c->has_cert = true;
    return c;
}

bool tls_context_is_server(const struct tls_context *c)
{
    return c->serves != NULL;
}

struct mbedtls_x509_crt *tls_context_anchors(struct tls_context *c)
{
    return c->anchors;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    c->refs++;
    return c;
}

static void free_variant(struct variant *v)
{
    for (const char **p = v->alpn; p && *p; p++)
        free((char *)*p);
    free(v->alpn);
    mbedtls_ssl_config_free(&v->config);
    free(v);
}

void tls_context_unref(struct tls_context *c)
{
    CHECK(c->refs > 0);
    if (--c->refs)
        return;
    tls_sessions_clear(&c->sessions);
    while (c->variants) {
        struct variant *v = c->variants;
        c->variants = v->next;
        free_variant(v);
    }
    mbedtls_pk_free(&c->key);
    mbedtls_x509_crt_free(&c->cert);
    mbedtls_x509_crt_free(&c->own_anchors);
    free(c->serves);
    free(c);
}

/* -------------------------------------------------------------- configuring */

static bool same_list(const char *const *a, const char *const *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    for (; *a && *b && strcmp(*a, *b) == 0; a++)
        b++;
    return *a == NULL && *b == NULL;
}

static const char **copy_list(const char *const *list)
{
    size_t count = 0;
    while (list[count])
        count++;
    const char **copy = must_calloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = must_strdup(list[i]);
    return copy;
}

/* Without verification the mode is OPTIONAL rather than NONE: mbedTLS then still calls the verify
 * callback, by which a full handshake is recognized, but nothing that verification finds is an
 * error. */
static void set_trust(struct tls_context *c, mbedtls_ssl_config *config)
{
    mbedtls_ssl_conf_ca_chain(config, c->anchors, NULL);
    mbedtls_ssl_conf_authmode(config, c->verify ? MBEDTLS_SSL_VERIFY_REQUIRED
                                                : MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    mbedtls_ssl_conf_tls13_key_exchange_modes(config,
                                              MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
}

/* An error makes mbedTLS send the alert unrecognized_name. */
static int on_server_name(void *context, mbedtls_ssl_context *ssl, const unsigned char *name,
                          size_t len)
{
    const struct tls_context *c = context;
    struct span asked = {(const char *)name, len};
    (void)ssl;
    if (len && asked.at[len - 1] == '.')
        asked.len--;
    return span_is_nocase(asked, span_of(c->serves)) ? 0 : MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME;
}

static void set_service(struct tls_context *c, mbedtls_ssl_config *config)
{
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_sni(config, on_server_name, c);
    mbedtls_ssl_conf_tls13_key_exchange_modes(config,
                                              MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
}

static void set_protocol(struct tls_context *c, mbedtls_ssl_config *config, bool is_old)
{
    int side = c->serves ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
    CHECK(mbedtls_ssl_config_defaults(config, side, MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_min_tls_version(config, c->tls13_only ? MBEDTLS_SSL_VERSION_TLS1_3
                                                           : MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(config, is_old ? MBEDTLS_SSL_VERSION_TLS1_2
                                                    : MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_ciphersuites(config, aead_is_fast() ? aes_first : chacha20_first);
    mbedtls_ssl_conf_groups(config, groups);
    mbedtls_ssl_conf_sig_algs(config, signatures);
    mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    if (c->has_cert)
        CHECK(mbedtls_ssl_conf_own_cert(config, &c->cert, &c->key) == 0);
}

bool tls_context_takes_old(const struct tls_context *c)
{
    return !c->tls13_only;
}

const struct mbedtls_ssl_config *tls_context_config(struct tls_context *c, const char *const *alpn,
                                                    bool is_old)
{
    CHECK(!is_old || tls_context_takes_old(c));
    for (struct variant *v = c->variants; v; v = v->next)
        if (same_list(v->alpn, alpn) && v->is_old == is_old)
            return &v->config;
    struct variant *v = NEW(struct variant);
    mbedtls_ssl_config_init(&v->config);
    v->is_old = is_old;
    set_protocol(c, &v->config, is_old);
    if (c->serves)
        set_service(c, &v->config);
    else
        set_trust(c, &v->config);
    if (alpn) {
        v->alpn = copy_list(alpn);
        CHECK(mbedtls_ssl_conf_alpn_protocols(&v->config, v->alpn) == 0);
    }
    v->next = c->variants;
    c->variants = v;
    return &v->config;
}

struct tls_sessions *tls_context_sessions(struct tls_context *c)
{
    return &c->sessions;
}
