#include "admin_fixture.h"

#include <check.h>
#include <stdio.h>

struct pools pools;
struct admin admin;
struct loop *loop;

static void on_head(void *owner, const struct response *r)
{
    struct answer *a = owner;
    size_t len = 0;
    a->status = r->status;
    ck_assert(r->reason.len > 0);
    a->has_length = r->has_length;
    a->length = r->length;
    for (size_t i = 0; i < r->fields.count; i++)
        len += (size_t)snprintf(a->fields + len, sizeof a->fields - len, "%.*s: %.*s\n",
                                SPAN_ARG(r->fields.at[i].name), SPAN_ARG(r->fields.at[i].value));
}

static void on_body(void *owner, const char *data, size_t len)
{
    text_add(&((struct answer *)owner)->body, (struct span){data, len});
}

static void on_end(void *owner, const struct fields *trailers)
{
    ck_assert_uint_eq(trailers->count, 0);
    ((struct answer *)owner)->ended = true;
}

struct ingress local = {.is_loopback = true, .client = "127.0.0.1:9"};

void (*meanwhile)(const struct answer *);

struct answer ask(const char *method, const char *path)
{
    static const struct exchange_events events = {
        .on_head = on_head, .on_body = on_body, .on_end = on_end};
    struct answer a = {0};
    struct request r = {.arena = arena_new(),
                        .method = span_of(method),
                        .target = span_of(path),
                        .minor = 1,
                        .is_head = strcmp(method, "HEAD") == 0};
    struct route route = {.kind = ROUTE_PAGE, .path = span_of(path)};
    struct exchange *x = admin_open(&admin, &r, &local, &route, &events, &a);
    ck_assert_uint_eq(a.status, 0);
    exchange_finish(x, &(struct fields){0});
    loop_turn(loop, false);
    if (meanwhile)
        meanwhile(&a);
    UNTIL(a.ended);
    text_add_str(&a.body, "");
    arena_free(r.arena);
    return a;
}

void expect(const char *method, const char *path, unsigned status, const char *fields,
            const char *body)
{
    struct answer a = ask(method, path);
    ck_assert_msg(a.status == status, "%s %s: %u", method, path, a.status);
    ck_assert_msg(strstr(a.fields, fields) != NULL, "%s %s: %s", method, path, a.fields);
    ck_assert_msg(strstr(a.body.at, body) != NULL, "%s %s: %s", method, path, a.body.at);
    text_free(&a.body);
}
