#include "tests/sim/store.h"

#include <errno.h>
#include <mbedtls/sha1.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/budget.h"
#include "tests/sim/life.h"

#define SECOND_US 1000000
#define WORDS_MOST 800
#define KEYS 4
#define ARGUMENTS 12 /* before those of holds */
#define NAME_SIZE 41
#define FLUSH_US 200

/* What it does to a command. */
enum deed {
    DEED_ANSWER,
    DEED_LATE,
    DEED_HANG, /* and to all that come after it */
    DEED_RESET,
    DEED_CLOSE,
    DEED_CUT, /* its answer, and closes */
    DEED_PIECES,
    DEED_ERROR,
    DEED_GARBAGE,
    DEED_OTHER,  /* an answer that is none of the script's */
    DEED_FORGET, /* the script */
    DEED_STRAY,  /* answers twice */
    DEED_RESTART,
    DEED_RESTART_EMPTY,
    DEEDS
};

static const char *const words[DEEDS] = {
    [DEED_ANSWER] = "answers",
    [DEED_LATE] = "is late",
    [DEED_HANG] = "hangs",
    [DEED_RESET] = "resets",
    [DEED_CLOSE] = "closes",
    [DEED_CUT] = "answers half, and closes",
    [DEED_PIECES] = "answers in pieces",
    [DEED_ERROR] = "answers with an error",
    [DEED_GARBAGE] = "answers with garbage",
    [DEED_OTHER] = "answers with something else",
    [DEED_FORGET] = "forgets the script",
    [DEED_STRAY] = "answers twice",
    [DEED_RESTART] = "begins again",
    [DEED_RESTART_EMPTY] = "begins again, empty",
};

/* A connection to it. */
struct caller {
    struct caller *next;
    unsigned number, life; /* of the daemon */
    struct end *end;
    struct dice dice;
    struct text in, out;
    uint64_t promised; /* bytes that it has been or will be sent */
    uint64_t due_us;   /* the last answer's time */
    bool is_over, hangs, closes, flushes, in_pieces, has_login;
};

static struct {
    struct store_plan plan;
    struct net_listener listener;
    struct caller *callers;
    char script[NAME_SIZE]; /* the one that it knows, by its SHA-1 */
    unsigned opened, lost, asked;
    bool is_guilty;
    struct dice dice;
} store;

/* ------------------------------------------------------------------------------ ending */

static void close_caller(struct caller *c, bool reset)
{
    if (c->is_over)
        return;
    world_say("store: %s connection %u", reset ? "resets" : "closes", c->number);
    c->is_over = true;
    store.lost++;
    end_close(c->end, reset);
}

static void recover(void *owner)
{
    (void)owner;
    store.listener.refuses = store.listener.is_deaf = false;
}

static void begin_again(bool empty)
{
    store.is_guilty = true;
    for (struct caller *c = store.callers; c; c = c->next)
        close_caller(c, true);
    store.script[0] = '\0';
    store.listener.refuses = true;
    world_in(dice_draw(&store.dice, dice_chance(&store.dice, 50) ? 20000 : SECOND_US / 2), recover,
             NULL);
    if (!empty)
        return;
    ledger_clear();
    budget_store_is_empty();
}

void store_fail(struct dice *d)
{
    bool is_deaf = dice_chance(d, 40), empty = dice_chance(d, 50);
    store.is_guilty = true;
    if (dice_chance(d, 40)) {
        world_say("store: begins again%s", empty ? ", empty" : "");
        begin_again(empty);
        return;
    }
    world_say("store: is %s", is_deaf ? "out of reach" : "down");
    store.listener.is_deaf = is_deaf;
    store.listener.refuses = !is_deaf;
    for (struct caller *c = store.callers; c; c = c->next) {
        if (!c->is_over && is_deaf)
            end_black_hole(c->end);
        else
            close_caller(c, true);
    }
    world_in(dice_draw(d, 3 * SECOND_US), recover, NULL);
}

/* ----------------------------------------------------------------------------- writing */

static void flush(void *owner)
{
    struct caller *c = owner;
    c->flushes = false;
    while (!c->is_over && c->out.len) {
        size_t most = c->in_pieces ? 1 + dice_draw(&c->dice, 12) : c->out.len;
        ssize_t n = end_send(c->end, c->out.at, most < c->out.len ? most : c->out.len);
        if (n < 0 && n != -EAGAIN) {
            close_caller(c, false);
            return;
        }
        text_drop(&c->out, n > 0 ? (size_t)n : 0);
        if (n < 0 || c->in_pieces)
            break;
    }
    if (c->is_over)
        return;
    if (c->out.len) {
        c->flushes = true;
        world_in(FLUSH_US, flush, c);
        return;
    }
    c->in_pieces = false;
    if (c->closes)
        close_caller(c, false);
}

struct later {
    struct caller *caller;
    struct text text;
    bool in_pieces, closes;
};

