#include "tests/sim/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/answer.h"
#include "tests/sim/book.h"
#include "tests/sim/budget.h"
#include "tests/sim/exits.h"
#include "tests/sim/kernel.h"
#include "tests/sim/life.h"
#include "tests/sim/origin.h"
#include "tests/sim/queue.h"
#include "tests/sim/quotes.h"

#define FLUSH_US 150
#define AGAIN_US 30000
#define AGAIN_MOST 4
#define REDIALS_MOST 30
#define ANSWER_MOST_US (300 * UINT64_C(1000000)) /* until the whole answer is there */

struct client {
    unsigned number;
    enum client_kind kind;
    const struct client_plan *plan;
    struct dice dice, quote_dice;
    struct end *end; /* NULL: not connected */
    bool is_open, is_sending, is_awaiting, is_done, was_used;
    unsigned asked; /* requests that it is through with */
    unsigned order, number_of_try, again;
    struct quote_wish wish;
    unsigned life, order_life; /* of the daemon: of the connection; when the order was new */
    unsigned redials;
    unsigned waits; /* counts requests: an old clock says nothing */
    const char *upstream;
    uint64_t sent_before; /* on this connection, before this request */
    size_t request_len;
    struct text out;
    uint64_t asked_us;
    struct answer answer;
    struct client *next;
};

static struct client *clients;
static bool is_letting_go, may_be_refused;
static uint64_t left_us;
static unsigned answered;

static void think(struct client *);
static void send_request(struct client *);

/* ------------------------------------------------------------------------------- ending */

static void disconnect(struct client *c, bool reset)
{
    if (c->end)
        end_close(c->end, reset);
    c->end = NULL;
    c->is_open = c->was_used = c->is_sending = false;
    text_clear(&c->out);
}

static void give_up(struct client *c)
{
    disconnect(c, false);
    c->is_awaiting = false;
    c->is_done = true;
    world_say("client %u: is done", c->number);
}

static void send_again(void *owner);

/* An order is not sent again to a daemon that cannot know of it. */
static bool may_be_repeated(const struct client *c)
{
    return c->order == 0 || c->plan->survives || (c->order_life == life_number() && life_is_on());
}

static void maybe_again(struct client *c, bool may)
{
    c->is_awaiting = c->is_sending = false;
    c->waits++;
    answer_clear(&c->answer);
    if (!may || c->again >= AGAIN_MOST || !may_be_repeated(c)) {
        c->asked++;
        think(c);
        return;
    }
    c->again++;
    world_in(dice_draw(&c->dice, AGAIN_US), send_again, c);
}

/* ------------------------------------------------------------------------------ judging */

static bool is_still_read(const struct client *c)
{
    return c->end && end_peer_has_read(c->end) < c->sent_before + c->request_len;
}

/* A part of the request may have been read only after this answer. */
static bool is_at_the_very_end(const struct answer *a)
{
    return is_letting_go && a->status == 503;
}

static enum book_sent sent_of(struct span word)
{
    return span_is(word, SPAN("no"))    ? BOOK_NO
           : span_is(word, SPAN("yes")) ? BOOK_YES
                                        : BOOK_PARTIAL;
}

static void check_body(struct client *c)
{
    struct text expected = {0};
    struct span mine = answer_field(&c->answer, "X-Try");
    unsigned number = mine.len ? (unsigned)strtoul(mine.at, NULL, 10) : 0;
    if (number == 0 && c->answer.status == 408)
        return; /* which an origin sends unasked */
    if (!c->plan->dedupes && number != c->number_of_try)
        world_fault("mixed up", "client %u asked with try %u and got the answer to try %u",
                    c->number, c->number_of_try, number);
    origin_body(number, c->answer.body.len, &expected);
    if (!span_is(text_span(&expected), text_span(&c->answer.body)))
        world_fault(
            "mixed up",
            "the body of the answer to try %u is not what the exchange sent: %zu bytes, %.*s",
            number, c->answer.body.len, (int)(c->answer.body.len < 60 ? c->answer.body.len : 60),
            c->answer.body.at);
    text_free(&expected);
}

