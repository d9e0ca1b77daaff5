/* The input is a sequence of DER certificates: the first is the anchor, the others are those that
 * an origin sends, in any order. Whatever they are, parsing and verifying them must terminate, and
 * a chain may be accepted only if it has a path to the anchor. */
#include "net/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct judgement {
    struct chain chain;
    struct chain_peer peer;
    mbedtls_x509_crt *anchors;
};

static int on_verify(void *context, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    struct judgement *j = context;
    chain_note(&j->chain, cert, depth, *flags);
    *flags = depth ? 0 : chain_judge(&j->chain, &j->peer, j->anchors);
    return 0;
}

static void judge(mbedtls_x509_crt *shown, mbedtls_x509_crt *anchors, const char *host)
{
    struct judgement j = {.peer = {.host = host, .ip = {127, 0, 0, 1}, .ip_len = 4},
                          .anchors = anchors};
    uint32_t flags;
    int error = mbedtls_x509_crt_verify(shown, anchors, NULL, host, &flags, on_verify, &j);
    CHECK(error != 0 || (j.chain.len > 0 && j.chain.why == NULL && anchors->raw.len > 0));
}

/* A SEQUENCE is as long as its header says; anything else extends to the end of the input. */
static size_t length_of(const uint8_t *at, size_t size)
{
    if (size < 4 || at[1] != 0x82)
        return size;
    size_t len = 4 + (size_t)at[2] * 256 + at[3];
    return len < size ? len : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mbedtls_x509_crt anchors, shown;
    mbedtls_x509_crt_init(&anchors);
    mbedtls_x509_crt_init(&shown);
    for (size_t len, n = 0; size; data += len, size -= len, n++) {
        len = length_of(data, size);
        int error = mbedtls_x509_crt_parse_der(n ? &shown : &anchors, data, len);
        if (error && n == 1)
            break;
    }
    if (shown.raw.len) {
        judge(&shown, &anchors, "exchange.test");
        judge(&shown, &anchors, NULL);
    }
    mbedtls_x509_crt_free(&anchors);
    mbedtls_x509_crt_free(&shown);
    return 0;
}