static void say_now(void *owner)
{
    struct later *l = owner;
    struct caller *c = l->caller;
    if (!c->is_over) {
        text_add(&c->out, text_span(&l->text));
        c->in_pieces |= l->in_pieces;
        c->closes |= l->closes;
        if (!c->flushes)
            flush(c);
    }
    text_free(&l->text);
    free(l);
}

/* After what was said before. `text` is taken over. */
static void say(struct caller *c, struct text text, uint64_t in_us, enum deed deed)
{
    struct later *l = NEW(struct later);
    *l = (struct later){c, text, deed == DEED_PIECES, deed == DEED_CUT};
    uint64_t at = world_us() + in_us;
    c->due_us = at > c->due_us ? at : c->due_us;
    c->promised += text.len;
    world_in(c->due_us - world_us(), say_now, l);
}

static void say_line(struct caller *c, const char *line)
{
    struct text t = {0};
    text_printf(&t, "%s\r\n", line);
    say(c, t, 0, DEED_ANSWER);
}

/* --------------------------------------------------------------------------- commands */

static void answer_login(struct caller *c, const struct span *word, size_t count)
{
    bool is_login = span_is(word[0], SPAN("AUTH"));
    bool is_right = is_login && store.plan.password && !store.plan.refuses_login &&
                    span_is(word[count - 1], span_of(store.plan.password));
    c->has_login |= is_right;
    if (is_right)
        say_line(c, "+OK");
    else if (is_login)
        say_line(c, dice_chance(&c->dice, 50)
                        ? "-WRONGPASS invalid username-password pair or user is disabled."
                        : "-ERR unknown command 'AUTH', with args beginning with: '" BUDGET_SECRET
                          "'");
    else if (store.plan.password && !c->has_login)
        say_line(c, "-NOAUTH Authentication required.");
    else
        say_line(c, span_is(word[0], SPAN("PING")) ? "+PONG" : "+OK");
}

static double number(struct span word)
{
    return strtod(word.at, NULL);
}

static void run_script(struct caller *c, const struct span *word, size_t count, struct text *reply)
{
    const struct span *key = word + 3, *arg = key + KEYS;
    struct ledger_ask a = {.tokens = key[0],
                           .state = key[1],
                           .id = arg[0],
                           .count = number(arg[1]),
                           .per_ms = number(arg[2]),
                           .burst = number(arg[3]),
                           .want = number(arg[4]),
                           .credit = number(arg[5]),
                           .back = number(arg[6]),
                           .horizon_ms = number(arg[7]),
                           .epoch = arg[9],
                           .version = (int64_t)number(arg[10]),
                           .lifts = span_is(arg[11], SPAN("1")),
                           .holds = arg + ARGUMENTS,
                           .hold_words = count - 3 - KEYS - ARGUMENTS};
    struct ledger_grant g;
    ledger_run(&a, reply, &g);
    world_say("store: %.*s wants %.0f, credit %.0f, back %.0f: gets %u and %u", SPAN_ARG(a.state),
              a.want, a.credit, a.back, g.now, g.later);
    budget_batch(&a, &g, c->number);
}

/* EVAL makes a script known by its SHA-1, which EVALSHA asks for. */
static bool knows_script(struct span word, bool is_whole)
{
    unsigned char hash[20];
    if (!is_whole)
        return *store.script && span_is(word, span_of(store.script));
    CHECK(mbedtls_sha1((const unsigned char *)word.at, word.len, hash) == 0);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(store.script + 2 * i, 3, "%02x", hash[i]);
    return true;
}

static void spoil(struct caller *c, enum deed deed, struct text *reply)
{
    static const char *const errors[] = {"-OOM command not allowed when used memory > 'maxmemory'",
                                         "-BUSY Redis is busy running a script", "-LOADING",
                                         "-READONLY You can't write against a read only replica",
                                         "-ERR unknown command '" BUDGET_SECRET "'"};
    static const char *const others[] = {"+OK",
                                         "*0",
                                         ":7",
                                         "$-1",
                                         "*2\r\n:1\r\n:2",
                                         "*10\r\n:9\r\n:9\r\n:9\r\n:9\r\n:9\r\n:9\r\n:9\r\n:9\r\n"
                                         ":9\r\n:9"};
    const char *line = deed == DEED_ERROR     ? errors[dice_draw(&c->dice, COUNT_OF(errors))]
                       : deed == DEED_GARBAGE ? "what?"
                                              : others[dice_draw(&c->dice, COUNT_OF(others))];
    text_clear(reply);
    text_printf(reply, "%s\r\n", line);
}

/* The script has run, and so its effects are there, whatever is made of its answer. */
static void answer_batch(struct caller *c, enum deed deed, struct text *reply, struct span state)
{
    bool is_right = deed == DEED_ANSWER || deed == DEED_LATE || deed == DEED_PIECES;
    if (deed == DEED_ERROR || deed == DEED_GARBAGE || deed == DEED_OTHER)
        spoil(c, deed, reply);
    if (deed == DEED_CUT)
        text_cut(reply, dice_draw(&c->dice, (uint32_t)reply->len));
    if (deed == DEED_STRAY)
        text_add_str(reply, "+OK\r\n");
    if (is_right)
        budget_is_answered(state, c->end, c->promised + reply->len);
    say(c, *reply, deed == DEED_LATE ? store.plan.late_us + dice_draw(&c->dice, 300000) : 0, deed);
    *reply = (struct text){0};
}