static void judge_answer(struct client *c)
{
    struct answer *a = &c->answer;
    struct span sent = answer_field(a, "Trunkline-Sent");
    bool own = sent.len > 0;
    answered++;
    queue_ends(c->number_of_try);
    world_say("client %u: try %u is answered %d%s%.*s", c->number, c->number_of_try, a->status,
              own ? ", sent=" : "", SPAN_ARG(sent));
    if (!a->is_cut)
        book_heard(answer_field(a, "Trunkline-Request"));
    if (own)
        book_told(c->number_of_try, sent_of(sent), !is_still_read(c) && !is_at_the_very_end(a));
    else if (c->wish.target)
        quotes_judge(&c->wish, c->number_of_try, c->asked_us, a);
    else if (!a->is_cut)
        check_body(c);
    if (memmem(a->body.at, a->body.len, EXITS_SECRET, strlen(EXITS_SECRET)))
        world_fault("secret", "try %u: the answer shows a password", c->number_of_try);
    if (own && c->order)
        budget_hears(c->number_of_try, a);
    if (own && answer_field(a, "Proxy-Status").len == 0)
        world_fault("answer", "try %u: an error without Proxy-Status", c->number_of_try);
    bool again = c->kind == CLIENT_CCXT && own && a->status >= 429 &&
                 (sent_of(sent) == BOOK_NO || c->plan->dedupes);
    bool closes = a->closes || a->until_end;
    if (closes)
        disconnect(c, false);
    c->was_used = c->end != NULL;
    maybe_again(c, again && c->order);
}

/* A daemon that was killed owes no answers. */
static bool is_of_this_life(const struct client *c)
{
    return c->life == life_number() && life_is_on();
}

/* It ended before the answer was whole. */
static void judge_loss(struct client *c, bool reset)
{
    queue_ends(c->number_of_try);
    bool nothing = c->answer.head.len == 0 && !c->answer.has_head;
    bool was_read = end_peer_has_read(c->end) > c->sent_before;
    bool reused = c->was_used;
    if (nothing && was_read && is_of_this_life(c))
        world_fault("unanswered",
                    "client %u: its connection %u was %s with try %u read and not answered",
                    c->number, end_number(c->end), reset ? "reset" : "closed", c->number_of_try);
    if (c->answer.has_head && c->wish.target && !answer_field(&c->answer, "Trunkline-Sent").len)
        quotes_judge(&c->wish, c->number_of_try, c->asked_us, &c->answer);
    world_say("client %u: the connection is lost %s try %u", c->number,
              nothing ? "before the answer to" : "within the answer to", c->number_of_try);
    disconnect(c, false);
    bool again = nothing && ((c->kind == CLIENT_JAVA && reused) ||
                             (c->kind == CLIENT_CCXT && c->plan->dedupes));
    maybe_again(c, again);
}

/* ------------------------------------------------------------------------------ sending */

static void flush(void *owner)
{
    struct client *c = owner;
    if (c->end == NULL || !c->is_sending)
        return;
    while (c->out.len) {
        size_t most =
            dice_chance(&c->dice, 90) ? c->out.len : 1 + dice_draw(&c->dice, (uint32_t)c->out.len);
        ssize_t n = end_send(c->end, c->out.at, most);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            text_clear(&c->out); /* its end will be told */
            return;
        }
        text_drop(&c->out, (size_t)n);
        if ((size_t)n < most || c->out.len)
            break;
    }
    if (c->out.len)
        world_in(FLUSH_US + (dice_chance(&c->dice, 10) ? dice_draw(&c->dice, 50000) : 0), flush, c);
    else
        c->is_sending = false;
}

static void leave(void *owner)
{
    struct client *c = owner;
    if (c->is_done || !c->is_awaiting)
        return;
    world_say("client %u: leaves try %u", c->number, c->number_of_try);
    left_us = world_us();
    queue_ends(c->number_of_try);
    disconnect(c, dice_chance(&c->dice, 50));
    c->is_awaiting = false;
    c->waits++;
    answer_clear(&c->answer);
    c->asked++;
    think(c);
}

struct clock {
    struct client *client;
    unsigned waits;
    uint64_t us;
    bool is_whole;
};

