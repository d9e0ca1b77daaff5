#include "proxy/order_line.h"

#include <stdio.h>
#include <unistd.h>

#include "base/quoting.h"

#define SECOND_LEN 19  /* "2026-11-27T09:00:00" */
#define FIXED_ROOM 400 /* a line, without what its order or its origin makes of any length */

/* ------------------------------------------------------------------------------ writing */

/* Two digits. */
static void write_pair(char *to, uint32_t n)
{
    to[0] = (char)('0' + n / 10);
    to[1] = (char)('0' + n % 10);
}

const char *order_clock_text(struct order_clock *c, const struct timespec *at)
{
    if (c->second != at->tv_sec || c->text[0] == '\0') {
        struct tm utc;
        gmtime_r(&at->tv_sec, &utc);
        c->second = at->tv_sec;
        strftime(c->text, sizeof c->text, "%Y-%m-%dT%H:%M:%S.000000Z", &utc);
    }
    uint32_t us = (uint32_t)(at->tv_nsec / 1000);
    write_pair(c->text + SECOND_LEN + 1, us / 10000);
    write_pair(c->text + SECOND_LEN + 3, us / 100 % 100);
    write_pair(c->text + SECOND_LEN + 5, us % 100);
    return c->text;
}

/* Each line asks once for the room that it takes at most; what follows writes at `to` and returns
 * where to go on. */
static inline char *put(char *to, struct span s)
{
    if (s.len)
        memcpy(to, s.at, s.len);
    return to + s.len;
}

static char *put_id(char *to, const char *time, const struct request_id *id)
{
    to = put(to, SPAN("{\"t\":\""));
    to = put(to, (struct span){time, ORDER_TIME_SIZE - 1});
    to = put(to, SPAN("\",\"id\":\""));
    return put(to, span_of(request_id_text(id)));
}

/* In quotes, as it is: one of our own names, or hex. NULL is null. */
static char *put_name(char *to, const char *name)
{
    if (name == NULL)
        return put(to, SPAN("null"));
    to = put(to, SPAN("\""));
    to = put(to, span_of(name));
    return put(to, SPAN("\""));
}

/* Without bytes at all it is null. */
static char *put_word(char *to, struct span word)
{
    return word.at ? quote_put(to, word, true) : put(to, SPAN("null"));
}

void order_line_start(struct text *to, const char *time, const char *life)
{
    text_printf(to,
                "{\"t\":\"%s\",\"ev\":\"start\",\"life\":\"%s\",\"pid\":%ld,\"version\":\"%s\"}\n",
                time, life, (long)getpid(), PACKAGE_VERSION);
}

void order_line_begin(struct text *to, const char *time, const struct order_begin *b)
{
    struct span upstream = span_of(b->upstream), bot = span_of(b->bot), client = span_of(b->client);
    char *start =
        text_reserve(to, FIXED_ROOM + quote_room(upstream) + quote_room(bot) + quote_room(client) +
                             quote_room(b->method) + quote_room(b->target) + b->ids.len);
    char *at = put_id(start, time, b->id);
    at = put(at, SPAN("\",\"ev\":\"begin\",\"upstream\":"));
    at = put_word(at, upstream);
    at = put(at, SPAN(",\"bot\":"));
    at = put_word(at, bot);
    at = put(at, SPAN(",\"client\":"));
    at = put_word(at, client);
    at = put(at, SPAN(",\"method\":"));
    at = quote_put(at, b->method, true);
    at = put(at, SPAN(",\"target\":"));
    at = quote_put(at, b->target, true);
    at = put(at, SPAN(",\"order_ids\":"));
    at = put(at, b->ids.len ? b->ids : SPAN("{}"));
    at = put(at, SPAN(",\"digest\":"));
    at = put_name(at, b->digest);
    at = put(at, SPAN("}\n"));
    text_added(to, (size_t)(at - start));
}

static char *put_number(char *to, uint64_t n)
{
    char digits[20], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    return put(to, (struct span){p, (size_t)(digits + sizeof digits - p)});
}

static char *put_bool(char *to, bool value)
{
    return put(to, value ? SPAN("true") : SPAN("false"));
}

