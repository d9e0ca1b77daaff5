#include "http/framing.h"

#include "http/hop_by_hop.h"

/* What a head says about its connection, gathered in one pass. */
struct facts {
    size_t hosts, codings, lengths;  /* how many fields of that name */
    size_t options;                  /* of Connection, in all, empty elements too */
    struct span coding, length;      /* the last of them */
    bool close, keep_alive, upgrade; /* options of Connection */
    bool old_keep_alive;             /* Proxy-Connection: keep-alive */
    bool websocket;                  /* listed in Upgrade */
    bool continues;                  /* Expect: 100-continue */
};

/* Of the eight bytes from `at` on. */
static uint64_t controls_in_word(const char *at)
{
    const uint64_t ones = UINT64_MAX / 255, tops = ones * 0x80;
    uint64_t word, rubout;
    memcpy(&word, at, 8);
    rubout = word ^ (ones * 0x7f);
    return ((word - ones * 0x20) & ~word & tops) | ((rubout - ones) & ~rubout & tops);
}

/* A value has no control character except tab (RFC 9110 5.5). Eight bytes at a time, because
 * every byte of every head passes through here; the last eight may overlap those before. */
static bool may_have_controls(struct span s)
{
    uint64_t found = 0;
    if (s.len >= 8) {
        for (size_t i = 0; i + 8 < s.len; i += 8)
            found |= controls_in_word(s.at + i);
        return (found | controls_in_word(s.at + s.len - 8)) != 0;
    }
    for (size_t i = 0; i < s.len; i++)
        found |= (unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f;
    return found != 0;
}

static bool has_controls(struct span s)
{
    if (!may_have_controls(s))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.at[i] < 0x20 && s.at[i] != '\t') || s.at[i] == 0x7f)
            return true;
    return false;
}

static void note_connection(struct facts *facts, struct span value)
{
    while (value.len && facts->options <= CONNECTION_OPTIONS_MAX) {
        size_t comma = span_find(value, ',');
        struct span option = span_trim(span_first(value, comma));
        value = span_from(value, comma + 1);
        facts->options++;
        facts->close |= span_is_nocase(option, SPAN("close"));
        facts->keep_alive |= span_is_nocase(option, SPAN("keep-alive"));
        facts->upgrade |= span_is_nocase(option, SPAN("upgrade"));
    }
}

static void note_field(struct facts *facts, const struct field *f)
{
    switch (f->name.len) {
    case 4: facts->hosts += span_is_nocase(f->name, SPAN("Host")); break;
    case 6:
        if (span_is_nocase(f->name, SPAN("Expect")))
            facts->continues |= span_lists(f->value, SPAN("100-continue"));
        break;
    case 7:
        if (span_is_nocase(f->name, SPAN("Upgrade")))
            facts->websocket |= span_lists(f->value, SPAN("websocket"));
        break;
    case 10:
        if (span_is_nocase(f->name, SPAN("Connection")))
            note_connection(facts, f->value);
        break;
    case 14:
        if (span_is_nocase(f->name, SPAN("Content-Length")))
            facts->lengths++, facts->length = f->value;
        break;
    case 16:
        if (span_is_nocase(f->name, SPAN("Proxy-Connection")))
            facts->old_keep_alive |= span_lists(f->value, SPAN("keep-alive"));
        break;
    case 17:
        if (span_is_nocase(f->name, SPAN("Transfer-Encoding")))
            facts->codings++, facts->coding = f->value;
        break;
    }
}

/* False: a value contains a control character. */
static bool gather(struct facts *facts, const struct fields *fields)
{
    *facts = (struct facts){0};
    for (size_t i = 0; i < fields->count; i++) {
        if (has_controls(fields->at[i].value))
            return false;
        note_field(facts, &fields->at[i]);
    }
    return true;
}

/* Digits only (RFC 9110 8.6), and no more than 63 bits. */
static bool length_parse(struct span s, uint64_t *length)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.at[i] - '0';
        if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *length = n;
    return s.len > 0;
}

