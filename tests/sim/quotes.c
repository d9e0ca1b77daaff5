#include "tests/sim/quotes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/life.h"

#define QUOTES_MOST 4096
#define TARGETS 3
#define REFUSAL "refused" /* error_prefix */
#define SLACK_US 10000    /* the daemon's clock is that of the beginning of a turn */
#define SECOND_US 1000000

struct quote {
    unsigned target, number, coding, language, life;
    bool is_head, is_secret;
    bool is_restricted; /* its answer said that it is for nobody else */
    bool varies;        /* by Accept-Language */
    bool is_refusal;    /* by how its body begins (error_prefix) */
    unsigned status;    /* 0: not answered */
    size_t size;
    uint64_t read_us;
    uint64_t whole_us; /* when the daemon had read all of the answer; 0: it has not */
};

static const char *const codings[] = {"identity", "gzip"};
static const char *const languages[] = {"en", "de"};

static struct quote quotes[QUOTES_MOST]; /* by reading */
static struct quote_rules rules;
static unsigned heard[QUOTE_RESULTS], asked;

void quotes_allow(const struct quote_rules *r)
{
    rules.fresh_us = r->fresh_us > rules.fresh_us ? r->fresh_us : rules.fresh_us;
    rules.stale_us = r->stale_us > rules.stale_us ? r->stale_us : rules.stale_us;
    rules.bytes = r->bytes > rules.bytes ? r->bytes : rules.bytes;
    rules.coalesces |= r->coalesces;
}

size_t quotes_bytes(void)
{
    return rules.bytes;
}

unsigned quotes_heard(enum quote_result result)
{
    return heard[result];
}

bool quote_may_be_shared(const struct quote_wish *w)
{
    return rules.coalesces && w->secret == QUOTE_PUBLIC;
}

unsigned quotes_asked(void)
{
    return asked;
}

/* --------------------------------------------------------------------- what is asked for */

struct quote_wish quote_wish_draw(struct dice *d)
{
    static const uint64_t ages[] = {0, SECOND_US};
    struct quote_wish w = {.target = dice_between(d, 1, TARGETS), .most_age_us = UINT64_MAX};
    if (dice_chance(d, 25))
        w.secret = (enum quote_secret)dice_between(d, QUOTE_AUTHORIZATION, QUOTE_ODD);
    w.coding = dice_chance(d, 15);
    w.language = dice_chance(d, 25);
    w.is_head = dice_chance(d, 8);
    w.bypasses = dice_chance(d, 8);
    if (!w.bypasses && dice_chance(d, 10))
        w.most_age_us = ages[dice_draw(d, COUNT_OF(ages))];
    return w;
}

void quote_wish_write(const struct quote_wish *w, const char *upstream, unsigned number,
                      struct text *to)
{
    text_printf(to, "%s /%s/q/%u HTTP/1.1\r\nUser-Agent: sim/%u\r\n", w->is_head ? "HEAD" : "GET",
                upstream, w->target, number);
    text_printf(to, "Accept-Encoding: %s\r\nAccept-Language: %s\r\n", codings[w->coding],
                languages[w->language]);
    if (w->secret == QUOTE_AUTHORIZATION)
        text_printf(to, "Authorization: Bearer %u\r\n", number % 3);
    else if (w->secret == QUOTE_COOKIE)
        text_printf(to, "Cookie: session=%u\r\n", number % 3);
    else if (w->secret == QUOTE_ODD)
        text_printf(to, "X-Account: %u\r\n", number % 3);
    if (w->bypasses)
        text_add_str(to, "Cache-Control: no-cache\r\n");
    else if (w->most_age_us != UINT64_MAX)
        text_printf(to, "Cache-Control: max-age=%u\r\n", (unsigned)(w->most_age_us / SECOND_US));
}

void quotes_ask(const struct quote_wish *w)
{
    asked += w->secret == QUOTE_PUBLIC;
}

/* -------------------------------------------------------------------- what an origin does */

bool quote_begin(unsigned reading, struct span target)
{
    CHECK(reading < QUOTES_MOST);
    struct span prefix = SPAN("/q/");
    if (!span_starts(target, prefix))
        return false;
    struct quote *q = &quotes[reading];
    q->target = (unsigned)strtoul(target.at + prefix.len, NULL, 10);
    q->life = life_number();
    q->read_us = world_us();
    return true;
}