static char *put_ms(char *to, uint64_t us)
{
    uint32_t rest = (uint32_t)(us % 1000);
    to = put_number(to, us / 1000);
    *to++ = '.';
    *to++ = (char)('0' + rest / 100);
    write_pair(to, rest % 100);
    return to + 2;
}

struct order_end order_end_of(const struct record *r, const struct request_id *id)
{
    return (struct order_end){.id = id,
                              .sent = r->duplicate ? SENT_NO : r->sent,
                              .status = r->status,
                              .error = r->error,
                              .left = r->left,
                              .unknown = r->unknown,
                              .total_us = r->total_us};
}

void order_line_end(struct text *to, const char *time, const struct order_end *e)
{
    char *start = text_reserve(to, FIXED_ROOM), *at = put_id(start, time, e->id);
    at = put(at, SPAN("\",\"ev\":\"end\",\"sent\":"));
    at = put_name(at, sent_name(e->sent));
    at = put(at, SPAN(",\"status\":"));
    at = e->status ? put_number(at, e->status) : put(at, SPAN("null"));
    at = put(at, SPAN(",\"error\":"));
    at = put_name(at, e->error == FAILURE_NONE ? NULL : failure_name(e->error));
    at = put(at, SPAN(",\"left\":"));
    at = put_bool(at, e->left);
    at = put(at, SPAN(",\"unknown\":"));
    at = put_bool(at, e->unknown);
    at = put(at, SPAN(",\"total_ms\":"));
    at = put_ms(at, e->total_us);
    at = put(at, SPAN("}\n"));
    text_added(to, (size_t)(at - start));
}

/* ------------------------------------------------------------------------------ reading */

/* The number in `len` digits; -1: there are others. */
static int digits(const char *at, size_t len)
{
    int n = 0;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        n = n * 10 + (at[i] - '0');
    }
    return n;
}

/* False: it is not a time as the journal writes it. */
static bool read_time(const char *t, int64_t *us)
{
    static const char form[] = "0000-00-00T00:00:00.000000Z";
    if (t == NULL || strlen(t) != sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? t[i] < '0' || t[i] > '9' : t[i] != form[i])
            return false;
    struct tm utc = {.tm_year = digits(t, 4) - 1900,
                     .tm_mon = digits(t + 5, 2) - 1,
                     .tm_mday = digits(t + 8, 2),
                     .tm_hour = digits(t + 11, 2),
                     .tm_min = digits(t + 14, 2),
                     .tm_sec = digits(t + 17, 2)};
    if (utc.tm_mon < 0 || utc.tm_mon > 11 || utc.tm_mday < 1 || utc.tm_mday > 31)
        return false;
    *us = (int64_t)timegm(&utc) * 1000000 + digits(t + 20, 6);
    return true;
}

static const char *string_in(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* "LIFE-NUMBER", see request_id.h. */
static bool is_id(const char *id)
{
    return id && strlen(id) < REQUEST_ID_SIZE && strlen(id) > REQUEST_LIFE_SIZE &&
           id[REQUEST_LIFE_SIZE - 1] == '-';
}

static enum order_line_kind kind_of(const json_t *o)
{
    const char *event = string_in(o, "ev"), *id = string_in(o, "id");
    if (event == NULL)
        return ORDER_LINE_FOREIGN;
    if (strcmp(event, "start") == 0)
        return string_in(o, "life") ? ORDER_LINE_START : ORDER_LINE_FOREIGN;
    if (!is_id(id))
        return ORDER_LINE_FOREIGN;
    if (strcmp(event, "begin") == 0)
        return ORDER_LINE_BEGIN;
    return strcmp(event, "end") == 0 ? ORDER_LINE_END : ORDER_LINE_FOREIGN;
}

void order_line_read(struct order_line *l, struct span line)
{
    *l = (struct order_line){.kind = ORDER_LINE_FOREIGN};
    if (line.len == 0 || line.at[0] != '{')
        return;
    l->object = json_loadb(line.at, line.len, 0, NULL);
    if (l->object && read_time(string_in(l->object, "t"), &l->at_us))
        l->kind = kind_of(l->object);
    l->id = string_in(l->object, "id");
    if (l->kind == ORDER_LINE_FOREIGN)
        order_line_clear(l);
}

void order_line_clear(struct order_line *l)
{
    json_decref(l->object);
    *l = (struct order_line){.kind = ORDER_LINE_FOREIGN};
}
