#include "budget/store_reply.h"

#include "base/alloc.h"

#ifdef HAVE_HIREDIS

#include <hiredis/hiredis.h>
#include <string.h>

struct store_parser {
    redisReader *reader;
    redisReplyObjectFunctions functions;
    size_t elements, bytes; /* of the reply being read */
    const char *error;
};

/* ------------------------------------------------------- what the reader calls */

static struct store_parser *parser_of(const redisReadTask *task)
{
    return task->privdata;
}

void store_reply_free(struct store_reply *r)
{
    for (struct store_reply *at = r ? r->first : NULL, *next; at; at = next) {
        next = at->next;
        store_reply_free(at);
    }
    free(r);
}

static void free_reply(void *object)
{
    store_reply_free(object);
}

/* An element, with room for `len` bytes behind it; NULL makes the reader fail. */
static struct store_reply *add(const redisReadTask *task, enum store_reply_type type, size_t len)
{
    struct store_parser *p = parser_of(task);
    struct store_reply *parent = task->parent ? task->parent->obj : NULL;
    if (p->elements == STORE_REPLY_ELEMENTS_MAX || p->bytes + len > STORE_REPLY_BYTES_MAX) {
        p->error = "a reply is too large";
        return NULL;
    }
    p->elements++;
    p->bytes += len;
    struct store_reply *r = must_calloc(1, sizeof *r + len + 1);
    r->type = type;
    if (parent == NULL)
        return r;
    if (parent->last)
        parent->last->next = r;
    else
        parent->first = r;
    parent->last = r;
    parent->count++;
    return r;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    bool is_error = task->type == REDIS_REPLY_ERROR;
    struct store_reply *r = add(task, is_error ? STORE_ERROR : STORE_TEXT, len);
    if (r == NULL)
        return NULL;
    char *to = (char *)(r + 1);
    memcpy(to, text, len);
    r->text = (struct span){to, len};
    return r;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct store_reply *r = add(task, STORE_INTEGER, 0);
    if (r)
        r->integer = value;
    return r;
}

static void *create_nil(const redisReadTask *task)
{
    return add(task, STORE_NIL, 0);
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t count)
{
    (void)count; /* memory grows with what comes, not with what is announced */
    return add(task, STORE_LIST, 0);
}

static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)value;
    return create_string(task, text, len);
}

static void *create_bool(const redisReadTask *task, int value)
{
    return create_integer(task, value);
}

#define MORE_FUNCTIONS .createDouble = create_double, .createBool = create_bool,
#else
static void *create_array(const redisReadTask *task, int count)
{
    (void)count; /* memory grows with what comes, not with what is announced */
    return add(task, STORE_LIST, 0);
}

#define MORE_FUNCTIONS
#endif

/* ------------------------------------------------------------------ the parser */

struct store_parser *store_parser_new(void)
{
    struct store_parser *p = NEW(struct store_parser);
    p->functions = (redisReplyObjectFunctions){.createString = create_string,
                                               .createArray = create_array,
                                               .createInteger = create_integer,
                                               .createNil = create_nil,
                                               MORE_FUNCTIONS.freeObject = free_reply};
    p->reader = redisReaderCreateWithFunctions(&p->functions);
    CHECK(p->reader != NULL);
    redisReaderSetPrivdata(p->reader, p);
    return p;
}

void store_parser_free(struct store_parser *p)
{
    redisReaderFree(p->reader);
    free(p);
}

bool store_parser_feed(struct store_parser *p, const char *data, size_t len)
{
    if (p->reader->len - p->reader->pos + len > STORE_REPLY_BYTES_MAX)
        p->error = "a reply is too large";
    else if (redisReaderFeed(p->reader, data, len) != REDIS_OK)
        p->error = "the reply is not that of a store";
    return p->error == NULL;
}

struct store_reply *store_parser_next(struct store_parser *p)
{
    void *reply = NULL;
    if (p->error)
        return NULL;
    int status = redisReaderGetReply(p->reader, &reply);
    if (status != REDIS_OK && p->error == NULL)
        p->error = "the reply is not that of a store";
    if (reply)
        p->elements = p->bytes = 0;
    return status == REDIS_OK ? reply : NULL;
}

const char *store_parser_error(const struct store_parser *p)
{
    return p->error;
}

#else /* a configuration that names a store is refused */

struct store_parser {
    char unused;
};

struct store_parser *store_parser_new(void)
{
    return NEW(struct store_parser);
}

void store_parser_free(struct store_parser *p)
{
    free(p);
}

void store_reply_free(struct store_reply *r)
{
    free(r);
}

bool store_parser_feed(struct store_parser *p, const char *data, size_t len)
{
    (void)p, (void)data, (void)len;
    return false;
}

struct store_reply *store_parser_next(struct store_parser *p)
{
    (void)p;
    return NULL;
}

const char *store_parser_error(const struct store_parser *p)
{
    (void)p;
    return "built without hiredis";
}

#endif

const struct store_reply *store_reply_at(const struct store_reply *r, size_t n)
{
    const struct store_reply *at = r->type == STORE_LIST ? r->first : NULL;
    while (at && n--)
        at = at->next;
    return at;
}
