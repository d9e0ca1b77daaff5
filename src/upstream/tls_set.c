#include "upstream/tls_set.h"

#include <stdio.h>

struct tls_set {
    size_t count;
    struct tls_context *unlisted;
    struct tls_context *at[];
};

static struct tls_context *build(const struct config *c, const struct upstream_config *u,
                                 config_complain *complain, void *context)
{
    char error[300], message[600];
    struct tls_settings settings = {
        .verify = u->tls_verify,
        .ca_file = u->ca_file,
        .cert_file = u->cert_file,
        .key_file = u->key_file,
        .tls13_only = u->tls_min == 13,
    };
    struct tls_context *tls = tls_context_new(&settings, error, sizeof error);
    if (tls == NULL) {
        snprintf(message, sizeof message, "%s:%d: %s", c->path, u->line, error);
        complain(context, message);
    }
    return tls;
}

struct tls_set *tls_set_new(const struct config *c, config_complain *complain, void *context)
{
    struct tls_set *s =
        must_calloc(1, sizeof *s + c->upstream_count * sizeof(struct tls_context *));
    bool good = true;
    s->count = c->upstream_count;
    s->unlisted = build(c, &c->defaults, complain, context);
    good &= s->unlisted != NULL;
    for (size_t i = 0; i < s->count; i++) {
        if (!c->upstreams[i]->secure)
            continue;
        s->at[i] = build(c, c->upstreams[i], complain, context);
        good &= s->at[i] != NULL;
    }
    if (good)
        return s;
    tls_set_free(s);
    return NULL;
}

void tls_set_free(struct tls_set *s)
{
    if (s == NULL)
        return;
    if (s->unlisted)
        tls_context_unref(s->unlisted);
    for (size_t i = 0; i < s->count; i++)
        if (s->at[i])
            tls_context_unref(s->at[i]);
    free(s);
}

struct tls_context *tls_set_upstream(const struct tls_set *s, size_t n)
{
    CHECK(n < s->count);
    return s->at[n];
}

struct tls_context *tls_set_unlisted(const struct tls_set *s)
{
    return s->unlisted;
}
