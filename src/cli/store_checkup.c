#include "cli/store_checkup.h"

#include <stdio.h>

struct store_checkup {
    struct loop *loop;
    bool is_ready;
    char why[STORE_WHY_SIZE];
};

static void on_ready(void *owner)
{
    struct store_checkup *s = owner;
    s->is_ready = true;
    loop_stop(s->loop);
}

static void on_reply(void *owner, const struct store_reply *r)
{
    (void)owner, (void)r;
}

static void on_end(void *owner, const char *why)
{
    struct store_checkup *s = owner;
    snprintf(s->why, sizeof s->why, "%s", why);
    loop_stop(s->loop);
}

bool store_checkup(const struct store_env *env, struct config *c, struct tls_context *tls,
                   struct text *page)
{
    static const struct store_conn_events events = {on_ready, on_reply, on_end};
    struct store_checkup s = {.loop = env->loop};
    if (c->budget_store.text == NULL)
        return true;
    uint64_t began_us = loop_clock_us(env->loop);
    struct store_conn *conn = store_conn_open(env, c, tls, &events, &s);
    loop_run(env->loop);
    double took_ms = (double)(loop_clock_us(env->loop) - began_us) / 1000;
    store_conn_close(conn);
    text_printf(page, "%sbudget_store  %s  %s\n", page->len ? "\n" : "", c->budget_store.text,
                s.is_ready ? "well" : "not well");
    if (s.is_ready)
        text_printf(page, "  answers     %.1f ms after it was dialled\n", took_ms);
    else
        text_printf(page, "  ! %s\n", s.why);
    return s.is_ready;
}