static bool is_chunked(const struct facts *facts)
{
    return facts->codings == 1 && span_is_nocase(facts->coding, SPAN("chunked"));
}

/* Whether the list names a coding other than chunked; otherwise it is malformed. */
static bool names_unknown_coding(const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct span rest = fields->at[i].value, coding;
        if (!span_is_nocase(fields->at[i].name, SPAN("Transfer-Encoding")))
            continue;
        while (span_next_element(&rest, &coding))
            if (!span_is_nocase(coding, SPAN("chunked")))
                return true;
    }
    return false;
}

static bool refuse(struct verdict *why, int status, const char *words)
{
    *why = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "%s", words);
    why->status = status;
    return false;
}

/* RFC 9112 6.1, 6.3 */
static bool frame_coded_request(struct request *r, const struct facts *facts, struct verdict *why)
{
    if (r->minor == 0)
        return refuse(why, 400, "Transfer-Encoding in an HTTP/1.0 request");
    if (facts->lengths)
        return refuse(why, 400, "both Transfer-Encoding and Content-Length");
    if (!is_chunked(facts)) {
        if (names_unknown_coding(&r->fields))
            return refuse(why, 501, "a Transfer-Encoding other than chunked");
        return refuse(why, 400, "malformed Transfer-Encoding");
    }
    r->framing = FRAMING_CHUNKED;
    return true;
}

static bool frame_request(struct request *r, const struct facts *facts, struct verdict *why)
{
    r->framing = FRAMING_NONE;
    r->length = 0;
    if (facts->codings)
        return frame_coded_request(r, facts, why);
    if (facts->lengths == 0)
        return true;
    if (facts->lengths > 1)
        return refuse(why, 400, "more than one Content-Length");
    if (!length_parse(facts->length, &r->length))
        return refuse(why, 400, "malformed Content-Length");
    r->framing = FRAMING_LENGTH;
    return true;
}

/* Bytes after the head of a CONNECT belong to the tunnel (RFC 9110 9.3.6), so an announced body
 * is ambiguous. "Content-Length: 0" announces none. */
static bool frame_connect(struct request *r, struct verdict *why)
{
    if (r->framing == FRAMING_CHUNKED || r->length)
        return refuse(why, 400, "CONNECT with a body");
    r->framing = FRAMING_NONE;
    return true;
}

static void note_method(struct request *r)
{
    struct span m = r->method;
    r->is_head = span_is(m, SPAN("HEAD"));
    r->is_safe = r->is_head || span_is(m, SPAN("GET")) || span_is(m, SPAN("OPTIONS")) ||
                 span_is(m, SPAN("TRACE"));
    r->is_order = span_is(m, SPAN("POST")) || span_is(m, SPAN("PUT")) ||
                  span_is(m, SPAN("PATCH")) || span_is(m, SPAN("DELETE"));
}

bool framing_of_request(struct request *r, struct verdict *why)
{
    struct facts facts;
    if (r->minor > 1)
        return refuse(why, 505, "an HTTP version other than 1.0 and 1.1");
    if (!gather(&facts, &r->fields))
        return refuse(why, 400, "a control character in a header field");
    if (facts.options > CONNECTION_OPTIONS_MAX)
        return refuse(why, 400, "more than 100 options in Connection");
    if (facts.hosts > 1)
        return refuse(why, 400, "more than one Host");
    if (facts.hosts == 0 && r->minor == 1)
        return refuse(why, 400, "no Host");
    if (!frame_request(r, &facts, why))
        return false;
    if (span_is(r->method, SPAN("CONNECT")) && !frame_connect(r, why))
        return false;
    note_method(r);
    bool has_body = r->framing == FRAMING_CHUNKED || r->length;
    r->expects_continue = facts.continues && r->minor == 1 && has_body;
    r->keeps_alive = !facts.close && (r->minor == 1 || facts.keep_alive || facts.old_keep_alive);
    r->upgrades = facts.upgrade && facts.websocket && r->minor == 1 && !has_body &&
                  span_is(r->method, SPAN("GET")); /* RFC 6455 4.1 */
    return true;
}

