#include "proxy/order_other.h"

#include <stdio.h>
#include <string.h>

#include "proxy/order_line.h"

#define LOOK_BACK 4096 /* entries; an end further behind its begin is an entry of its own */

enum { ID, UPSTREAM, DIGEST, TEXTS };

struct order_other *order_other_of(struct order_writing *w)
{
    CHECK(w->is_other);
    return container_of(w, struct order_other, writing);
}

void order_other_free(struct order_other *o)
{
    free(o);
}

static struct order_other *other_new(const struct order_line *l)
{
    static const char *const keys[TEXTS] = {"id", "upstream", "digest"};
    const char *texts[TEXTS];
    size_t size = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        texts[i] = json_string_value(json_object_get(l->object, keys[i]));
        texts[i] = texts[i] ? texts[i] : "";
        size += strlen(texts[i]) + 1;
    }
    struct order_other *o = must_calloc(1, sizeof *o + size);
    const char **places[TEXTS] = {&o->past.id, &o->past.upstream, &o->past.digest};
    char *at = o->texts;
    for (size_t i = 0; i < TEXTS; i++) {
        *places[i] = strcpy(at, texts[i]);
        at += strlen(texts[i]) + 1;
    }
    o->past.error = o->error;
    o->writing.is_other = true;
    return o;
}

static void begin(struct list *to, const struct order_line *l)
{
    struct order_other *o = other_new(l);
    o->past.began_us = l->at_us;
    o->past.fate = ORDER_OPEN;
    list_push_back(to, &o->writing.link);
}

/* The newest are the likeliest. */
static struct order_other *find(struct list *among, const char *id)
{
    struct link *k = list_last(among);
    for (int i = 0; k && i < LOOK_BACK; i++, k = k->prev == &among->head ? NULL : k->prev) {
        struct order_other *o = order_other_of(container_of(k, struct order_writing, link));
        if (!o->is_end && strcmp(o->past.id, id) == 0)
            return o;
    }
    return NULL;
}

static void end(struct list *to, const struct order_line *l)
{
    struct order_other *o = find(to, l->id);
    if (o == NULL) {
        o = other_new(l);
        o->is_end = true;
        list_push_back(to, &o->writing.link);
    }
    order_past_end(&o->past, o->error, l);
}

static void take(struct list *to, struct span line, const char *life)
{
    struct order_line l;
    order_line_read(&l, line);
    bool is_ours = l.id && strncmp(l.id, life, strlen(life)) == 0;
    if (l.kind == ORDER_LINE_BEGIN && !is_ours)
        begin(to, &l);
    else if (l.kind == ORDER_LINE_END && !is_ours)
        end(to, &l);
    order_line_clear(&l);
}

void order_other_read(struct list *to, struct span lines, const char *life)
{
    for (size_t end_at; lines.len; lines = span_from(lines, end_at + 1)) {
        end_at = span_find(lines, '\n');
        take(to, span_first(lines, end_at), life);
        if (end_at >= lines.len)
            return;
    }
}
