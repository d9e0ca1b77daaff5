#include "tests/sim/budget.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/sim/life.h"

#define SECOND_US 1000000
#define TRIES_MOST 4096
#define UPSTREAMS 3
#define HOLDS_MOST 8
#define OTHERS_MOST 2
#define CLOCK_US 10000 /* the loop's clock may be so far behind, and counts whole milliseconds */
#define TURN_US 50000  /* a busy machine's */
#define PATIENT_MS 3000

struct held {
    char whom[80];
    uint64_t until_us, known_us; /* known_us: since when the daemon knows it */
};

/* One of the three budgets, which are those of the upstreams. */
struct budget {
    const char *name;
    uint64_t given, back, credit;   /* by the store's books */
    uint64_t asked, left;           /* requests that were made, and that have left, each once */
    uint64_t left_before;           /* when the present time without the store began */
    uint64_t orders, orders_before; /* of these, since the last batch, and since the one before */
    uint64_t unknown;               /* orders of lives that were killed, whose credit is not told */
    double part;                    /* of rate and burst, without the store */
    uint64_t untold;                /* credit, perhaps, when the outage began */
    unsigned daemons, most_daemons; /* as answered last, and what the daemon may believe (least) */
    unsigned connection;            /* of the last batch */
    double shares;                  /* what outages that are over have allowed */
    unsigned lifts;
    bool is_lifted;         /* an operator has ended its holds */
    bool is_owed, may_tell; /* the store began empty; and the daemon knows that */
    struct held holds[HOLDS_MOST];
    size_t hold_count;
};

struct rate {
    unsigned count, per_ms, burst;
};

static struct budget budgets[UPSTREAMS] = {{.name = "plain"}, {.name = "tls"}, {.name = "h2"}};
static struct {
    bool is_there, is_rich, is_up;
    unsigned timeout_ms, share; /* percent */
    bool has_password;
    struct rate rate, most;                        /* the present one, the most there was */
    uint64_t since_us;                             /* is_up, or not */
    unsigned outages, asked_before, opened_before; /* of the present life; of lives before */
    struct {
        bool is_up;
        unsigned asked, outages;
    } looked; /* as /stats was asked for */
    bool order_has_asked[TRIES_MOST], has_left[TRIES_MOST], order_has_left[TRIES_MOST];
    struct {
        uint64_t asked_us;
        bool is_public;
    } tries[TRIES_MOST];
} all;

static struct budget *budget_named(struct span name)
{
    if (span_starts(name, SPAN("other ")))
        name = span_from(name, 6);
    for (size_t i = 0; i < UPSTREAMS; i++)
        if (span_is(name, span_of(budgets[i].name)))
            return &budgets[i];
    return NULL;
}

/* --------------------------------------------------------------- what may have left */

/* Contract 13: without the store a daemon has its share of rate and burst, 1/n of those that spoke
 * within 10 s (never known: budget_share). At least one request, as a burst of less is none. Nothing
 * is used by requests that have left before, or were never made. */
static double share_of(const struct budget *b)
{
    double burst = all.most.burst * b->part, flow = (double)all.most.count / all.most.per_ms;
    double share =
        (burst > 1 ? burst : 1) + flow * b->part * (double)(world_us() - all.since_us) / 1000;
    double wanted = (double)(b->asked - b->left_before);
    return share + 1 < wanted ? share + 1 : wanted;
}

/* Without the store the others are not known to have used anything, and with it no more leaves than
 * it gave: tokens, and the credit of orders, which is told with the next batch and therefore no older
 * than the last one but one. All that the store gave, to the others too, is its bucket's. */
static double allowed(const struct budget *b)
{
    uint64_t credit = b->credit + b->orders + b->orders_before + b->unknown;
    return (double)b->given - (double)b->back + (double)credit + b->shares +
           (all.is_up ? 0 : share_of(b));
}

static void leaves(struct budget *b, unsigned order, unsigned number)
{
    bool *has_left = order ? &all.order_has_left[order] : &all.has_left[number];
    if (*has_left)
        return;
    *has_left = true;
    b->left++;
    b->orders += order > 0;
    if ((double)b->left > allowed(b))
        world_fault("budget",
                    "%s: %llu requests have left, with %llu tokens, %llu given back, %llu told as "
                    "credit",
                    b->name, (unsigned long long)b->left, (unsigned long long)b->given,
                    (unsigned long long)b->back, (unsigned long long)b->credit);
}

