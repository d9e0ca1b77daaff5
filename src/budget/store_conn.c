#include "budget/store_conn.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/state.h"
#include "net/dial.h"
#include "net/stream_tls.h"

#define MAGIC 0x73746f72
#define OPEN_MS 5000 /* to become ready, each of its steps */

#define STORE_CONN_STATES(S)                                                                       \
    S(STORE_CONN_DIALLING, "dialling",                                                             \
      TO(STORE_CONN_SECURING) | TO(STORE_CONN_GREETING) | TO(STORE_CONN_ENDED))                    \
    S(STORE_CONN_SECURING, "securing", TO(STORE_CONN_GREETING) | TO(STORE_CONN_ENDED))             \
    S(STORE_CONN_GREETING, "greeting", TO(STORE_CONN_READY) | TO(STORE_CONN_ENDED))                \
    S(STORE_CONN_READY, "ready", TO(STORE_CONN_ENDED))                                             \
    S(STORE_CONN_ENDED, "ended", 0)
STATE_TYPE(store_conn, STORE_CONN_STATES)

struct store_conn {
    unsigned magic;
    enum store_conn_state state;
    const struct store_env *env;
    struct config *config;
    const struct config_store *to;   /* in that */
    struct sockaddr_storage address; /* of a unix socket */
    struct tls_context *tls;
    struct dial *dial;
    struct stream *stream;
    struct store_parser *parser;
    size_t greetings;         /* replies to the login that are still to come */
    struct deadline deadline; /* until it is ready */
    bool is_closed;
    const struct store_conn_events *events;
    void *owner;
    struct task free_later;
};

static struct store_conn *self(void *owner)
{
    struct store_conn *c = owner;
    MAGIC_CHECK(c, MAGIC);
    return c;
}

static void enter(struct store_conn *c, enum store_conn_state to)
{
    STATE_ENTER(store_conn, &c->state, to, "budget_store", 0);
    if (to == STORE_CONN_READY || to == STORE_CONN_ENDED)
        deadline_stop(&c->deadline);
    else
        deadline_in(&c->deadline, OPEN_MS);
}

/* Lets go of the network, in whatever state. */
static void let_go(struct store_conn *c)
{
    if (c->dial)
        dial_cancel(c->dial);
    if (c->stream)
        stream_close(c->stream);
    c->dial = NULL;
    c->stream = NULL;
    if (c->state != STORE_CONN_ENDED)
        enter(c, STORE_CONN_ENDED);
}

static void end(struct store_conn *c, const char *why)
{
    if (c->state == STORE_CONN_ENDED)
        return;
    let_go(c);
    c->events->on_end(c->owner, why);
}

static void on_deadline(struct deadline *d)
{
    struct store_conn *c = self(container_of(d, struct store_conn, deadline));
    end(c, c->state == STORE_CONN_GREETING ? "the login is not answered"
                                           : "the connection is not established in time");
}

/* --------------------------------------------------------------------- errors */

static const struct {
    const char *code, *words;
} known_errors[] = {
    {"NOAUTH", "the store wants a password (NOAUTH)"},
    {"WRONGPASS", "the store refuses the user or password (WRONGPASS)"},
    {"NOPERM", "the user may not run scripts, or not on these keys (NOPERM)"},
    {"MOVED", "the store is a node of a cluster that does not have the keys (MOVED)"},
    {"ASK", "the store is a node of a cluster that is moving the keys (ASK)"},
    {"CLUSTERDOWN", "the cluster of the store is down (CLUSTERDOWN)"},
    {"CROSSSLOT", "the store divides the keys of one budget (CROSSSLOT)"},
    {"LOADING", "the store is loading its data (LOADING)"},
    {"READONLY", "the store is a replica that cannot be written to (READONLY)"},
    {"MASTERDOWN", "the store is a replica without its master (MASTERDOWN)"},
    {"MISCONF", "the store cannot save its data and refuses writes (MISCONF)"},
    {"OOM", "the store is out of memory (OOM)"},
    {"BUSY", "the store is busy with another script (BUSY)"},
    {"WRONGTYPE", "a key of the budget has another type: something else uses it (WRONGTYPE)"},
    {"DENIED", "the store runs in protected mode (DENIED)"},
};

