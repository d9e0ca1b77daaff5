#include "upstream/tls_set.h"

#include <stdio.h>

#include "base/text.h"

struct tls_set {
    size_t count;
    struct tls_context *unlisted;
    struct tls_context *store; /* of budget_store; NULL: it is not reached by TLS */
    struct tls_context *at[];
};

struct build {
    const struct config *config;
    config_complain *complain;
    void *context;
    struct text told; /* one a line */
};

/* The line of the directive with whose name the words begin. */
static int line_of(const struct upstream_config *u, struct span words)
{
    return config_line(u, span_first(words, span_find(words, ' ')));
}

/* A complaint about defaults {} would come once for each upstream: only the first is passed on. */
static void complain_once(struct build *b, const struct upstream_config *u, const char *words)
{
    char message[5000];
    int line = line_of(u, span_of(words));
    if (line)
        snprintf(message, sizeof message, "%s:%d: %s", b->config->path, line, words);
    else
        snprintf(message, sizeof message, "%s: %s", b->config->path, words);
    if (b->told.len && strstr(b->told.at, message))
        return;
    text_printf(&b->told, "%s\n", message);
    b->complain(b->context, message);
}

static struct tls_context *build(struct build *b, const struct upstream_config *u)
{
    char error[300];
    struct tls_settings settings = {
        .verify = u->tls_verify,
        .ca_file = u->ca_file,
        .cert_file = u->cert_file,
        .key_file = u->key_file,
        .tls13_only = u->tls_min == TLS_MIN_1_3,
    };
    struct tls_context *tls = tls_context_new(&settings, error, sizeof error);
    if (tls == NULL)
        complain_once(b, u, error);
    return tls;
}

/* False: its ca_file cannot be used. */
static bool build_store(struct build *b, struct tls_context **to)
{
    char error[300], message[5000];
    const struct config *c = b->config;
    struct tls_settings settings = {.verify = true, .ca_file = c->budget_store_ca_file};
    if (!c->budget_store.secure)
        return true;
    *to = tls_context_new(&settings, error, sizeof error);
    if (*to)
        return true;
    snprintf(message, sizeof message, "%s:%d: budget_store: %s", c->path,
             c->budget_store_ca_file ? c->budget_store_ca_file_line : c->budget_store_line, error);
    b->complain(b->context, message);
    return false;
}

struct tls_set *tls_set_new(const struct config *c, config_complain *complain, void *context)
{
    struct tls_set *s =
        must_calloc(1, sizeof *s + c->upstream_count * sizeof(struct tls_context *));
    struct build b = {.config = c, .complain = complain, .context = context};
    bool good = true;
    s->count = c->upstream_count;
    s->unlisted = build(&b, &c->defaults);
    good &= s->unlisted != NULL;
    good &= build_store(&b, &s->store);
    for (size_t i = 0; i < s->count; i++) {
        if (!c->upstreams[i]->secure)
            continue;
        s->at[i] = build(&b, c->upstreams[i]);
        good &= s->at[i] != NULL;
    }
    text_free(&b.told);
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
    if (s->store)
        tls_context_unref(s->store);
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

struct tls_context *tls_set_store(const struct tls_set *s)
{
    return s->store;
}

struct tls_context *tls_set_unlisted(const struct tls_set *s)
{
    return s->unlisted;
}