static void run_out(void *owner)
{
    struct clock *k = owner;
    struct client *c = k->client;
    bool holds = k->waits == c->waits && c->is_awaiting && (k->is_whole || !c->answer.has_head);
    if (holds && is_still_read(c)) {
        world_in(k->us, run_out, k);
        return;
    }
    if (holds)
        world_fault("late", "client %u: try %u is not answered%s %.1f s after it was sent",
                    c->number, c->number_of_try, k->is_whole ? " whole" : "",
                    (double)(world_us() - c->asked_us) / 1e6);
    free(k);
}

static void set_clock(struct client *c, uint64_t us, bool is_whole)
{
    struct clock *k = NEW(struct clock);
    *k = (struct clock){c, c->waits, us, is_whole};
    world_in(us, run_out, k);
}

/* The same for each try of an order. What is too large to be compared is sent where nothing is. */
static size_t body_of(const struct client *c)
{
    if (c->order == 0)
        return 0;
    if (c->order % 9 == 0 && !c->plan->dedupes)
        return 30000 + c->order % 7 * 30000;
    return 20 + c->order % 7 * (c->order % 5 == 0 ? 3000 : 10);
}

static void write_request(struct client *c)
{
    c->asked_us = world_us();
    c->sent_before = end_sent(c->end);
    c->is_sending = true;
    text_clear(&c->out);
    if (c->order)
        text_printf(&c->out, "POST /%s/o/%u HTTP/1.1\r\n", c->upstream, c->order);
    else if (c->wish.target)
        quote_wish_write(&c->wish, c->upstream, c->number_of_try, &c->out);
    else
        text_printf(&c->out, "GET /%s/g/%u HTTP/1.1\r\n", c->upstream, c->number_of_try);
    text_printf(&c->out, "Host: 127.0.0.1:%u\r\n", c->plan->port);
    if (c->wish.target)
        quotes_ask(&c->wish);
    else
        text_printf(&c->out, "X-Try: %u\r\n", c->number_of_try);
    if (c->wish.target && quote_may_be_shared(&c->wish))
        book_share(c->number_of_try);
    size_t body = body_of(c);
    if (c->order)
        text_printf(&c->out, "Authorization: Bearer %u\r\nContent-Length: %zu\r\n", c->order % 3,
                    body);
    text_add_str(&c->out, "\r\n");
    memset(text_reserve(&c->out, body), 'b', body);
    text_added(&c->out, body);
    c->request_len = c->out.len;
    budget_asks(c->upstream, c->order, c->number_of_try, c->order == 0 && c->wish.target == 0);
    c->answer.is_head = c->wish.is_head;
    if (c->wish.target == 0 && strcmp(c->upstream, "h2") != 0)
        queue_enters(c->number_of_try, c->order, c->upstream, c->end,
                     c->sent_before + c->request_len);
    flush(c);
    set_clock(c, c->plan->patience_us, false);
    set_clock(c, ANSWER_MOST_US, true);
    if (c->kind == CLIENT_RUDE && dice_chance(&c->dice, 60))
        world_in(dice_draw(&c->dice, dice_chance(&c->dice, 50) ? 2000 : 1000000), leave, c);
}

/* ------------------------------------------------------------------- its connection */

static void on_open(void *owner)
{
    struct client *c = owner;
    c->is_open = true;
    if (c->is_awaiting)
        write_request(c);
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct client *c = owner;
    if (!c->is_awaiting) {
        world_fault("answer", "client %u got bytes that it did not ask for: %.*s", c->number,
                    (int)(len < 60 ? len : 60), data);
        return;
    }
    size_t n = answer_feed(&c->answer, data, len);
    bool goes_on = c->answer.is_whole && n < len;
    /* What was refused before it was read may have been a HEAD. */
    if (c->answer.is_head && c->answer.closes && c->answer.status == 503)
        goes_on = false;
    if (c->answer.is_wrong || goes_on)
        world_fault("answer", "client %u: try %u: the answer is no HTTP", c->number,
                    c->number_of_try);
    else if (c->answer.is_whole)
        judge_answer(c);
}

static void dial_again(void *owner)
{
    struct client *c = owner;
    if (!c->is_done && c->is_awaiting && c->end == NULL)
        send_request(c);
}

