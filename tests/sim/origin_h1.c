#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/book.h"
#include "tests/sim/budget.h"
#include "tests/sim/exits.h"
#include "tests/sim/origin_conn.h"
#include "tests/sim/queue.h"
#include "tests/sim/quotes.h"
#include "tests/sim/upgrades.h"

/* What it does to a request, and as soon as it has read how much of it. */
enum deed {
    DEED_ANSWER,
    DEED_ANSWER_AND_CLOSE,
    DEED_ANSWER_EARLY, /* before it has the body */
    DEED_UNTIL_CLOSE,  /* a body without length */
    DEED_CHUNKED,
    DEED_INTERIM,
    DEED_STATUS,
    DEED_MISDIRECTED,
    DEED_CUT_HEAD,
    DEED_CUT_BODY,
    DEED_RESET_BODY,
    DEED_STALL_BODY,
    DEED_GARBAGE,
    DEED_RESET,
    DEED_CLOSE,
    DEED_STALL,
    DEED_VANISH,
    DEED_DEAF,
    DEED_STRAY, /* answers, and sends bytes that nobody asked for some time later */
    DEEDS
};

static const char *const words[DEEDS] = {
    [DEED_ANSWER] = "answers",
    [DEED_ANSWER_AND_CLOSE] = "answers and closes",
    [DEED_ANSWER_EARLY] = "answers early",
    [DEED_UNTIL_CLOSE] = "answers without length",
    [DEED_CHUNKED] = "answers in chunks",
    [DEED_INTERIM] = "answers after a 103",
    [DEED_STATUS] = "refuses",
    [DEED_MISDIRECTED] = "answers 421",
    [DEED_CUT_HEAD] = "answers with half a head and closes",
    [DEED_CUT_BODY] = "answers with half a body and closes",
    [DEED_RESET_BODY] = "answers with half a body and resets",
    [DEED_STALL_BODY] = "answers with half a body and stalls",
    [DEED_GARBAGE] = "answers with garbage",
    [DEED_RESET] = "resets",
    [DEED_CLOSE] = "closes",
    [DEED_STALL] = "stalls",
    [DEED_VANISH] = "vanishes",
    [DEED_DEAF] = "goes deaf",
    [DEED_STRAY] = "answers, and again later",
};

enum point { POINT_TARGET, POINT_HEAD, POINT_BODY, POINT_WHOLE };

struct request {
    struct origin_conn *conn;
    struct dice dice;
    enum deed deed;
    enum point point;
    unsigned reading, number;
    size_t size;
    bool is_done;  /* the deed */
    bool is_quote; /* see quotes.h */
    bool is_head;  /* its method is HEAD */
};

struct h1 {
    struct text in;
    struct request *request;
    size_t left; /* of its body */
    bool in_body;
    unsigned answering; /* later answers that are still due */
    unsigned served, most;
};

static void go_on(struct origin_conn *);

/* ----------------------------------------------------------------------------- answers */

static void add_head(struct request *r, const char *status, struct text *t)
{
    struct quote_pair pairs[QUOTE_FIELDS];
    text_printf(t, "HTTP/1.1 %s\r\nX-Try: %u\r\n", status, r->number);
    size_t count =
        r->is_quote ? quote_answer(r->reading, (unsigned)atoi(status), r->size, pairs) : 0;
    for (size_t i = 0; i < count; i++)
        text_printf(t, "%s: %s\r\n", pairs[i].name, pairs[i].value);
}

static void add_body(struct request *r, struct text *t)
{
    if (r->is_quote)
        quote_body(r->reading, r->size, t);
    else
        origin_body(r->number, r->size, t);
}

static void is_written(struct request *r)
{
    if (r->is_quote)
        quote_sent(r->reading, r->conn->end, origin_written(r->conn));
}

static void write_answer(struct request *r, const char *status, const char *more, size_t part)
{
    struct origin_conn *c = r->conn;
    struct text t = {0};
    add_head(r, status, &t);
    text_printf(&t, "Content-Type: text/plain\r\n%sContent-Length: %zu\r\n\r\n", more, r->size);
    size_t head = t.len;
    if (!r->is_head)
        add_body(r, &t);
    if (part == 1) /* of the head */
        text_cut(&t, 1 + dice_draw(&r->dice, (uint32_t)head - 1));
    else if (part == 2 && !r->is_head)
        text_cut(&t, head + dice_draw(&r->dice, (uint32_t)r->size));
    origin_write(c, t.at, t.len);
    if (part == 0)
        is_written(r);
    text_free(&t);
}

static void write_chunks(struct request *r, bool until_close)
{
    struct text t = {0}, body = {0};
    add_head(r, "200 OK", &t);
    add_body(r, &body);
    if (r->is_head) {
        text_printf(&t, "%s\r\n\r\n",
                    until_close ? "Connection: close" : "Transfer-Encoding: chunked");
    } else if (until_close) {
        text_printf(&t, "Connection: close\r\n\r\n");
        text_add(&t, text_span(&body));
    } else {
        size_t half = body.len / 2;
        text_add_str(&t, "Transfer-Encoding: chunked\r\n\r\n");
        if (half) {
            text_printf(&t, "%zx\r\n%.*s\r\n", half, (int)half, body.at);
        }
        text_printf(&t, "%zx\r\n%.*s\r\n0\r\n\r\n", body.len - half, (int)(body.len - half),
                    body.at + half);
    }
    origin_write(r->conn, t.at, t.len);
    is_written(r);
    text_free(&t);
    text_free(&body);
}

