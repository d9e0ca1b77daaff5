#include "tests/sim/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span answer_field(const struct answer *a, const char *name)
{
    struct span rest = text_span(&a->head), wanted = span_of(name);
    while (rest.len) {
        struct span line = span_first(rest, span_find(rest, '\n'));
        rest = span_from(rest, line.len + 1);
        if (span_starts_nocase(line, wanted) && line.len > wanted.len && line.at[wanted.len] == ':')
            return span_trim(
                (struct span){line.at + wanted.len + 1,
                              line.len - wanted.len - 1 - (line.at[line.len - 1] == '\r')});
    }
    return (struct span){0};
}

static void judge_head(struct answer *a)
{
    struct span length = answer_field(a, "Content-Length"),
                coding = answer_field(a, "Transfer-Encoding");
    a->has_head = true;
    a->closes = span_is_nocase(answer_field(a, "Connection"), SPAN("close"));
    a->is_chunked = coding.len > 0;
    if (a->status == 101 || a->status == 204 || a->status == 304)
        a->is_whole = true;
    else if (length.len)
        a->left = strtoul(length.at, NULL, 10);
    else if (!a->is_chunked)
        a->until_end = true;
    if (a->is_head || (length.len && a->left == 0))
        a->is_whole = true;
}

/* Byte by byte: an answer may end anywhere, and so may what is fed. */
static size_t feed_head(struct answer *a, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        text_add(&a->head, (struct span){data + i, 1});
        if (a->head.len < 4 || memcmp(a->head.at + a->head.len - 4, "\r\n\r\n", 4) != 0)
            continue;
        a->status = a->head.len > 12 ? atoi(a->head.at + 9) : 0;
        if (memcmp(a->head.at, "HTTP/1.1 ", 9) != 0 || a->status < 100)
            a->is_wrong = true;
        else if (a->status < 200 && a->status != 101)
            text_clear(&a->head);
        else
            judge_head(a);
        return i + 1;
    }
    return len;
}

/* One line of `in`, with its end; empty: it is not whole. */
static struct span line_of(const struct answer *a)
{
    struct span in = text_span(&a->in);
    size_t at = span_find(in, '\n');
    return span_first(in, at < in.len ? at + 1 : 0);
}

static void step_chunks(struct answer *a)
{
    while (!a->is_whole && !a->is_wrong && a->in.len) {
        if (a->left) {
            size_t n = a->in.len < a->left ? a->in.len : a->left;
            text_add(&a->body, span_first(text_span(&a->in), n));
            text_drop(&a->in, n);
            a->left -= n;
            continue;
        }
        struct span line = line_of(a);
        if (line.len == 0)
            return;
        char *end;
        bool is_end = line.len == 2; /* after a chunk */
        a->left = is_end ? 0 : strtoul(line.at, &end, 16);
        bool is_last = !is_end && a->left == 0;
        if (is_last && a->in.len < line.len + 2)
            return;
        a->is_whole = is_last;
        text_drop(&a->in, line.len + (is_last ? 2 : 0));
    }
}

static size_t feed_body(struct answer *a, const char *data, size_t len)
{
    size_t n = a->until_end || len < a->left ? len : a->left;
    if (a->is_chunked) { /* nothing follows it before the next request */
        text_add(&a->in, (struct span){data, len});
        step_chunks(a);
        return len;
    }
    text_add(&a->body, (struct span){data, n});
    if (!a->until_end) {
        a->left -= n;
        a->is_whole = a->left == 0;
    }
    return n;
}

size_t answer_feed(struct answer *a, const char *data, size_t len)
{
    size_t used = 0;
    while (used < len && !a->is_whole && !a->is_wrong)
        used += a->has_head ? feed_body(a, data + used, len - used)
                            : feed_head(a, data + used, len - used);
    return used;
}

void answer_end(struct answer *a)
{
    a->is_whole |= a->has_head && a->until_end;
    a->is_cut = !a->is_whole;
}

void answer_clear(struct answer *a)
{
    text_free(&a->head);
    text_free(&a->body);
    text_free(&a->in);
    *a = (struct answer){0};
}
