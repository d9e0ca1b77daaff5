/* The input is what a proxy answers, with SOCKS5 (if its first byte is even) or CONNECT. However it is
 * cut, the outcome, what is sent and what is left over are the same. */
#include "base/text.h"
#include "net/proxy_connect.h"
#include "net/socks5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum hello_step step;
    enum failure why;
    size_t left;
    struct text sent;
};

static union {
    struct hello hello;
    struct socks5 socks5;
    struct proxy_connect connect;
} by;

static void note_sent(struct outcome *o)
{
    text_add(&o->sent, (struct span){by.hello.out, by.hello.out_len});
}

static enum hello_step feed(bool is_socks5, struct span piece, size_t *used)
{
    return is_socks5 ? socks5_feed(&by.socks5, piece, used)
                     : proxy_connect_feed(&by.connect, piece, used);
}

static struct outcome run(bool is_socks5, struct span all, size_t step_size)
{
    const struct hello_target target = {NULL, "host.example", 443};
    struct outcome o = {.step = HELLO_MORE};
    if (is_socks5)
        socks5_init(&by.socks5, "user", "password", &target);
    else
        proxy_connect_init(&by.connect, "user", "password", &target);
    note_sent(&o);
    while (all.len && (o.step == HELLO_MORE || o.step == HELLO_WRITE)) {
        size_t used;
        o.step = feed(is_socks5, span_first(all, step_size < all.len ? step_size : all.len), &used);
        CHECK(used > 0 && used <= all.len);
        all = span_from(all, used);
        if (o.step == HELLO_WRITE)
            note_sent(&o);
    }
    o.left = all.len;
    if (o.step == HELLO_REFUSED) {
        o.why = by.hello.why;
        CHECK(o.why != FAILURE_NONE && by.hello.detail[0]);
    }
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct span all = {(const char *)data + 1, size - 1};
    bool is_socks5 = data[0] % 2 == 0;
    struct outcome whole = run(is_socks5, all, SIZE_MAX);
    for (size_t cut = 1; cut < 5; cut++) {
        struct outcome o = run(is_socks5, all, cut);
        CHECK(o.step == whole.step && o.why == whole.why && o.left == whole.left);
        CHECK(span_is(text_span(&o.sent), text_span(&whole.sent)));
        text_free(&o.sent);
    }
    text_free(&whole.sent);
    return 0;
}
