#include "net/tls_handshake.h"

#include <arpa/inet.h>
#include <mbedtls/error.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define MAGIC 0x746c7368

static struct tls_handshake *self(void *context)
{
    struct tls_handshake *h = context;
    MAGIC_CHECK(h, MAGIC);
    return h;
}

/* ------------------------------------------------------------- verification */

/* mbedTLS calls this in full handshakes only. Its findings are judged once the whole path is
 * known. */
static int on_verify(void *context, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    struct tls_handshake *h = self(context);
    h->verified = true;
    chain_note(&h->chain, cert, depth, *flags);
    *flags = depth ? 0 : chain_judge(&h->chain, &h->peer_name, tls_context_anchors(h->context));
    return 0;
}

/* ------------------------------------------------------------------ stepping */

static int on_send(void *context, const unsigned char *data, size_t len)
{
    buf_append(&self(context)->out, data, len);
    return (int)len;
}

static int on_receive(void *context, unsigned char *to, size_t size)
{
    struct tls_handshake *h = self(context);
    const char *at;
    size_t len = buf_front(&h->in, &at);
    if (len == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    len = len < size ? len : size;
    memcpy(to, at, len);
    buf_consume(&h->in, len);
    return (int)len;
}

/* Detects what mbedTLS does not report: which alert was received, or that the data was not TLS at
 * all. */
static void look(struct tls_handshake *h)
{
    static const unsigned char fatal[] = {
        MBEDTLS_SSL_MSG_ALERT, 3, 3, 0, 2, MBEDTLS_SSL_ALERT_LEVEL_FATAL, /* any 3.x */
    };
    const char *at;
    size_t len = buf_front(&h->in, &at);
    if (len == 0)
        return;
    unsigned char type = (unsigned char)at[0];
    if (!h->heard)
        h->is_foreign =
            type < MBEDTLS_SSL_MSG_CHANGE_CIPHER_SPEC || type > MBEDTLS_SSL_MSG_APPLICATION_DATA;
    if (!h->heard)
        h->is_denied = type == MBEDTLS_SSL_MSG_ALERT;
    h->heard = true;
    if (len > sizeof fatal && type == fatal[0] && memcmp(at + 3, fatal + 3, 3) == 0)
        h->alert = (unsigned char)at[sizeof fatal];
}

static int begin(struct tls_handshake *h)
{
    int error = mbedtls_ssl_setup(&h->ssl, h->config);
    if (error)
        return error;
    mbedtls_ssl_set_bio(&h->ssl, h, on_send, on_receive, NULL);
    if (h->name == NULL)
        return 0;
    mbedtls_ssl_set_verify(&h->ssl, on_verify, h);
    error = mbedtls_ssl_set_hostname(&h->ssl, h->peer_name.host);
    if (error == 0 && h->offered)
        error = mbedtls_ssl_set_session(&h->ssl, &h->offered->at);
    return error;
}

void tls_handshake_step(struct tls_handshake *h)
{
    h->result = h->begun ? 0 : begin(h);
    h->begun = true;
    look(h);
    if (h->result == 0)
        h->result = mbedtls_ssl_handshake(&h->ssl);
    if (h->result == 0 && h->name &&
        mbedtls_ssl_get_version_number(&h->ssl) == MBEDTLS_SSL_VERSION_TLS1_2)
        h->gained = tls_session_export(&h->ssl);
}

/* ------------------------------------------------------------------- results */

bool tls_handshake_is_resumed(const struct tls_handshake *h)
{
    return h->name && !h->verified;
}

static bool is_certificate_error(int error)
{
    int module = -error & 0x7f80;
    return error == MBEDTLS_ERR_SSL_BAD_CERTIFICATE ||
           (module >= -MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE && module <= 0x3000);
}

/* Returns true if the failure may be caused by what we offer for TLS 1.3: either the origin chose
 * TLS 1.2 and then sent something that mbedTLS does not accept in that version (such as a PSS
 * signature, chosen by the origin's own order of preference), or it rejected our ClientHello. */
static bool is_about_offer(const struct tls_handshake *h)
{
    switch (h->alert) {
    case 0:
        return h->heard && !h->is_foreign && !is_certificate_error(h->result) &&
               mbedtls_ssl_get_version_number(&h->ssl) == MBEDTLS_SSL_VERSION_TLS1_2;
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
    case MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER:
    case MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR:
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION:
    case MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR:
    case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_EXT: return h->is_denied;
    default: return false;
    }
}

/* An origin whose handshake failed when TLS 1.3 was offered is offered only TLS 1.2, until that
 * fails too. An attacker on the path can cause this by breaking handshakes, but can downgrade the
 * connection no further than to TLS 1.2 with forward secrecy and AEAD. */
static void settle_version(struct tls_handshake *h)
{
    struct tls_sessions *known = tls_context_sessions(h->context);
    bool failed = h->begun && h->result != 0 && h->result != MBEDTLS_ERR_SSL_WANT_READ;
    if (h->begun && h->result == 0 && h->is_old && tls_sessions_confirm_old(known, h->name))
        LOG(INFO, h->name,
            "rejects handshakes that offer TLS 1.3; from now on only TLS 1.2 is offered");
    if (!failed || !is_about_offer(h))
        return;
    /* If a session was offered, that may be the cause instead. */
    h->may_be_older = !h->is_old && h->offered == NULL && tls_context_takes_old(h->context);
    if (h->is_old || (h->may_be_older && !tls_sessions_is_old(known, h->name)))
        tls_sessions_note_old(known, h->name, h->may_be_older);
}

/* A session that was refused, or led to a failure (the origin may no longer
 * speak its TLS version), is not offered again. */
void tls_handshake_settle(struct tls_handshake *h)
{
    struct tls_sessions *sessions = tls_context_sessions(h->context);
    if (h->name == NULL)
        return;
    if (h->offered && (h->result != 0 || h->verified))
        tls_sessions_drop(sessions, h->name, h->offered);
    if (h->gained)
        tls_sessions_keep(sessions, h->name, h->gained);
    h->gained = NULL;
    settle_version(h);
}

/* Sessions include the peer's certificate, which is expensive to copy, and origins send two or more
 * tickets. */
void tls_handshake_keep_ticket(struct tls_handshake *h)
{
    if (h->ticket_is_kept)
        return;
    h->ticket_is_kept = true;
    struct tls_session *session = tls_session_export(&h->ssl);
    if (session)
        tls_sessions_keep(tls_context_sessions(h->context), h->name, session);
}

static void make_one_line(char *words)
{
    size_t len = strlen(words);
    while (len && words[len - 1] == '\n')
        words[--len] = '\0';
    for (char *p = words; (p = strchr(p, '\n')) != NULL;)
        *p = ';';
}

static const char *alert_name(unsigned char alert)
{
    switch (alert) {
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE: return "handshake_failure";
    case MBEDTLS_SSL_ALERT_MSG_BAD_CERT: return "bad_certificate";
    case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN: return "certificate_unknown";
    case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA: return "unknown_ca";
    case MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED: return "access_denied";
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION: return "protocol_version";
    case MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR: return "internal_error";
    case MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME: return "unrecognized_name";
    case MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL: return "no_application_protocol";
    default: return "RFC 8446 6";
    }
}

enum failure tls_handshake_explain(const struct tls_handshake *h, char *words, size_t size)
{
    uint32_t flags = h->begun ? mbedtls_ssl_get_verify_result(&h->ssl) : 0;
    bool is_refused = h->result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags != UINT32_MAX;
    if (is_refused && flags == MBEDTLS_X509_BADCERT_OTHER && h->chain.why)
        snprintf(words, size, "%s", h->chain.why);
    else if (is_refused && mbedtls_x509_crt_verify_info(words, size, "", flags) > 0)
        make_one_line(words);
    else if (h->is_foreign)
        snprintf(words, size, "what the %s sent is not TLS", h->peer);
    else if (h->alert) /* OpenSSL sends it in the clear where mbedTLS awaits ciphertext */
        snprintf(words, size, "%s sent alert %u (%s)", h->peer, h->alert, alert_name(h->alert));
    else if (h->result == MBEDTLS_ERR_SSL_UNRECOGNIZED_NAME)
        snprintf(words, size, "the client asks for another host (SNI) than it is connected to");
    else
        mbedtls_strerror(h->result, words, size);
    return is_certificate_error(h->result) ? FAILURE_TLS_CERTIFICATE_ERROR
                                           : FAILURE_TLS_PROTOCOL_ERROR;
}

static void name_origin(struct tls_handshake *h, const char *name)
{
    struct chain_peer *p = &h->peer_name;
    h->name = must_strdup(name);
    p->ip_len = inet_pton(AF_INET, name, p->ip) == 1    ? 4
                : inet_pton(AF_INET6, name, p->ip) == 1 ? 16
                                                        : 0;
    p->host = p->ip_len ? NULL : h->name;
    h->offered = tls_sessions_find(tls_context_sessions(h->context), name);
    h->is_old = tls_sessions_is_old(tls_context_sessions(h->context), name);
}

void tls_handshake_init(struct tls_handshake *h, struct tls_context *context, const char *name,
                        const char *const *alpn)
{
    CHECK((name == NULL) == tls_context_is_server(context));
    *h = (struct tls_handshake){0};
    MAGIC_INIT(h, MAGIC);
    mbedtls_ssl_init(&h->ssl);
    h->result = MBEDTLS_ERR_SSL_WANT_READ;
    h->context = tls_context_ref(context);
    h->peer = name ? "origin" : "client";
    if (name)
        name_origin(h, name);
    h->config = tls_context_config(context, alpn, h->is_old);
}

void tls_handshake_free(struct tls_handshake *h)
{
    mbedtls_ssl_free(&h->ssl);
    buf_clear(&h->in);
    buf_clear(&h->out);
    tls_session_unref(h->offered);
    tls_session_unref(h->gained);
    tls_context_unref(h->context);
    free(h->name);
    h->magic = 0;
}