static const char *draw_status(struct request *r, const char **more)
{
    static const char *const all[] = {
        "500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests",
        "408 Request Timeout",       "404 Not Found",           "400 Bad Request"};
    *more = "";
    const char *status = all[dice_draw(&r->dice, COUNT_OF(all))];
    queue_may_be_held();
    if (*status == '4' && status[1] == '2' && dice_chance(&r->dice, 50))
        *more = "Retry-After: 1\r\n";
    return status;
}

static void send_stray(void *owner)
{
    struct origin_conn *c = owner;
    struct h1 *h = c->state;
    if (h->answering || h->request)
        return;
    world_say("%s: sends an answer that nobody asked for on connection %u", c->origin->name,
              c->number);
    origin_write(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", 51);
    origin_finish(c);
}

static void answer(struct request *r)
{
    struct origin_conn *c = r->conn;
    const char *more;
    book_reply(r->reading);
    switch (r->deed) {
    case DEED_ANSWER_AND_CLOSE:
        write_answer(r, "200 OK", dice_chance(&r->dice, 60) ? "Connection: close\r\n" : "", 0);
        origin_finish(c);
        return;
    case DEED_UNTIL_CLOSE:
        write_chunks(r, true);
        origin_finish(c);
        return;
    case DEED_CHUNKED: write_chunks(r, false); return;
    case DEED_INTERIM:
        origin_write(c, "HTTP/1.1 103 Early Hints\r\n\r\n", 28);
        write_answer(r, "200 OK", "", 0);
        return;
    case DEED_STATUS: {
        const char *status = draw_status(r, &more);
        write_answer(r, status, more, 0);
        return;
    }
    case DEED_MISDIRECTED:
        book_vouch(r->reading);
        write_answer(r, "421 Misdirected Request", "", 0);
        return;
    case DEED_CUT_HEAD:
    case DEED_CUT_BODY:
        write_answer(r, "200 OK", "", r->deed == DEED_CUT_HEAD ? 1 : 2);
        origin_finish(c);
        return;
    case DEED_RESET_BODY:
        write_answer(r, "200 OK", "", 2);
        origin_break(c);
        return;
    case DEED_STALL_BODY: write_answer(r, "200 OK", "", 2); return;
    case DEED_GARBAGE: origin_write(c, "what?\r\n\r\n", 9); return;
    case DEED_STRAY:
        write_answer(r, "200 OK", "", 0);
        world_in(dice_draw(&r->dice, 400000), send_stray, c);
        return;
    default: write_answer(r, "200 OK", "", 0); return;
    }
}

static bool keeps_connection(enum deed d)
{
    return d == DEED_ANSWER || d == DEED_CHUNKED || d == DEED_INTERIM || d == DEED_STATUS ||
           d == DEED_MISDIRECTED || d == DEED_ANSWER_EARLY || d == DEED_STRAY;
}

static void answer_later(void *owner)
{
    struct request *r = owner;
    struct origin_conn *c = r->conn;
    struct h1 *h = c->state;
    if (c->over || c->finishes)
        return;
    world_say("%s: %s try %u", c->origin->name, words[r->deed], r->number);
    origin_touch(c);
    answer(r);
    if (!keeps_connection(r->deed))
        return;
    h->answering--;
    if (++h->served >= h->most)
        origin_finish(c); /* without a word */
    else
        go_on(c);
}

static void act(struct request *r)
{
    struct origin_conn *c = r->conn;
    struct h1 *h = c->state;
    r->is_done = true;
    switch (r->deed) {
    case DEED_RESET: origin_break(c); return;
    case DEED_CLOSE: origin_finish(c); return;
    case DEED_VANISH: origin_vanish(c); return;
    case DEED_DEAF: origin_go_deaf(c); return;
    case DEED_STALL:
        world_say("%s: stalls try %u", c->origin->name, r->number);
        h->answering++; /* for ever */
        return;
    default: h->answering++; origin_later(c, answer_later, r);
    }
}

/* ---------------------------------------------------------------------------- requests */

static const uint32_t lost[] = {DEED_RESET, DEED_CLOSE, DEED_MISDIRECTED};
static const struct deeds deeds = {DEEDS, lost, COUNT_OF(lost)};

static void draw_deed(struct request *r)
{
    struct origin *o = r->conn->origin;
    static const enum deed early[] = {DEED_RESET, DEED_CLOSE, DEED_STALL, DEED_VANISH, DEED_DEAF};
    r->point = POINT_WHOLE;
    r->deed = DEED_ANSWER;
    if (dice_chance(&r->dice, 10))
        r->deed = DEED_CHUNKED;
    if (dice_chance(&r->dice, o->trouble) && world_takes("an origin misbehaves"))
        r->deed = (enum deed)origin_draw_deed(o, &r->dice, &deeds);
    for (size_t i = 0; i < COUNT_OF(early); i++)
        if (r->deed == early[i])
            r->point = (enum point)dice_draw(&r->dice, POINT_WHOLE + 1);
    if (r->deed == DEED_ANSWER_EARLY)
        r->point = POINT_HEAD;
    r->size =
        dice_chance(&r->dice, 80) ? 1 + dice_draw(&r->dice, 300) : 1 + dice_draw(&r->dice, 120000);
}

static void reach(struct request *r, enum point point)
{
    struct origin_conn *c = r->conn;
    if (point == POINT_WHOLE)
        book_read_whole(r->reading);
    if (!r->is_done && point >= r->point && !c->over)
        act(r);
}

static struct span target_of(struct span head)
{
    struct span rest = span_from(head, span_find(head, ' ') + 1);
    return span_first(rest, span_find(rest, ' '));
}

/* As soon as the target is there. */
static void begin_request(struct origin_conn *c, struct span head)
{
    struct h1 *h = c->state;
    struct request *r = NEW(struct request);
    r->conn = c;
    c->origin->requests++;
    r->reading = book_reading(target_of(head));
    r->number = book_try_of_reading(r->reading);
    exits_carry(c->end, c->origin->name, book_order_of_reading(r->reading));
    r->is_quote = quote_begin(r->reading, target_of(head));
    r->is_head = span_starts(head, SPAN("HEAD "));
    r->dice = dice_of("request", r->reading * 8 + c->origin->port % 8);
    h->request = r;
    draw_deed(r);
    reach(r, POINT_TARGET);
}

static struct span field_of(struct span head, const char *name)
{
    const char *at = memmem(head.at, head.len, name, strlen(name));
    if (at == NULL)
        return (struct span){0};
    struct span rest = span_from(head, (size_t)(at - head.at) + strlen(name));
    return span_first(rest, span_find(rest, '\r'));
}

static void read_fields(struct request *r, struct span head)
{
    while (head.len) {
        struct span line = span_first(head, span_find(head, '\r'));
        size_t colon = span_find(line, ':');
        quote_field(r->reading, span_first(line, colon), span_trim(span_from(line, colon + 1)));
        head = span_from(head, line.len + 2);
    }
    r->number = quote_number(r->reading);
}

/* Our clients send a length with each body, and trunkline keeps it. */
static void read_head(struct origin_conn *c, struct span head)
{
    struct h1 *h = c->state;
    struct request *r = h->request;
    struct span number = field_of(head, "X-Try: "), length = field_of(head, "Content-Length: ");
    r->number = number.len ? (unsigned)strtoul(number.at, NULL, 10) : 0;
    if (r->is_quote)
        read_fields(r, head);
    book_reading_try(r->reading, r->number);
    budget_carries(c->origin->name, book_order_of_reading(r->reading), r->number);
    h->left = length.len ? strtoul(length.at, NULL, 10) : 0;
    h->in_body = true;
    text_drop(&h->in, head.len);
    reach(r, POINT_HEAD);
}

static bool step_head(struct origin_conn *c)
{
    struct h1 *h = c->state;
    struct span in = text_span(&h->in);
    struct span target = target_of(in);
    bool has_target = in.len && target.len && target.at + target.len < in.at + in.len;
    if (h->request == NULL && has_target)
        begin_request(c, in);
    if (c->over || h->request == NULL)
        return false;
    const char *end = memmem(in.at, in.len, "\r\n\r\n", 4);
    if (end == NULL)
        return false;
    read_head(c, span_first(in, (size_t)(end - in.at) + 4));
    return true;
}

static bool step_body(struct origin_conn *c)
{
    struct h1 *h = c->state;
    struct request *r = h->request;
    size_t n = h->in.len < h->left ? h->in.len : h->left;
    h->left -= n;
    text_drop(&h->in, n);
    if (h->left) {
        if (n)
            reach(r, POINT_BODY);
        return false;
    }
    h->request = NULL;
    h->in_body = false;
    reach(r, POINT_WHOLE);
    return true;
}

/* One request at a time: the next one is read when this one is answered. */
static void go_on(struct origin_conn *c)
{
    struct h1 *h = c->state;
    bool more = true;
    while (more && !c->over && !c->finishes && (h->answering == 0 || h->request))
        more = h->in_body ? step_body(c) : step_head(c);
}

static void begin(struct origin_conn *c)
{
    struct h1 *h = NEW(struct h1);
    h->most = dice_chance(&c->dice, 80) ? 1000 : 1 + dice_draw(&c->dice, 6);
    c->state = h;
}

static void bytes(struct origin_conn *c, const char *data, size_t len)
{
    struct h1 *h = c->state;
    text_add(&h->in, (struct span){data, len});
    if (h->request || h->answering || !upgrades_take(c, text_span(&h->in)))
        go_on(c);
}

static void end_h1(struct origin_conn *c)
{
    (void)c;
}

const struct origin_protocol origin_h1 = {begin, bytes, end_h1};