static unsigned find(struct span value, const char *const *words, unsigned count)
{
    unsigned i = 0;
    while (i < count && !span_is(value, span_of(words[i])))
        i++;
    return i;
}

void quote_field(unsigned reading, struct span name, struct span value)
{
    struct quote *q = &quotes[reading];
    struct span agent = SPAN("sim/");
    if (span_is_nocase(name, SPAN("User-Agent")) && span_starts(value, agent))
        q->number = (unsigned)strtoul(value.at + agent.len, NULL, 10);
    else if (span_is_nocase(name, SPAN("Accept-Encoding")))
        q->coding = find(value, codings, COUNT_OF(codings));
    else if (span_is_nocase(name, SPAN("Accept-Language")))
        q->language = find(value, languages, COUNT_OF(languages));
    q->is_secret |= span_is_nocase(name, SPAN("Authorization")) ||
                    span_is_nocase(name, SPAN("Cookie")) || span_is_nocase(name, SPAN("X-Account"));
}

unsigned quote_number(unsigned reading)
{
    return quotes[reading].number;
}

/* Fields by which an answer may not be shared, and some that the operator's word overrides. */
size_t quote_answer(unsigned reading, unsigned status, size_t size,
                    struct quote_pair to[QUOTE_FIELDS])
{
    static const struct quote_pair restricted[] = {{"cache-control", "private"},
                                                   {"set-cookie", "a=b"},
                                                   {"vary", "*"}},
                                   overridden[] = {{"cache-control", "no-store"},
                                                   {"cache-control", "max-age=0"}};
    static char serial[16];
    struct quote *q = &quotes[reading];
    struct dice d = dice_of("quote", reading);
    size_t n = 0;
    q->status = status;
    q->size = size;
    snprintf(serial, sizeof serial, "%u", reading);
    to[n++] = (struct quote_pair){"x-reading", serial};
    if (status != 200)
        return n;
    q->is_refusal = dice_chance(&d, 10) && size >= strlen(REFUSAL); /* else nothing tells it */
    q->is_restricted = dice_chance(&d, 12);
    q->varies = !q->is_restricted && dice_chance(&d, 20);
    if (q->is_restricted)
        to[n++] = restricted[dice_draw(&d, COUNT_OF(restricted))];
    else if (dice_chance(&d, 20))
        to[n++] = overridden[dice_draw(&d, COUNT_OF(overridden))];
    if (q->varies)
        to[n++] = (struct quote_pair){"vary", "Accept-Language"};
    return n;
}

void quote_body(unsigned reading, size_t size, struct text *to)
{
    char unit[40];
    size_t from = to->len;
    snprintf(unit, sizeof unit, "%s=%u;", quotes[reading].is_refusal ? REFUSAL : "quote", reading);
    while (to->len - from < size)
        text_add_str(to, unit);
    text_cut(to, from + size);
}

static void on_read(void *owner)
{
    struct quote *q = owner;
    q->whole_us = world_us();
}

void quote_sent(unsigned reading, struct end *e, uint64_t at)
{
    end_mark(e, at, on_read, &quotes[reading]);
}

/* ------------------------------------------------------------------------------- rules */

/* One judgement. */
struct judged {
    const struct quote_wish *wish;
    unsigned number, reading;
    uint64_t asked_us;
    const struct answer *answer;
    const struct quote *quote;
    struct span status; /* Cache-Status */
};

static void break_rule(const struct judged *j, const char *what)
{
    world_fault("shared", "try %u (target %u, \"%.*s\") got answer %u: %s", j->number,
                j->wish->target, SPAN_ARG(j->status), j->reading, what);
}

static bool says(const struct judged *j, const char *word)
{
    struct span w = span_of(word);
    return w.len <= j->status.len && memmem(j->status.at, j->status.len, w.at, w.len) != NULL;
}

static bool is_failure(const struct quote *q)
{
    return q->status >= 500 || q->status == 429 || q->status == 418 || q->is_refusal;
}

static void judge_bytes(const struct judged *j)
{
    struct text expected = {0};
    const struct answer *a = j->answer;
    quote_body(j->reading, a->body.len, &expected);
    if (!span_is(text_span(&expected), text_span(&a->body)))
        break_rule(j, "its bytes are not what the origin gave");
    if (!a->is_cut && !a->is_head && a->body.len != j->quote->size)
        break_rule(j, "it is not whole");
    text_free(&expected);
}

