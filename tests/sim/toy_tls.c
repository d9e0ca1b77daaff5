/* In the place of tls_handshake.c, tls_context.c and mbedTLS's side of a secured stream: the same
 * records as TLS has (type, version, length), with the bytes as they are. stream_tls.c is the real
 * one. ClientHello and ServerHello are a record each, with the offered protocols and the chosen one. */
#include "tests/sim/toy_tls.h"

#include <mbedtls/error.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "net/tls_handshake.h"

#define PIECE_MOST 16384

/* -------------------------------------------------------------------------- contexts */

struct tls_context {
    unsigned refs;
};

void tls_start(void)
{
}

struct tls_context *tls_context_new(const struct tls_settings *settings, char *error, size_t size)
{
    (void)settings;
    (void)error;
    (void)size;
    struct tls_context *c = NEW(struct tls_context);
    c->refs = 1;
    return c;
}

struct tls_context *tls_context_serve(const char *host, struct leaf *leaf)
{
    (void)host;
    (void)leaf;
    abort(); /* no script intercepts */
}

bool tls_context_is_server(const struct tls_context *c)
{
    (void)c;
    return false;
}

struct mbedtls_x509_crt *tls_context_anchors(struct tls_context *c)
{
    (void)c;
    return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    c->refs++;
    return c;
}

void tls_context_unref(struct tls_context *c)
{
    if (--c->refs == 0)
        free(c);
}

/* ------------------------------------------------------------------------- handshakes */

/* What mbedTLS keeps of a secured stream. */
struct toy {
    char alpn[16];
    mbedtls_ssl_send_t *send;
    mbedtls_ssl_recv_t *receive;
    void *bio;
    unsigned char record[TOY_RECORD_HEAD + PIECE_MOST];
    size_t got, given; /* of the record: received; of its body: passed on */
};

static struct toy *toy_of(const mbedtls_ssl_context *ssl)
{
    return mbedtls_ssl_get_user_data_p((mbedtls_ssl_context *)ssl);
}

void tls_handshake_init(struct tls_handshake *h, struct tls_context *context, const char *name,
                        const char *const *alpn)
{
    char offer[100] = "";
    struct toy *toy = NEW(struct toy);
    memset(h, 0, sizeof *h);
    h->peer = name ? "origin" : "client";
    h->name = name ? must_strdup(name) : NULL;
    h->context = tls_context_ref(context);
    h->result = MBEDTLS_ERR_SSL_WANT_READ;
    mbedtls_ssl_set_user_data_p(&h->ssl, toy);
    for (; alpn && *alpn; alpn++)
        snprintf(offer + strlen(offer), sizeof offer - strlen(offer), "%s ", *alpn);
    snprintf((char *)toy->record, sizeof toy->record, "%s", offer);
}

size_t toy_tls_record(unsigned char type, const void *body, size_t len, unsigned char *to)
{
    to[0] = type;
    to[1] = to[2] = 3;
    to[3] = (unsigned char)(len >> 8);
    to[4] = (unsigned char)len;
    memcpy(to + TOY_RECORD_HEAD, body, len);
    return TOY_RECORD_HEAD + len;
}

static void say_hello(struct tls_handshake *h, struct toy *toy)
{
    unsigned char record[200];
    char offer[100];
    snprintf(offer, sizeof offer, "%.99s", (char *)toy->record);
    size_t len = toy_tls_record(TOY_HELLO, offer, strlen(offer), record);
    buf_append(&h->out, record, len);
    h->begun = true;
}

static bool take(struct buf *in, unsigned char *to, size_t len)
{
    if (in->size < len)
        return false;
    while (len) {
        const char *at;
        size_t n = buf_front(in, &at);
        n = n < len ? n : len;
        memcpy(to, at, n);
        buf_consume(in, n);
        to += n;
        len -= n;
    }
    return true;
}

/* The head is kept where the rest has not come yet. */
static void hear_hello(struct tls_handshake *h, struct toy *toy)
{
    if (toy->got == 0 && !take(&h->in, toy->record, TOY_RECORD_HEAD))
        return;
    toy->got = TOY_RECORD_HEAD;
    size_t len = (size_t)toy->record[3] << 8 | toy->record[4];
    if (len >= sizeof toy->alpn || toy->record[0] != TOY_HELLO) {
        h->result = MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION;
        return;
    }
    if (!take(&h->in, (unsigned char *)toy->alpn, len))
        return;
    toy->alpn[len] = '\0';
    toy->got = 0;
    h->result = 0;
}