/* Which part it has from now on: it may have read the last answer, or only the one before. */
static void set_part(struct budget *b)
{
    b->part = b->most_daemons ? 1.0 / b->most_daemons : all.share / 100.0;
    if (b->daemons && 1.0 / b->daemons > b->part)
        b->part = 1.0 / b->daemons;
}

/* What the share has allowed so far. */
static void note_shares(void)
{
    for (size_t i = 0; i < UPSTREAMS && !all.is_up; i++)
        budgets[i].shares += share_of(&budgets[i]);
}

/* Credit that was not told when an outage began is told after it, but for what has flowed back. */
static void note_untold(struct budget *b)
{
    if (all.is_up) {
        double flowed =
            (double)all.most.count / all.most.per_ms * (double)(world_us() - all.since_us) / 1000;
        b->unknown += flowed + 1 < (double)b->untold ? (uint64_t)flowed + 1 : b->untold;
    } else {
        b->untold = b->orders + b->orders_before;
        set_part(b);
    }
    b->left_before = b->left;
}

static void turn(bool is_up)
{
    if (is_up == all.is_up)
        return;
    note_shares();
    all.is_up = is_up;
    for (size_t i = 0; i < UPSTREAMS; i++)
        note_untold(&budgets[i]);
    all.since_us = world_us();
}

/* ------------------------------------------------------------------------------- holds */

static void look_held(struct budget *b, unsigned number)
{
    uint64_t asked = all.tries[number].asked_us;
    for (size_t i = 0; i < b->hold_count && !b->is_lifted; i++) {
        const struct held *h = &b->holds[i];
        bool binds = strcmp(h->whom, "all") == 0 ||
                     (strcmp(h->whom, "public") == 0 && all.tries[number].is_public);
        if (binds && asked > h->known_us && world_us() + CLOCK_US < h->until_us)
            world_fault("budget", "%s: try %u leaves %.3f s before the end of a hold for %s",
                        b->name, number, (double)(h->until_us - world_us()) / 1e6, h->whom);
    }
}

static void know(struct budget *b, const struct held *news)
{
    struct held *h = b->holds;
    while (h < b->holds + b->hold_count && strcmp(h->whom, news->whom) != 0)
        h++;
    if (h == b->holds + b->hold_count) {
        CHECK(b->hold_count < HOLDS_MOST);
        b->hold_count++;
    } else if (h->until_us >= news->until_us) {
        return;
    }
    *h = *news;
    h->known_us = world_us();
}

struct news {
    struct budget *budget;
    unsigned life, lifts;
    bool begins; /* the first of a store that began empty */
    struct held holds[HOLDS_MOST];
    size_t count;
};

/* The daemon has read an answer. */
static void on_read(void *owner)
{
    struct news *n = owner;
    struct budget *b = n->budget;
    bool holds = n->life == life_number() && life_is_on() && n->lifts == b->lifts;
    b->may_tell |= n->begins && holds;
    for (size_t i = 0; i < n->count && holds; i++)
        know(b, &n->holds[i]);
    free(n);
}

void budget_is_answered(struct span state, struct end *e, uint64_t at)
{
    struct ledger_hold h;
    struct news *n = NEW(struct news);
    n->budget = budget_named(ledger_name(state));
    if (n->budget == NULL) {
        free(n);
        return;
    }
    n->life = life_number();
    n->lifts = n->budget->lifts;
    n->begins = n->budget->is_owed;
    for (; n->count < HOLDS_MOST && ledger_hold_at(state, n->count, &h); n->count++) {
        snprintf(n->holds[n->count].whom, sizeof n->holds[0].whom, "%s", h.whom);
        n->holds[n->count].until_us = h.until_us;
    }
    end_mark(e, at, on_read, n);
}

static void forget_holds(struct budget *b)
{
    b->lifts++;
    b->hold_count = 0;
    b->is_owed = b->may_tell = false;
}

/* "After an empty restart daemons tell their holds again" (contract 13): with their first batch after
 * the answer that shows it. */