static void on_refused(struct client *c)
{
    bool was_killed = life_number() > 1 || !life_is_on();
    world_say("client %u: the connection is refused", c->number);
    disconnect(c, false);
    answer_clear(&c->answer); /* it may have heard a 503 */
    if (was_killed && !is_letting_go && ++c->redials < REDIALS_MOST) {
        world_in(AGAIN_US + dice_draw(&c->dice, 10 * AGAIN_US), dial_again, c);
        return;
    }
    c->is_awaiting = false;
    if (!is_letting_go && !may_be_refused && kernel_limit_now() == KERNEL_MOST && !was_killed)
        world_fault("refused", "client %u cannot connect", c->number);
    give_up(c);
}

static void on_end(void *owner, bool reset)
{
    struct client *c = owner;
    if (!c->is_open) {
        on_refused(c);
        return;
    }
    if (!c->is_awaiting) {
        disconnect(c, false);
        return;
    }
    answer_end(&c->answer);
    if (c->answer.is_whole)
        judge_answer(c);
    else
        judge_loss(c, reset);
}

static void send_request(struct client *c)
{
    static const struct end_events events = {on_open, on_data, on_end};
    c->is_awaiting = true;
    if (c->end && c->is_open) {
        write_request(c);
        return;
    }
    disconnect(c, false);
    c->asked_us = world_us();
    c->life = life_number();
    c->end = end_dial(c->plan->port, &events, c);
}

/* ------------------------------------------------------------------------------ requests */

static void send_again(void *owner)
{
    struct client *c = owner;
    if (c->is_done)
        return;
    if (!may_be_repeated(c)) {
        c->asked++;
        think(c);
        return;
    }
    world_say("client %u: sends try %u (order %u) again", c->number, c->number_of_try, c->order);
    c->number_of_try = book_new_try(c->order);
    send_request(c);
}

static void ask(void *owner)
{
    struct client *c = owner;
    const struct client_plan *p = c->plan;
    if (c->is_done)
        return;
    if (c->asked >= p->requests) {
        give_up(c);
        return;
    }
    bool is_order = dice_chance(&c->dice, p->orders);
    const char *upstream = p->upstreams[dice_draw(&c->dice, (uint32_t)p->upstream_count)];
    bool drops = dice_chance(&c->dice, 15);
    if (!world_takes(is_order ? "a client sends an order" : "a client asks")) {
        c->asked++;
        think(c);
        return;
    }
    if (drops)
        disconnect(c, false);
    c->again = 0;
    bool is_quote = !is_order && p->quotes && dice_chance(&c->quote_dice, p->quotes);
    c->wish = is_quote ? quote_wish_draw(&c->quote_dice) : (struct quote_wish){0};
    c->order_life = life_number();
    c->order = is_order ? book_new_order() : 0;
    c->number_of_try = book_new_try(c->order);
    c->upstream = upstream;
    world_say("client %u: try %u: %s %s %u", c->number, c->number_of_try,
              is_order   ? "order"
              : is_quote ? "quote"
                         : "get",
              upstream, is_quote ? c->wish.target : c->order);
    send_request(c);
}

static void think(struct client *c)
{
    uint64_t us = dice_chance(&c->dice, 30) ? 0 : dice_draw(&c->dice, c->plan->think_us);
    world_in(us, ask, c);
}

void client_begin(unsigned number, enum client_kind kind, const struct client_plan *plan,
                  uint64_t in_us)
{
    struct client *c = NEW(struct client);
    c->number = number;
    c->kind = kind;
    c->plan = plan;
    c->dice = dice_of("client", number);
    c->quote_dice = dice_of("quotes of a client", number);
    c->next = clients;
    clients = c;
    world_in(in_us, ask, c);
}

void clients_may_be_refused(void)
{
    may_be_refused = true;
}

uint64_t clients_left_us(void)
{
    return left_us;
}

void clients_let_go(void)
{
    is_letting_go = true;
}

bool clients_are_done(void)
{
    for (struct client *c = clients; c; c = c->next)
        if (!c->is_done)
            return false;
    return true;
}

void clients_judge(void)
{
    for (struct client *c = clients; c; c = c->next)
        if (c->is_awaiting && c->is_open && c->life == life_number() &&
            end_peer_has_read(c->end) > c->sent_before)
            world_fault("unanswered", "client %u: try %u has no answer after the daemon's end",
                        c->number, c->number_of_try);
}

unsigned clients_answered(void)
{
    return answered;
}
