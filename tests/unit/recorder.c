#include "recorder.h"

#include <string.h>

static bool ends_with(const struct text *t, const char *tail)
{
    size_t len = strlen(tail);
    return t->len >= len && memcmp(t->at + t->len - len, tail, len) == 0;
}

void recorder_note(struct text *heard, const char *word)
{
    text_add_str(heard, heard->len ? " " : "");
    text_add_str(heard, word);
}

void recorder_init(struct recorder *a, struct text *heard)
{
    *a = (struct recorder){.heard = heard};
}

void recorder_cancel(struct recorder *a)
{
    struct exchange *x = a->exchange;
    a->exchange = NULL;
    exchange_cancel(x);
}

static struct recorder *self(void *owner)
{
    struct recorder *a = owner;
    CHECK(a->exchange != NULL); /* no event may come after the end */
    return a;
}

static void react(struct recorder *a, enum recorder_event event)
{
    if (a->pause_in == event)
        exchange_pause(a->exchange);
    if (a->cancel_in == event)
        recorder_cancel(a);
}

static void add_fields(struct text *to, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        text_printf(to, "%.*s=%.*s;", SPAN_ARG(fields->at[i].name), SPAN_ARG(fields->at[i].value));
}

static void add_head(struct recorder *a, const char *word, const struct response *r)
{
    recorder_note(a->heard, word);
    text_printf(a->heard, " %u %.*s ", r->status, SPAN_ARG(r->reason));
    add_fields(a->heard, &r->fields);
}

static void on_interim(void *owner, const struct response *r)
{
    struct recorder *a = self(owner);
    add_head(a, "interim", r);
    react(a, RECORDER_INTERIM);
}

static void on_head(void *owner, const struct response *r)
{
    struct recorder *a = self(owner);
    CHECK(a->status == 0);
    a->status = r->status;
    a->framing = r->framing;
    add_head(a, "head", r);
    react(a, RECORDER_HEAD);
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct recorder *a = self(owner);
    CHECK(a->status != 0);
    if (ends_with(a->heard, ")"))
        a->heard->len--;
    else
        recorder_note(a->heard, "body(");
    text_add(a->heard, (struct span){data, len});
    text_add_str(a->heard, ")");
    a->body += len;
    react(a, RECORDER_BODY);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct recorder *a = self(owner);
    CHECK(a->status != 0 && trailers != NULL);
    a->exchange = NULL;
    a->ended++;
    recorder_note(a->heard, "end {");
    add_fields(a->heard, trailers);
    text_add_str(a->heard, "}");
}

static void on_failed(void *owner, const struct verdict *v)
{
    struct recorder *a = self(owner);
    a->exchange = NULL;
    a->failed++;
    a->verdict = *v;
    recorder_note(a->heard, "failed ");
    text_printf(a->heard, "%s sent=%s%s", failure_name(v->error), sent_name(v->sent),
                v->answered ? " answered" : "");
}

static void on_drain(void *owner)
{
    struct recorder *a = self(owner);
    a->drained++;
    react(a, RECORDER_DRAIN);
}

static void on_switch(void *owner, const struct response *r, const struct switched *to)
{
    struct recorder *a = self(owner);
    CHECK(a->status == 0);
    a->exchange = NULL;
    a->status = r->status;
    a->switched++;
    a->tunnel = to->tunnel;
    add_head(a, "switch", r);
}

const struct exchange_events recorder_events = {.on_interim = on_interim,
                                                .on_head = on_head,
                                                .on_body = on_body,
                                                .on_end = on_end,
                                                .on_failed = on_failed,
                                                .on_drain = on_drain,
                                                .on_switch = on_switch};