static enum deed draw_deed(struct caller *c)
{
    if (!dice_chance(&c->dice, store.plan.trouble) || !world_takes("the store misbehaves"))
        return DEED_ANSWER;
    enum deed deed = (enum deed)dice_draw(&c->dice, DEEDS);
    store.is_guilty |= deed != DEED_ANSWER;
    world_say("store: %s on connection %u", words[deed], c->number);
    return deed;
}

static void answer_script(struct caller *c, const struct span *word, size_t count)
{
    bool is_whole = span_is(word[0], SPAN("EVAL"));
    CHECK(count >= 3 + KEYS + ARGUMENTS && (is_whole || span_is(word[0], SPAN("EVALSHA"))));
    store.asked += c->life == life_number() && life_is_on();
    enum deed deed = draw_deed(c);
    if (deed == DEED_FORGET)
        store.script[0] = '\0';
    if (deed == DEED_RESTART || deed == DEED_RESTART_EMPTY)
        begin_again(deed == DEED_RESTART_EMPTY);
    if (deed == DEED_RESET)
        close_caller(c, true);
    if (c->is_over)
        return;
    if (!knows_script(word[1], is_whole)) {
        say_line(c, "-NOSCRIPT No matching script. Please use EVAL.");
        return;
    }
    struct text reply = {0};
    run_script(c, word, count, &reply);
    c->hangs |= deed == DEED_HANG;
    if (c->hangs)
        budget_is_silent();
    if (c->hangs || deed == DEED_CLOSE) {
        text_free(&reply);
        if (deed == DEED_CLOSE)
            close_caller(c, false);
        return;
    }
    answer_batch(c, deed == DEED_FORGET ? DEED_ANSWER : deed, &reply, word[3 + 1]);
}

/* ------------------------------------------------------------------------------ reading */

static bool take_number(struct span *rest, char mark, size_t *n)
{
    size_t end = span_find(*rest, '\n');
    if (end == rest->len)
        return false;
    CHECK(rest->at[0] == mark);
    *n = strtoul(rest->at + 1, NULL, 10);
    *rest = span_from(*rest, end + 1);
    return true;
}

/* The next command's words; false: it is not whole. */
static bool take_command(struct caller *c, struct span *word, size_t *count, size_t *used)
{
    struct span rest = text_span(&c->in);
    size_t len;
    if (!take_number(&rest, '*', count))
        return false;
    CHECK(*count && *count <= WORDS_MOST);
    for (size_t i = 0; i < *count; i++) {
        if (!take_number(&rest, '$', &len) || rest.len < len + 2)
            return false;
        word[i] = span_first(rest, len);
        rest = span_from(rest, len + 2);
    }
    *used = (size_t)(rest.at - c->in.at);
    return true;
}

static void on_open(void *owner)
{
    (void)owner;
}

static void on_data(void *owner, const char *data, size_t len)
{
    static struct span word[WORDS_MOST];
    struct caller *c = owner;
    size_t count, used;
    if (c->is_over)
        return;
    text_add(&c->in, (struct span){data, len});
    while (!c->is_over && c->in.len && take_command(c, word, &count, &used)) {
        if (span_starts(word[0], SPAN("EVAL")))
            answer_script(c, word, count);
        else
            answer_login(c, word, count);
        text_drop(&c->in, used);
    }
}

static void on_end(void *owner, bool reset)
{
    (void)reset;
    close_caller(owner, false);
}

static bool on_accept(void *owner, struct end *e)
{
    static const struct end_events events = {on_open, on_data, on_end};
    struct caller *c = NEW(struct caller);
    (void)owner;
    c->end = e;
    c->number = end_number(e);
    c->life = life_number();
    c->dice = dice_of("caller", ++store.opened);
    c->next = store.callers;
    store.callers = c;
    end_bind(e, &events, c);
    return true;
}

/* -------------------------------------------------------------------------------- all */

void store_begin(const struct store_plan *p)
{
    store.plan = *p;
    store.dice = dice_of("store", 0);
    store.listener =
        (struct net_listener){.address = STORE_ADDRESS, .port = STORE_PORT, .on_accept = on_accept};
    net_listen(&store.listener);
}

unsigned store_asked(void)
{
    return store.asked;
}

unsigned store_opened(void)
{
    return store.opened;
}

unsigned store_lost(void)
{
    return store.lost;
}

bool store_is_blameless(void)
{
    return !store.is_guilty && !store.plan.refuses_login;
}

bool store_is_down(void)
{
    return store.listener.refuses || store.listener.is_deaf;
}