static bool contains(struct span text, const char *word)
{
    struct span w = span_of(word);
    for (size_t i = 0; i + w.len <= text.len; i++)
        if (span_starts(span_from(text, i), w))
            return true;
    return false;
}

/* Errors of scripts have the cause inside. Redis repeats the arguments of commands that it does not
 * know, so that nothing after the first words of others is shown. */
void store_error_words(struct span error, char words[STORE_WHY_SIZE])
{
    struct span code = span_first(error, span_find(error, ' '));
    bool is_of_script = contains(error, "script");
    for (size_t i = 0; i < COUNT_OF(known_errors); i++) {
        if (span_is(code, span_of(known_errors[i].code)) ||
            (is_of_script && contains(error, known_errors[i].code))) {
            snprintf(words, STORE_WHY_SIZE, "%s", known_errors[i].words);
            return;
        }
    }
    if (contains(error, "unknown command"))
        snprintf(words, STORE_WHY_SIZE, "the store does not know a command that is needed");
    else if (contains(error, "invalid password") || contains(error, "AUTH"))
        snprintf(words, STORE_WHY_SIZE, "the store refuses the login");
    else if (contains(error, "DB index"))
        snprintf(words, STORE_WHY_SIZE, "the store has no database of that number");
    else
        snprintf(words, STORE_WHY_SIZE, "the store answers with an error: %.*s",
                 SPAN_ARG(span_first(code, 30)));
    for (char *p = words; *p; p++)
        if (*p < ' ' || *p == 0x7f)
            *p = '?';
}

/* -------------------------------------------------------------------- replies */

static void on_greeting(struct store_conn *c, const struct store_reply *r)
{
    char why[STORE_WHY_SIZE];
    if (r->type == STORE_ERROR) {
        store_error_words(r->text, why);
        end(c, why);
        return;
    }
    if (--c->greetings > 0)
        return;
    enter(c, STORE_CONN_READY);
    c->events->on_ready(c->owner);
}

static void take_reply(struct store_conn *c, const struct store_reply *r)
{
    if (c->state == STORE_CONN_GREETING)
        on_greeting(c, r);
    else
        c->events->on_reply(c->owner, r);
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct store_conn *c = self(owner);
    struct store_reply *r;
    bool fits = store_parser_feed(c->parser, data, len);
    while (fits && c->state != STORE_CONN_ENDED && (r = store_parser_next(c->parser))) {
        take_reply(c, r);
        store_reply_free(r);
    }
    if (store_parser_error(c->parser))
        end(c, store_parser_error(c->parser));
}

static void on_stream_end(void *owner, enum stream_end how, const char *why)
{
    struct store_conn *c = self(owner);
    char words[STORE_WHY_SIZE];
    if (how == STREAM_RESET)
        snprintf(words, sizeof words, "the connection broke: %s", why);
    else
        snprintf(words, sizeof words, "the store closed the connection");
    end(c, words);
}

static void on_drain(void *owner)
{
    (void)owner;
}

/* ------------------------------------------------------------------- greeting */

