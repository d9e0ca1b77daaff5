#include "pages/page_stream.h"

#include "base/state.h"

#define MAGIC 0x70616365u
#define SLICE_US 300           /* at most so long is a piece made in one turn */
#define PIECE_MAX (32 * 1024u) /* bytes kept while the client does not read */

#define PAGE_STREAM_STATES(S)                                                                      \
    S(PAGE_STARTING, "starting", TO(PAGE_SENDING) | TO(PAGE_OVER))                                 \
    S(PAGE_SENDING, "sending", TO(PAGE_OVER))                                                      \
    S(PAGE_OVER, "over", 0)
STATE_TYPE(page_stream, PAGE_STREAM_STATES)

struct page_stream {
    struct exchange exchange;
    unsigned magic;
    enum page_stream_state state;
    bool is_head, paused;
    struct loop *loop;
    struct response *head;
    struct page_source *source;
    struct text piece;
    struct task task;         /* goes on; frees when over */
    struct deadline deadline; /* until the next turn */
};

static struct page_stream *self(struct exchange *x)
{
    struct page_stream *p = container_of(x, struct page_stream, exchange);
    MAGIC_CHECK(p, MAGIC);
    return p;
}

static void page_stream_enter(struct page_stream *p, enum page_stream_state to)
{
    STATE_ENTER(page_stream, &p->state, to, "pages", 0);
}

static void end(struct page_stream *p)
{
    page_stream_enter(p, PAGE_OVER);
    deadline_stop(&p->deadline);
    p->source->free(p->source);
    loop_defer(p->loop, &p->task);
}

static void free_now(struct page_stream *p)
{
    text_free(&p->piece);
    p->magic = 0;
    free(p);
}

/* False: the page ends with this piece. */
static bool make_piece(struct page_stream *p)
{
    uint64_t until_us = loop_clock_us(p->loop) + SLICE_US;
    bool more;
    do
        more = p->source->next(p->source, &p->piece);
    while (more && p->piece.len < PIECE_MAX && loop_clock_us(p->loop) < until_us);
    return more;
}

static void send_head(struct page_stream *p, bool more)
{
    struct response *r = p->head;
    r->has_length = !more;
    r->length = more ? 0 : p->piece.len;
    r->framing = p->is_head ? FRAMING_NONE : more ? FRAMING_CHUNKED : FRAMING_LENGTH;
    page_stream_enter(p, PAGE_SENDING);
    p->exchange.events->on_head(p->exchange.owner, r);
}

static void send_end(struct page_stream *p)
{
    static const struct fields none;
    end(p);
    p->exchange.events->on_end(p->exchange.owner, &none);
}

/* Each event may pause or cancel it. */
static void go_on(struct page_stream *p)
{
    bool more = make_piece(p);
    if (p->state == PAGE_STARTING)
        send_head(p, more);
    if (p->state == PAGE_SENDING && p->piece.len && !p->is_head)
        p->exchange.events->on_body(p->exchange.owner, p->piece.at, p->piece.len);
    text_clear(&p->piece);
    if (p->state == PAGE_OVER)
        return;
    if (!more || p->is_head)
        send_end(p);
    else if (!p->paused)
        deadline_in(&p->deadline, 0);
}

/* By way of the task, because a timer of 0 ms set by a timer would expire in the same turn
 * (libuv 1.44), before anything is read. */
static void on_next_turn(struct deadline *d)
{
    struct page_stream *p = container_of(d, struct page_stream, deadline);
    MAGIC_CHECK(p, MAGIC);
    loop_defer(p->loop, &p->task);
}

static void run(struct task *t)
{
    struct page_stream *p = container_of(t, struct page_stream, task);
    MAGIC_CHECK(p, MAGIC);
    if (p->state == PAGE_OVER)
        free_now(p);
    else
        go_on(p);
}

static bool swallow(struct exchange *x, const char *data, size_t len)
{
    (void)data, (void)len;
    (void)self(x);
    return true;
}

static void swallow_end(struct exchange *x, const struct fields *trailers)
{
    (void)trailers;
    (void)self(x);
}

static void pause_reading(struct exchange *x)
{
    struct page_stream *p = self(x);
    p->paused = true;
    deadline_stop(&p->deadline);
    if (p->state == PAGE_SENDING)
        task_forget(&p->task);
}

static void resume_reading(struct exchange *x)
{
    struct page_stream *p = self(x);
    if (!p->paused)
        return;
    p->paused = false;
    if (p->state == PAGE_SENDING)
        deadline_in(&p->deadline, 0);
}

/* The page is sent whatever becomes of the request. */
static void refuse(struct exchange *x, const struct verdict *why)
{
    (void)why;
    (void)self(x);
}

static enum sent sent(const struct exchange *x)
{
    (void)x;
    return SENT_NO;
}

static void cancel(struct exchange *x)
{
    struct page_stream *p = self(x);
    CHECK(p->state != PAGE_OVER);
    end(p);
}

struct exchange *page_stream_open(struct loop *loop, struct response *head, bool is_head,
                                  struct page_source *source, const struct exchange_events *events,
                                  void *owner)
{
    static const struct exchange_ops ops = {.body = swallow,
                                            .finish = swallow_end,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .refuse = refuse};
    struct page_stream *p = NEW(struct page_stream);
    MAGIC_INIT(p, MAGIC);
    p->exchange = (struct exchange){&ops, events, owner};
    p->loop = loop;
    p->head = head;
    p->is_head = is_head;
    p->source = source;
    task_init(&p->task, run);
    deadline_init(&p->deadline, loop, on_next_turn);
    loop_defer(loop, &p->task);
    return &p->exchange;
}
