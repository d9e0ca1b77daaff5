#include "http/h1_write.h"

/* More than enough for what fields_size() does not count: the start line, framing, Host,
 * Connection, Keep-Alive, Trunkline-Request and line ends. */
#define FIXED_ROOM (200 + sizeof "Trunkline-Request: \r\n" + REQUEST_ID_SIZE)

static char *put(char *to, struct span s)
{
    if (s.len)
        memcpy(to, s.at, s.len);
    return to + s.len;
}

static char *put_number(char *to, uint64_t n)
{
    char digits[20], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    return put(to, (struct span){p, (size_t)(digits + sizeof digits - p)});
}

static size_t fields_size(const struct fields *fields)
{
    size_t size = 0;
    for (size_t i = 0; i < fields->count; i++)
        size += fields->at[i].name.len + fields->at[i].value.len + 4;
    return size;
}

static char *put_field(char *to, struct span name, struct span value)
{
    to = put(to, name);
    to = put(to, SPAN(": "));
    to = put(to, value);
    return put(to, SPAN("\r\n"));
}

static char *put_fields(char *to, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        to = put_field(to, fields->at[i].name, fields->at[i].value);
    return to;
}

static char *put_length(char *to, uint64_t length)
{
    to = put(to, SPAN("Content-Length: "));
    to = put_number(to, length);
    return put(to, SPAN("\r\n"));
}

static char *put_framing(char *to, enum framing framing, uint64_t length)
{
    if (framing == FRAMING_LENGTH)
        return put_length(to, length);
    if (framing == FRAMING_CHUNKED)
        return put(to, SPAN("Transfer-Encoding: chunked\r\n"));
    return to;
}

static void finish(struct text *t, const char *start, const char *end)
{
    text_added(t, (size_t)(end - start));
}

/* Field values were checked when they were received. The parts of the start line are checked
 * again, since they may have been composed since. */
static bool is_one_line(struct span s)
{
    return span_find(s, '\n') == s.len && span_find(s, '\r') == s.len;
}

void h1_write_request(struct text *t, struct span method, struct span target, struct span host,
                      const struct fields *fields, enum framing framing, uint64_t length)
{
    CHECK(is_one_line(target) && is_one_line(host) && framing != FRAMING_CLOSE);
    char *start =
        text_reserve(t, method.len + target.len + host.len + fields_size(fields) + FIXED_ROOM);
    char *p = put(start, method);
    *p++ = ' ';
    p = put(p, target);
    p = put(p, SPAN(" HTTP/1.1\r\n"));
    p = put_field(p, SPAN("Host"), host);
    p = put_fields(p, fields);
    p = put_framing(p, framing, length);
    p = put(p, SPAN("\r\n"));
    finish(t, start, p);
}

static char *put_response_framing(char *to, const struct response *r, enum framing framing)
{
    if (framing == FRAMING_NONE && r->has_length)
        return put_length(to, r->length);
    return put_framing(to, framing, r->length);
}

static char *put_connection(char *to, const struct h1_connection *c)
{
    if (c->request && c->request->text[0])
        to = put_field(to, SPAN("Trunkline-Request"), span_of(c->request->text));
    if (c->option.len)
        to = put_field(to, SPAN("Connection"), c->option);
    if (c->idle_limit_s == 0)
        return to;
    to = put(to, SPAN("Keep-Alive: timeout="));
    to = put_number(to, c->idle_limit_s);
    return put(to, SPAN("\r\n"));
}

void h1_write_response(struct text *t, const struct response *r, enum framing framing,
                       struct h1_connection connection)
{
    bool interim = r->status < 200 && r->status != 101;
    char *start = text_reserve(t, r->reason.len + connection.option.len + fields_size(&r->fields) +
                                      FIXED_ROOM);
    char *p = put(start, SPAN("HTTP/1.1 "));
    p = put_number(p, r->status);
    *p++ = ' ';
    p = put(p, r->reason);
    p = put(p, SPAN("\r\n"));
    p = put_fields(p, &r->fields);
    if (!interim) {
        p = put_response_framing(p, r, framing);
        p = put_connection(p, &connection);
    }
    p = put(p, SPAN("\r\n"));
    finish(t, start, p);
}

void h1_write_chunk_start(struct text *t, size_t len)
{
    CHECK(len > 0); /* an empty chunk would be the last one */
    char digits[18], *p = digits + sizeof digits;
    *--p = '\n';
    *--p = '\r';
    do
        *--p = "0123456789abcdef"[len & 15];
    while (len >>= 4);
    text_add(t, (struct span){p, (size_t)(digits + sizeof digits - p)});
}

void h1_write_chunk_end(struct text *t)
{
    text_add(t, SPAN("\r\n"));
}

void h1_write_last_chunk(struct text *t, const struct fields *trailers)
{
    char *start = text_reserve(t, fields_size(trailers) + 8);
    char *p = put(start, SPAN("0\r\n"));
    p = put_fields(p, trailers);
    p = put(p, SPAN("\r\n"));
    finish(t, start, p);
}
