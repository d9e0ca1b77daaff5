#include "net/tls_session.h"

#include <string.h>

/* How many names one context may serve (the default upstream serves every unlisted host). */
#define NAMES_MAX 64

struct kept {
    struct link link;
    struct tls_session *session; /* NULL: none */
    bool is_old, is_confirmed;   /* TLS 1.2 at most; that works */
    char name[];
};

struct tls_session *tls_session_export(const mbedtls_ssl_context *ssl)
{
    struct tls_session *s = NEW(struct tls_session);
    s->refs = 1;
    mbedtls_ssl_session_init(&s->at);
    if (mbedtls_ssl_get_session(ssl, &s->at) == 0)
        return s;
    tls_session_unref(s);
    return NULL;
}

void tls_session_unref(struct tls_session *s)
{
    if (s == NULL || --s->refs)
        return;
    mbedtls_ssl_session_free(&s->at);
    free(s);
}

static void forget(struct kept *k)
{
    list_remove(&k->link);
    tls_session_unref(k->session);
    free(k);
}

static struct kept *find(struct tls_sessions *all, const char *name)
{
    LIST_FOR (&all->kept, k, struct kept, link)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

void tls_sessions_init(struct tls_sessions *all)
{
    list_init(&all->kept);
}

void tls_sessions_clear(struct tls_sessions *all)
{
    LIST_FOR (&all->kept, k, struct kept, link)
        forget(k);
}

/* Adds an entry at the front; if there are too many, it replaces the least recently used one. */
static struct kept *touch(struct tls_sessions *all, const char *name)
{
    struct kept *k = find(all, name);
    if (k == NULL) {
        if (all->kept.count >= NAMES_MAX)
            forget(container_of(list_last(&all->kept), struct kept, link));
        size_t size = strlen(name) + 1;
        k = must_calloc(1, sizeof *k + size);
        memcpy(k->name, name, size);
    }
    list_remove(&k->link);
    list_push_front(&all->kept, &k->link);
    return k;
}

struct tls_session *tls_sessions_find(struct tls_sessions *all, const char *name)
{
    struct kept *k = find(all, name);
    if (k == NULL || k->session == NULL)
        return NULL;
    k->session->refs++;
    return k->session;
}

void tls_sessions_keep(struct tls_sessions *all, const char *name, struct tls_session *s)
{
    struct kept *k = touch(all, name);
    tls_session_unref(k->session);
    k->session = s;
}

void tls_sessions_drop(struct tls_sessions *all, const char *name, const struct tls_session *s)
{
    struct kept *k = find(all, name);
    if (k == NULL || k->session != s)
        return;
    tls_session_unref(k->session);
    k->session = NULL;
    if (!k->is_old)
        forget(k);
}

bool tls_sessions_is_old(struct tls_sessions *all, const char *name)
{
    struct kept *k = find(all, name);
    return k && k->is_old;
}

void tls_sessions_note_old(struct tls_sessions *all, const char *name, bool is_old)
{
    struct kept *k = touch(all, name);
    k->is_old = is_old;
    k->is_confirmed = false;
    if (!is_old && k->session == NULL)
        forget(k);
}

bool tls_sessions_confirm_old(struct tls_sessions *all, const char *name)
{
    struct kept *k = find(all, name);
    bool is_first = k && k->is_old && !k->is_confirmed;
    if (is_first)
        k->is_confirmed = true;
    return is_first;
}