static bool protocol_error(struct verdict *why, const char *words)
{
    *why = verdict_make(FAILURE_HTTP_PROTOCOL_ERROR, SENT_YES, "the response has %s", words);
    return false;
}

/* No body, whatever the fields say (RFC 9112 6.3, rule 1). If the fields announce one all the
 * same, bytes may follow, and the connection is not kept. */
static void frame_bodiless(struct response *r, const struct facts *facts)
{
    bool valid = facts->lengths == 1 && length_parse(facts->length, &r->length);
    bool may_have_length = r->status != 204;
    bool announces_body = facts->codings || (facts->lengths && (!valid || r->length));
    r->has_length = valid && may_have_length && facts->codings == 0;
    if (!may_have_length && announces_body)
        r->keeps_alive = false;
    if (facts->lengths && !valid)
        r->keeps_alive = false;
    if (!r->has_length)
        r->length = 0;
}

static bool frame_coded_response(struct response *r, const struct facts *facts, struct verdict *why)
{
    if (r->minor == 0)
        return protocol_error(why, "a Transfer-Encoding in HTTP/1.0");
    if (facts->lengths)
        return protocol_error(why, "both Transfer-Encoding and Content-Length");
    if (!is_chunked(facts))
        return protocol_error(why, "a Transfer-Encoding other than chunked");
    r->framing = FRAMING_CHUNKED;
    return true;
}

static bool frame_response(struct response *r, const struct facts *facts, struct verdict *why)
{
    if (facts->codings)
        return frame_coded_response(r, facts, why);
    if (facts->lengths > 1)
        return protocol_error(why, "more than one Content-Length");
    if (facts->lengths && !length_parse(facts->length, &r->length))
        return protocol_error(why, "a malformed Content-Length");
    r->framing = facts->lengths ? FRAMING_LENGTH : FRAMING_CLOSE;
    r->has_length = facts->lengths != 0;
    r->keeps_alive = r->keeps_alive && r->has_length;
    return true;
}

bool framing_of_response(struct response *r, bool to_head, struct verdict *why)
{
    struct facts facts;
    if (r->minor > 1)
        return protocol_error(why, "an HTTP version other than 1.0 and 1.1");
    if (r->status < 100 || r->status > 599)
        return protocol_error(why, "an invalid status code");
    if (r->status == 101)
        return protocol_error(why, "a status 101 that was not requested");
    if (!gather(&facts, &r->fields))
        return protocol_error(why, "a control character in a header field");
    if (facts.options > CONNECTION_OPTIONS_MAX)
        return protocol_error(why, "more than 100 options in Connection");
    r->framing = FRAMING_NONE;
    r->has_length = false;
    r->length = 0;
    r->keeps_alive = !facts.close && (r->minor == 1 || facts.keep_alive);
    if (r->status < 200) /* its connection and framing fields mean nothing (RFC 9110 15.2) */
        return r->keeps_alive = true;
    if (r->status != 204 && r->status != 304 && !to_head)
        return frame_response(r, &facts, why);
    frame_bodiless(r, &facts);
    return true;
}

bool framing_of_switch(struct response *r, struct verdict *why)
{
    struct facts facts;
    if (r->minor != 1)
        return protocol_error(why, "a status 101 in HTTP/1.0");
    if (!gather(&facts, &r->fields))
        return protocol_error(why, "a control character in a header field");
    if (!facts.upgrade || !facts.websocket)
        return protocol_error(why, "a status 101 without Upgrade: websocket");
    if (facts.codings || facts.lengths)
        return protocol_error(why, "a body in a status 101");
    r->framing = FRAMING_NONE;
    r->has_length = r->keeps_alive = false;
    r->length = 0;
    return true;
}