void tls_handshake_step(struct tls_handshake *h)
{
    struct toy *toy = toy_of(&h->ssl);
    if (!h->begun)
        say_hello(h, toy);
    else
        hear_hello(h, toy);
}

void tls_handshake_settle(struct tls_handshake *h)
{
    (void)h;
}

bool tls_handshake_is_resumed(const struct tls_handshake *h)
{
    (void)h;
    return false;
}

enum failure tls_handshake_explain(const struct tls_handshake *h, char *words, size_t size)
{
    (void)h;
    snprintf(words, size, "the handshake failed");
    return FAILURE_TLS_PROTOCOL_ERROR;
}

void tls_handshake_keep_ticket(struct tls_handshake *h)
{
    (void)h;
}

void tls_handshake_free(struct tls_handshake *h)
{
    free(toy_of(&h->ssl));
    buf_clear(&h->in);
    buf_clear(&h->out);
    free(h->name);
    tls_context_unref(h->context);
}

/* ------------------------------------------------------------ mbedTLS's, once secured */

void mbedtls_ssl_set_bio(mbedtls_ssl_context *ssl, void *bio, mbedtls_ssl_send_t *send,
                         mbedtls_ssl_recv_t *receive, mbedtls_ssl_recv_timeout_t *timeout)
{
    struct toy *toy = toy_of(ssl);
    (void)timeout;
    toy->bio = bio;
    toy->send = send;
    toy->receive = receive;
}

const char *mbedtls_ssl_get_version(const mbedtls_ssl_context *ssl)
{
    (void)ssl;
    return "TLSv1.3";
}

const char *mbedtls_ssl_get_alpn_protocol(const mbedtls_ssl_context *ssl)
{
    return *toy_of(ssl)->alpn ? toy_of(ssl)->alpn : NULL;
}

static size_t body_of(const struct toy *toy)
{
    return (size_t)toy->record[3] << 8 | toy->record[4];
}

static bool is_whole(const struct toy *toy)
{
    return toy->got >= TOY_RECORD_HEAD && toy->got == TOY_RECORD_HEAD + body_of(toy);
}

static int fill(struct toy *toy)
{
    while (!is_whole(toy)) {
        size_t wanted = toy->got < TOY_RECORD_HEAD ? TOY_RECORD_HEAD - toy->got
                                                   : TOY_RECORD_HEAD + body_of(toy) - toy->got;
        int n = toy->receive(toy->bio, toy->record + toy->got, wanted);
        if (n <= 0)
            return n;
        toy->got += (size_t)n;
        if (toy->got >= TOY_RECORD_HEAD && body_of(toy) > PIECE_MOST)
            return MBEDTLS_ERR_SSL_INVALID_RECORD;
    }
    return 0;
}

int mbedtls_ssl_read(mbedtls_ssl_context *ssl, unsigned char *to, size_t size)
{
    struct toy *toy = toy_of(ssl);
    int error = fill(toy);
    if (error)
        return error;
    size_t left = body_of(toy) - toy->given, n = left < size ? left : size;
    if (toy->record[0] == TOY_ALERT)
        return MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY;
    if (toy->record[0] != TOY_DATA)
        return MBEDTLS_ERR_SSL_INVALID_RECORD;
    memcpy(to, toy->record + TOY_RECORD_HEAD + toy->given, n);
    toy->given += n;
    if (toy->given == body_of(toy))
        toy->got = toy->given = 0;
    return (int)n;
}

int mbedtls_ssl_check_pending(const mbedtls_ssl_context *ssl)
{
    return toy_of(ssl)->given > 0;
}

size_t mbedtls_ssl_get_bytes_avail(const mbedtls_ssl_context *ssl)
{
    struct toy *toy = toy_of(ssl);
    return toy->given ? body_of(toy) - toy->given : 0;
}

int mbedtls_ssl_write(mbedtls_ssl_context *ssl, const unsigned char *data, size_t len)
{
    static unsigned char record[TOY_RECORD_HEAD + PIECE_MOST];
    struct toy *toy = toy_of(ssl);
    if (len > PIECE_MOST)
        len = PIECE_MOST;
    size_t size = toy_tls_record(TOY_DATA, data, len, record);
    toy->send(toy->bio, record, size);
    return (int)len;
}

int mbedtls_ssl_close_notify(mbedtls_ssl_context *ssl)
{
    unsigned char record[TOY_RECORD_HEAD];
    struct toy *toy = toy_of(ssl);
    size_t size = toy_tls_record(TOY_ALERT, "", 0, record);
    toy->send(toy->bio, record, size);
    return 0;
}