static void look_told(struct budget *b, struct span state)
{
    struct ledger_hold h;
    for (size_t i = 0; i < b->hold_count; i++) {
        bool is_told = false;
        for (size_t k = 0; ledger_hold_at(state, k, &h); k++)
            is_told |= strcmp(h.whom, b->holds[i].whom) == 0;
        if (!is_told && b->holds[i].until_us > world_us() + TURN_US && !b->is_lifted)
            world_fault("budget", "%s: the hold for %s was not told again", b->name,
                        b->holds[i].whom);
    }
    b->is_owed = b->may_tell = false;
}

void budget_store_is_empty(void)
{
    for (size_t i = 0; i < UPSTREAMS; i++) {
        budgets[i].is_owed = true;
        budgets[i].may_tell = false;
    }
}

void budget_resumed(const char *upstream)
{
    struct budget *b = budget_named(span_of(upstream));
    b->is_lifted = true;
}

/* ------------------------------------------------------------------------- its batches */

/* What the daemon believes of the others is what the last answer said that it has read. */
static void note_daemons(struct budget *b, const struct ledger_grant *g, unsigned connection)
{
    bool was_read = b->connection == connection;
    b->most_daemons = b->most_daemons == 0 || was_read || b->daemons < b->most_daemons
                          ? b->daemons
                          : b->most_daemons;
    b->daemons = g->daemons;
    b->connection = connection;
}

void budget_batch(const struct ledger_ask *a, const struct ledger_grant *g, unsigned connection)
{
    struct budget *b = budget_named(ledger_name(a->state));
    if (b == NULL)
        return;
    note_daemons(b, g, connection);
    b->given += g->now + g->later;
    b->back += (uint64_t)a->back;
    b->credit += (uint64_t)a->credit;
    if (all.is_up) { /* probes tell nothing */
        b->orders_before = b->orders;
        b->orders = 0;
    }
    if (a->lifts)
        forget_holds(b);
    if (b->may_tell && all.is_up)
        look_told(b, a->state);
}

struct silence {
    uint64_t us;
    unsigned life;
};

static void look_silent(void *owner)
{
    struct silence *s = owner;
    if (s->life == life_number() && life_is_on() && all.is_up && all.since_us < s->us)
        world_fault("budget", "the store does not answer, and no outage is told");
    free(s);
}

void budget_is_silent(void)
{
    struct silence *s = NEW(struct silence);
    *s = (struct silence){world_us(), life_number()};
    world_in(all.timeout_ms * 1000 + TURN_US, look_silent, s);
}

/* --------------------------------------------------------------------- its log's lines */

static bool says(const char *line, size_t len, const char *what)
{
    return memmem(line, len, what, strlen(what)) != NULL;
}

static void look_line(const char *line, size_t len)
{
    if (says(line, len, BUDGET_SECRET))
        world_fault("secret", "the log shows a password");
    if (!says(line, len, " budget_store: "))
        return;
    bool is_out = says(line, len, ": outage: "), is_back = says(line, len, ": back after ");
    if (is_out && all.outages > 0 && !all.is_up)
        world_fault("budget", "an outage is told twice");
    if (is_out && all.timeout_ms == PATIENT_MS && all.is_up && store_is_blameless())
        world_fault("budget", "an outage without a cause: %.*s", (int)len, line);
    all.outages += is_out;
    if (is_out)
        turn(false);
    if (is_back || says(line, len, ": connected: "))
        turn(true);
}

static ssize_t on_line(void *owner, const char *line, size_t len)
{
    (void)owner;
    look_line(line, len);
    syscall(SYS_write, STDERR_FILENO, line, len);
    return (ssize_t)len;
}

/* --------------------------------------------------------------------------- the others */

struct other {
    char id[20];
    struct dice dice;
};

static void ask_for(struct other *o, struct budget *b)
{
    char tokens[100], state[100], lasts[20];
    struct ledger_grant g;
    snprintf(lasts, sizeof lasts, "%u", 300 + dice_draw(&o->dice, 2500));
    struct span words[3] = {dice_chance(&o->dice, 60) ? SPAN("public") : SPAN("all"),
                            span_of(lasts), SPAN("429\n1000\n0\nother\n/elsewhere")};
    snprintf(tokens, sizeof tokens, "trunkline:{%s}:tokens:%u/%u", b->name, all.rate.count,
             all.rate.per_ms);
    snprintf(state, sizeof state, "trunkline:{%s}:state", b->name);
    struct ledger_ask a = {.tokens = span_of(tokens),
                           .state = span_of(state),
                           .id = span_of(o->id),
                           .count = all.rate.count,
                           .per_ms = all.rate.per_ms,
                           .burst = all.rate.burst,
                           .want = dice_draw(&o->dice, 4),
                           .horizon_ms = 250,
                           .lifts = dice_chance(&o->dice, 2),
                           .holds = words,
                           .hold_words = dice_chance(&o->dice, 5) ? 3 : 0};
    if (a.lifts)
        forget_holds(b);
    ledger_run(&a, NULL, &g);
}

