/* The input is a body in a content coding: its first byte chooses which, and how it is cut. Decoding
 * never yields more than it may, and yields the same however the body was cut. */
#include "base/text.h"
#include "cache/decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 4096

/* False: it is not in this coding. */
static bool decode(struct span coding, struct span body, size_t piece, struct text *out)
{
    struct decoder *d = decoder_new(coding);
    bool good = true;
    CHECK(d != NULL);
    while (good && body.len && out->len < MOST) {
        size_t len = piece && piece < body.len ? piece : body.len;
        good = decoder_feed(d, span_first(body, len), out, MOST);
        CHECK(out->len <= MOST);
        body = span_from(body, len);
    }
    decoder_free(d);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct span codings[] = {SPAN("gzip"), SPAN("deflate"), SPAN("br"),
                                          SPAN("x-gzip")};
    if (size == 0)
        return 0;
    struct span coding = codings[data[0] & 3], body = {(const char *)data + 1, size - 1};
    struct text whole = {0}, cut = {0};
    bool good = decode(coding, body, 0, &whole);
    bool also = decode(coding, body, 1 + (data[0] >> 2), &cut);
    if (good && also)
        CHECK(span_is(text_span(&whole), text_span(&cut)));
    CHECK(good == also || whole.len == MOST || cut.len == MOST);
    text_free(&whole);
    text_free(&cut);
    return 0;
}