/* It is another request's: may this one have it too? */
static void judge_other(const struct judged *j)
{
    const struct quote *q = j->quote;
    if (j->wish->secret != QUOTE_PUBLIC)
        break_rule(j, "another request's, to one with a credential");
    else if (q->is_secret)
        break_rule(j, "that is the answer to a request with a credential");
    else if (j->wish->bypasses)
        break_rule(j, "another request's, to no-cache");
    else if (q->coding != j->wish->coding)
        break_rule(j, "the answer to another Accept-Encoding");
    else if (q->is_restricted && !is_failure(q))
        break_rule(j, "the origin gave it to another request only");
    else if (q->varies && !is_failure(q) && q->language != j->wish->language)
        break_rule(j, "the answer to another Accept-Language");
}

/* It was stored, whole and good, and is not older than that. */
static void judge_stored(const struct judged *j, uint64_t most_us)
{
    const struct quote *q = j->quote;
    if (q->status != 200 || q->is_refusal || q->is_restricted)
        break_rule(j, "that may not be stored");
    else if (q->life != life_number() && j->asked_us >= life_began_us())
        break_rule(j, "that is from another life");
    else if (q->whole_us == 0)
        break_rule(j, "the daemon has not read all of it");
    else if (j->asked_us > q->whole_us + most_us + SLACK_US)
        world_fault("shared", "try %u: answer %u is stored for %.3f s, %.3f s are allowed",
                    j->number, j->reading, (double)(j->asked_us - q->whole_us) / 1e6,
                    (double)most_us / 1e6);
}

/* The fetch that it joined was under way. */
static void judge_collapsed(const struct judged *j)
{
    const struct quote *q = j->quote;
    if (!rules.coalesces)
        break_rule(j, "nothing is to be coalesced");
    else if (q->whole_us && q->whole_us + SLACK_US < j->asked_us)
        break_rule(j, "that was whole before it was asked for");
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void judge_result(const struct judged *j)
{
    bool is_own = j->quote->number == j->number;
    if (says(j, "; collapsed")) {
        heard[QUOTE_COLLAPSED]++;
        judge_collapsed(j);
    } else if (says(j, "; hit")) {
        heard[QUOTE_HIT]++;
        judge_stored(j, least(rules.fresh_us, j->wish->most_age_us));
    } else if (says(j, "fwd=stale")) {
        heard[QUOTE_STALE]++;
        judge_stored(j, rules.fresh_us + rules.stale_us);
    } else {
        heard[QUOTE_MISS] += j->status.len > 0;
        if (!is_own)
            break_rule(j, "another request's, as its own");
    }
}

/* In seconds; what is said is rounded down. */
static void judge_age(const struct judged *j)
{
    struct span said = answer_field(j->answer, "Age");
    uint64_t age = said.len ? strtoull(said.at, NULL, 10) : 0;
    const struct quote *q = j->quote;
    if (j->status.len == 0)
        return;
    if (said.len == 0)
        break_rule(j, "no Age beside Cache-Status");
    else if (age * SECOND_US > world_us() - q->read_us + 5 * SECOND_US)
        break_rule(j, "its Age is more than there was time for");
    else if (q->whole_us && j->asked_us > q->whole_us + (age + 1) * SECOND_US + SLACK_US)
        break_rule(j, "it is older than its Age says");
}

void quotes_judge(const struct quote_wish *w, unsigned number, uint64_t asked_us,
                  const struct answer *a)
{
    struct span serial = answer_field(a, "X-Reading");
    struct judged j = {.wish = w, .number = number, .asked_us = asked_us, .answer = a};
    j.status = answer_field(a, "Cache-Status");
    j.reading = serial.len ? (unsigned)strtoul(serial.at, NULL, 10) : 0;
    if (j.reading == 0 && a->status == 408)
        return; /* which an origin sends unasked */
    CHECK(j.reading < QUOTES_MOST);
    j.quote = &quotes[j.reading];
    if (j.quote->status != (unsigned)a->status || j.quote->target != w->target) {
        break_rule(&j, "that is none of this target, or none at all");
        return;
    }
    judge_bytes(&j);
    if (j.quote->number != number)
        judge_other(&j);
    judge_result(&j);
    judge_age(&j);
}