static void add_command(struct text *to, size_t count, const char *const *words)
{
    text_printf(to, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        text_printf(to, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
}

void store_conn_send(struct store_conn *c, struct span commands)
{
    uv_buf_t piece = uv_buf_init((char *)(uintptr_t)commands.at, (unsigned)commands.len);
    CHECK(c->state == STORE_CONN_GREETING || c->state == STORE_CONN_READY);
    (void)stream_write(c->stream, &piece, 1); /* bounded: one command for each budget */
}

/* A PING besides: without a login it tells whether one is wanted. */
static void greet(struct store_conn *c)
{
    static const struct stream_events events = {on_data, on_stream_end, on_drain};
    char db[12];
    struct text login = {0};
    enter(c, STORE_CONN_GREETING);
    stream_bind(c->stream, &events, c);
    stream_resume(c->stream);
    c->greetings = 1;
    if (c->to->password) {
        const char *words[3] = {"AUTH", c->to->user ? c->to->user : c->to->password,
                                c->to->password};
        add_command(&login, c->to->user ? 3 : 2, words);
        c->greetings++;
    }
    if (c->to->db) {
        snprintf(db, sizeof db, "%u", c->to->db);
        add_command(&login, 2, (const char *[]){"SELECT", db});
        c->greetings++;
    }
    add_command(&login, 1, (const char *[]){"PING"});
    store_conn_send(c, text_span(&login));
    text_free(&login);
}

static void on_secured(void *owner, struct stream *stream, const struct tls_report *report)
{
    (void)stream, (void)report;
    greet(self(owner));
}

static void on_unsecured(void *owner, struct stream *stream, enum failure why, const char *detail)
{
    (void)stream;
    char words[STORE_WHY_SIZE];
    snprintf(words, sizeof words, "TLS: %s: %s", failure_name(why), detail);
    end(self(owner), words);
}

static void on_connected(void *owner, struct stream *stream, const struct dial_report *report)
{
    static const struct tls_events events = {on_secured, on_unsecured};
    struct store_conn *c = self(owner);
    (void)report;
    c->dial = NULL;
    c->stream = stream;
    if (c->tls == NULL) {
        greet(c);
        return;
    }
    enter(c, STORE_CONN_SECURING);
    c->stream = stream_tls_open(c->env->loop, c->env->worker, c->tls, stream, c->to->host, NULL,
                                &events, c);
}

static void on_dial_failed(void *owner, enum failure why, const char *detail)
{
    struct store_conn *c = self(owner);
    (void)why;
    c->dial = NULL;
    end(c, detail);
}

/* ----------------------------------------------------------------------- life */

static void free_now(struct task *t)
{
    struct store_conn *c = container_of(t, struct store_conn, free_later);
    store_parser_free(c->parser);
    if (c->tls)
        tls_context_unref(c->tls);
    config_unref(c->config);
    c->magic = 0;
    free(c);
}

struct store_conn *store_conn_open(const struct store_env *env, struct config *config,
                                   struct tls_context *tls, const struct store_conn_events *events,
                                   void *owner)
{
    static const struct dial_events dial_events = {on_connected, on_dial_failed};
    struct store_conn *c = NEW(struct store_conn);
    MAGIC_INIT(c, MAGIC);
    c->env = env;
    c->config = config_ref(config);
    c->to = &c->config->budget_store;
    c->tls = tls ? tls_context_ref(tls) : NULL;
    c->events = events;
    c->owner = owner;
    c->parser = store_parser_new();
    deadline_init(&c->deadline, env->loop, on_deadline);
    deadline_in(&c->deadline, OPEN_MS);
    task_init(&c->free_later, free_now);
    struct dial_target target = {.host = c->to->host,
                                 .port = c->to->port,
                                 .dns_timeout_ms = OPEN_MS,
                                 .connect_timeout_ms = OPEN_MS};
    if (c->to->path) {
        struct sockaddr_un *un = (struct sockaddr_un *)&c->address;
        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof un->sun_path, "%s", c->to->path);
        target.connect_to = &c->address;
    }
    c->dial = dial_start(env->loop, env->dns, &target, &dial_events, c);
    return c;
}

void store_conn_close(struct store_conn *c)
{
    MAGIC_CHECK(c, MAGIC);
    CHECK(!c->is_closed);
    c->is_closed = true;
    let_go(c);
    loop_defer(c->env->loop, &c->free_later);
}
