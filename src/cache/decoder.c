#include "cache/decoder.h"

#include <brotli/decode.h>
#include <zlib.h>

#define GZIP_OR_ZLIB (15 + 32) /* zlib's window bits: it tells the two apart */

struct decoder {
    BrotliDecoderState *brotli; /* NULL: zlib */
    z_stream zlib;
};

struct decoder *decoder_new(struct span coding)
{
    struct decoder *d = NEW(struct decoder);
    bool good = false;
    if (span_is_nocase(coding, SPAN("br")))
        good = (d->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL)) != NULL;
    else if (span_is_nocase(coding, SPAN("gzip")) || span_is_nocase(coding, SPAN("x-gzip")) ||
             span_is_nocase(coding, SPAN("deflate")))
        good = inflateInit2(&d->zlib, GZIP_OR_ZLIB) == Z_OK;
    if (good)
        return d;
    free(d);
    return NULL;
}

static bool inflate_more(struct decoder *d, struct span data, char *to, size_t *room)
{
    d->zlib.next_in = (Bytef *)(uintptr_t)data.at;
    d->zlib.avail_in = (uInt)data.len;
    d->zlib.next_out = (Bytef *)to;
    d->zlib.avail_out = (uInt)*room;
    int result = inflate(&d->zlib, Z_SYNC_FLUSH);
    *room = d->zlib.avail_out;
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
}

static bool unbrotli_more(struct decoder *d, struct span data, char *to, size_t *room)
{
    const uint8_t *in = (const uint8_t *)data.at;
    uint8_t *out = (uint8_t *)to;
    return BrotliDecoderDecompressStream(d->brotli, &data.len, &in, room, &out, NULL) !=
           BROTLI_DECODER_RESULT_ERROR;
}

bool decoder_feed(struct decoder *d, struct span data, struct text *out, size_t most)
{
    CHECK(data.len <= INT32_MAX && most <= INT32_MAX && out->len <= most);
    size_t room = most - out->len, left = room;
    char *to = text_reserve(out, room + 1);
    bool good = d->brotli ? unbrotli_more(d, data, to, &left) : inflate_more(d, data, to, &left);
    text_added(out, room - left);
    return good;
}

void decoder_free(struct decoder *d)
{
    if (d == NULL)
        return;
    if (d->brotli)
        BrotliDecoderDestroyInstance(d->brotli);
    else
        inflateEnd(&d->zlib);
    free(d);
}
