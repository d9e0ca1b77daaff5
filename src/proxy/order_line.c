#include "proxy/order_line.h"

#include <stdio.h>
#include <unistd.h>

#include "base/quoting.h"

#define SECOND_LEN 19 /* "2026-11-27T09:00:00" */

/* ------------------------------------------------------------------------------ writing */

const char *order_clock_text(struct order_clock *c, const struct timespec *at)
{
    if (c->second != at->tv_sec || c->text[0] == '\0') {
        struct tm utc;
        gmtime_r(&at->tv_sec, &utc);
        c->second = at->tv_sec;
        strftime(c->text, sizeof c->text, "%Y-%m-%dT%H:%M:%S.000000Z", &utc);
    }
    long us = at->tv_nsec / 1000;
    for (char *digit = c->text + SECOND_LEN + 6; digit > c->text + SECOND_LEN; digit--) {
        *digit = (char)('0' + us % 10);
        us /= 10;
    }
    return c->text;
}

static void add_time(struct text *to, const char *time)
{
    text_add(to, SPAN("{\"t\":\""));
    text_add(to, (struct span){time, ORDER_TIME_SIZE - 1});
}

static void add_id(struct text *to, const char *time, const struct request_id *id)
{
    add_time(to, time);
    text_add(to, SPAN("\",\"id\":\""));
    text_add_str(to, request_id_text(id));
}

static void add_text(struct text *to, struct span key, struct span value)
{
    text_add(to, key);
    quote_add(to, value, true);
}

static void add_word(struct text *to, struct span key, const char *word)
{
    if (word) {
        add_text(to, key, span_of(word));
        return;
    }
    text_add(to, key);
    text_add(to, SPAN("null"));
}

void order_line_start(struct text *to, const char *time, const char *life)
{
    add_time(to, time);
    text_printf(to, "\",\"ev\":\"start\",\"life\":\"%s\",\"pid\":%ld,\"version\":\"%s\"}\n", life,
                (long)getpid(), PACKAGE_VERSION);
}

void order_line_begin(struct text *to, const char *time, const struct order_begin *b)
{
    add_id(to, time, b->id);
    add_text(to, SPAN("\",\"ev\":\"begin\",\"upstream\":"), span_of(b->upstream));
    add_word(to, SPAN(",\"bot\":"), b->bot);
    add_text(to, SPAN(",\"client\":"), span_of(b->client));
    add_text(to, SPAN(",\"method\":"), b->method);
    add_text(to, SPAN(",\"target\":"), b->target);
    text_add(to, SPAN(",\"order_ids\":"));
    text_add(to, b->ids.len ? b->ids : SPAN("{}"));
    add_word(to, SPAN(",\"digest\":"), b->digest);
    text_add(to, SPAN("}\n"));
}

static void add_bool(struct text *to, struct span key, bool value)
{
    text_add(to, key);
    text_add(to, value ? SPAN("true") : SPAN("false"));
}

static void add_ms(struct text *to, uint64_t us)
{
    unsigned rest = (unsigned)(us % 1000);
    char fraction[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                        (char)('0' + rest % 10)};
    text_add_number(to, us / 1000);
    text_add(to, (struct span){fraction, sizeof fraction});
}

void order_line_end(struct text *to, const char *time, const struct order_end *e)
{
    add_id(to, time, e->id);
    add_text(to, SPAN("\",\"ev\":\"end\",\"sent\":"), span_of(sent_name(e->sent)));
    text_add(to, SPAN(",\"status\":"));
    if (e->status)
        text_add_number(to, e->status);
    else
        text_add(to, SPAN("null"));
    add_word(to, SPAN(",\"error\":"), e->error == FAILURE_NONE ? NULL : failure_name(e->error));
    add_bool(to, SPAN(",\"left\":"), e->left);
    add_bool(to, SPAN(",\"unknown\":"), e->unknown);
    text_add(to, SPAN(",\"total_ms\":"));
    add_ms(to, e->total_us);
    text_add(to, SPAN("}\n"));
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