static void step(void *owner)
{
    struct other *o = owner;
    for (size_t i = 0; i < UPSTREAMS && !store_is_down(); i++)
        if (dice_chance(&o->dice, 60))
            ask_for(o, &budgets[i]);
    world_in(dice_between(&o->dice, 10, 400) * 1000, step, o);
}

/* ----------------------------------------------------------------------- what befalls it */

static void fail_store(void *owner)
{
    if (world_takes("the store fails"))
        store_fail(owner);
}

void budget_plan(struct dice *d)
{
    for (int i = 0; i < 2; i++)
        if (dice_chance(d, 25))
            world_in(dice_draw(d, 3 * SECOND_US), fail_store, d);
}

/* ------------------------------------------------------------------------ configuration */

void budget_write_store(FILE *out)
{
    if (!all.is_there)
        return;
    fprintf(out, "budget_store = \"redis://%s\"\n",
            all.has_password ? "bot:" BUDGET_SECRET "@store.sim:6379/2" : "10.3.0.1:6379");
    fprintf(out, "budget_timeout = %ums\nbudget_share = %u%%\n", all.timeout_ms, all.share);
}

void budget_write_rate(FILE *out, struct dice *d)
{
    static const struct rate rates[] = {{20, 1000, 20}, {3, 100, 6}, {1, 300, 1}, {50, 1000, 10}};
    static const struct rate rich = {1000, 1000, 1000};
    if (all.rate.count == 0 || dice_chance(d, 30)) {
        all.rate = all.is_rich ? rich : rates[dice_draw(d, COUNT_OF(rates))];
        note_shares();
        for (size_t i = 0; i < UPSTREAMS; i++)
            set_part(&budgets[i]);
    }
    if (all.most.count == 0 ||
        all.rate.count * all.most.per_ms > all.most.count * all.rate.per_ms) {
        all.most.count = all.rate.count;
        all.most.per_ms = all.rate.per_ms;
    }
    all.most.burst = all.rate.burst > all.most.burst ? all.rate.burst : all.most.burst;
    fprintf(out, "    rate = \"%u/%ums\"\n    burst = %u\n", all.rate.count, all.rate.per_ms,
            all.rate.burst);
}

void budget_begin(struct dice *d)
{
    static const unsigned timeouts[] = {5, 5, 50, PATIENT_MS}, shares[] = {100, 50, 10};
    static struct other others[OTHERS_MOST];
    static const cookie_io_functions_t calls = {.write = on_line};
    all.is_there = true;
    all.is_rich = dice_chance(d, 40);
    all.timeout_ms = timeouts[dice_draw(d, COUNT_OF(timeouts))];
    all.share = shares[dice_draw(d, COUNT_OF(shares))];
    all.has_password = dice_chance(d, 50);
    store_begin(&(struct store_plan){.password = all.has_password ? BUDGET_SECRET : NULL,
                                     .refuses_login = all.has_password && dice_chance(d, 8),
                                     .trouble = dice_chance(d, 40) ? 0 : dice_draw(d, 40),
                                     .late_us = all.timeout_ms * 1000});
    for (unsigned i = 0; i < dice_between(d, 1, OTHERS_MOST); i++) {
        snprintf(others[i].id, sizeof others[i].id, "other%u", i);
        others[i].dice = dice_of("other", i);
        world_in(dice_draw(d, SECOND_US / 10), step, &others[i]);
    }
    stderr = fopencookie(NULL, "w", calls);
    CHECK(stderr && setvbuf(stderr, NULL, _IONBF, 0) == 0);
}

/* ------------------------------------------------------------------------------ entries */

void budget_asks(const char *upstream, unsigned order, unsigned number, bool is_public)
{
    struct budget *b = budget_named(span_of(upstream));
    CHECK(number < TRIES_MOST && order < TRIES_MOST);
    bool is_new = order == 0 || !all.order_has_asked[order];
    b->asked += is_new;
    all.order_has_asked[order] = true;
    all.tries[number].asked_us = world_us();
    all.tries[number].is_public = is_public;
}

void budget_carries(const char *origin, unsigned order, unsigned number)
{
    struct budget *b = budget_named(span_of(origin));
    if (!all.is_there || number == 0 || number >= TRIES_MOST)
        return;
    leaves(b, order, number);
    if (all.tries[number].asked_us)
        look_held(b, number);
}

/* "No order ever waits for it" (contract 13): where there are tokens for all, none is refused for the
 * rate, whatever the store does. */
void budget_hears(unsigned number, const struct answer *a)
{
    bool is_rate = a->body.len && says(a->body.at, a->body.len, "rate limit of");
    if (all.is_there && all.is_rich && is_rate)
        world_fault("budget", "try %u, an order, is refused for the rate, and there are tokens",
                    number);
}

/* What was said of a life that is over counts no more; its orders may have left on credit. */
void budget_dies(void)
{
    if (!all.is_there)
        return;
    note_shares();
    for (size_t i = 0; i < UPSTREAMS; i++) {
        struct budget *b = &budgets[i];
        b->left_before = b->left;
        b->unknown += b->orders + b->orders_before;
        b->orders = b->orders_before = 0;
        b->hold_count = 0;
        b->is_owed = b->may_tell = false;
        b->daemons = b->most_daemons = b->connection = 0;
        set_part(b);
    }
    all.is_up = false;
    all.since_us = world_us();
    all.outages = 0;
    all.asked_before = store_asked();
    all.opened_before = store_opened();
}

/* ---------------------------------------------------------------------------- /stats */

static json_int_t number_at(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

void budget_look(void)
{
    all.looked.is_up = all.is_up;
    all.looked.asked = store_asked() - all.asked_before;
    all.looked.outages = all.outages;
}

/* Questions may be lost with their connection, some of each upstream; and while the answer is on its
 * way more come. */
static void check_counters(const json_t *s)
{
    json_int_t asked = number_at(s, "asked"), came = store_asked() - all.asked_before,
               lost = store_is_blameless() ? UPSTREAMS : 4 * UPSTREAMS * (store_opened() + 1);
    if (asked < all.looked.asked || asked > came + lost)
        world_fault("sums", "budget_store.asked: %lld, %u to %lld came", (long long)asked,
                    all.looked.asked, (long long)came);
    if (number_at(s, "outages") < all.looked.outages || number_at(s, "outages") > all.outages)
        world_fault("sums", "budget_store.outages: %lld, %u were told",
                    (long long)number_at(s, "outages"), all.outages);
    if (number_at(s, "late") > asked + (json_int_t)store_opened())
        world_fault("sums", "budget_store.late: %lld of %lld", (long long)number_at(s, "late"),
                    (long long)asked);
}

/* At rest nothing is kept from the others. */
static void check_rest(const json_t *u)
{
    const json_t *b = json_object_get(json_object_get(u, "limits"), "budget");
    bool is_settled = all.is_up && world_us() - all.since_us > 2 * SECOND_US;
    if (b == NULL || !is_settled || !store_is_blameless())
        return;
    if (number_at(b, "credit"))
        world_fault("sums", "%s: credit of %lld is not told",
                    json_string_value(json_object_get(u, "name")),
                    (long long)number_at(b, "credit"));
}

void budget_check(const json_t *stats)
{
    const json_t *s = json_object_get(stats, "budget_store"), *u;
    const char *state = json_string_value(json_object_get(s, "state"));
    size_t i;
    if (!all.is_there)
        return;
    bool is_up = state && strcmp(state, "up") == 0;
    if (is_up != all.is_up && is_up != all.looked.is_up)
        world_fault("sums", "budget_store.state is %s, the log says it is %s", state ? state : "?",
                    all.is_up ? "up" : "not up");
    check_counters(s);
    json_array_foreach (json_object_get(stats, "upstreams"), i, u)
        check_rest(u);
    /* Ten connections a second at most, while it cannot be relied upon. */
    if (store_opened() - all.opened_before > 20 + 11 * world_us() / SECOND_US)
        world_fault("storm", "%u connections to the store", store_opened());
}
