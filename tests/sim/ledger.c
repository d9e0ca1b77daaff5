#include "tests/sim/ledger.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BUCKETS_MOST 64
#define BUDGETS_MOST 16
#define HOLDS_MOST 16
#define DAEMONS_MOST 16
#define KEY_SIZE 120
#define SPOKE_MS 10000

struct bucket {
    char key[KEY_SIZE];
    double level, at_ms;
};

struct hold {
    char whom[80], data[300];
    double until_ms;
};

struct budget {
    char key[KEY_SIZE];
    char epoch[40];
    int64_t version, lifts;
    struct hold holds[HOLDS_MOST];
    size_t hold_count;
    struct {
        char id[40];
        double spoke_ms;
    } daemons[DAEMONS_MOST];
    size_t daemon_count;
};

static struct bucket buckets[BUCKETS_MOST];
static struct budget budgets[BUDGETS_MOST];
static size_t bucket_count, budget_count;

static double now_ms(void)
{
    return (double)world_us() / 1000;
}

static bool is_key(const char *key, struct span s)
{
    return span_is(s, span_of(key));
}

static void set_key(char *to, size_t size, struct span s)
{
    CHECK(s.len < size);
    memcpy(to, s.at, s.len);
    to[s.len] = '\0';
}

struct span ledger_name(struct span key)
{
    struct span rest = span_from(key, span_find(key, '{') + 1);
    return span_first(rest, span_find(rest, '}'));
}

/* ---------------------------------------------------------------------------- tokens */

static struct bucket *bucket_of(const struct ledger_ask *a)
{
    for (size_t i = 0; i < bucket_count; i++)
        if (is_key(buckets[i].key, a->tokens))
            return &buckets[i];
    CHECK(bucket_count < BUCKETS_MOST);
    struct bucket *b = &buckets[bucket_count++];
    *b = (struct bucket){.level = a->burst, .at_ms = now_ms()};
    set_key(b->key, sizeof b->key, a->tokens);
    return b;
}

/* A token for later is a debt of the bucket. Returns the time until the first, in ms. */
static double give(const struct ledger_ask *a, struct bucket *b, struct ledger_grant *g)
{
    double rate = a->count / a->per_ms, wait = 0;
    if (now_ms() > b->at_ms) {
        b->level += (now_ms() - b->at_ms) * rate;
        b->at_ms = now_ms();
    }
    b->level = fmin(a->burst, fmin(a->burst, b->level) + a->back - a->credit);
    g->now = (unsigned)fmax(0, fmin(a->want, floor(b->level)));
    b->level -= g->now;
    if (g->now < a->want) {
        double room = b->level + fmax(1, rate * a->horizon_ms);
        g->later = (unsigned)fmax(0, fmin(a->want - g->now, floor(room)));
        wait = (1 - (g->later ? b->level : room)) / rate;
        b->level -= g->later;
    }
    return wait;
}

/* ----------------------------------------------------------------------------- holds */

static struct budget *budget_of(struct span state)
{
    for (size_t i = 0; i < budget_count; i++)
        if (is_key(budgets[i].key, state))
            return &budgets[i];
    return NULL;
}

static struct budget *budget_new(struct span state)
{
    CHECK(budget_count < BUDGETS_MOST);
    struct budget *b = &budgets[budget_count++];
    *b = (struct budget){0};
    set_key(b->key, sizeof b->key, state);
    snprintf(b->epoch, sizeof b->epoch, "%" PRIu64, world_us());
    return b;
}

static struct hold *hold_of(struct budget *b, struct span whom)
{
    for (size_t i = 0; i < b->hold_count; i++)
        if (is_key(b->holds[i].whom, whom))
            return &b->holds[i];
    CHECK(b->hold_count < HOLDS_MOST);
    struct hold *h = &b->holds[b->hold_count++];
    *h = (struct hold){0};
    set_key(h->whom, sizeof h->whom, whom);
    return h;
}

/* True: one is new, or longer. */
static bool take_holds(struct budget *b, const struct ledger_ask *a)
{
    bool changed = false;
    for (size_t i = 0; i + 2 < a->hold_words; i += 3) {
        struct hold *h = hold_of(b, a->holds[i]);
        double until = floor(now_ms() + strtod(a->holds[i + 1].at, NULL));
        if (until <= h->until_ms)
            continue;
        h->until_ms = until;
        set_key(h->data, sizeof h->data, a->holds[i + 2]);
        b->version++;
        changed = true;
    }
    return changed;
}

bool ledger_hold_at(struct span state, size_t n, struct ledger_hold *to)
{
    const struct budget *b = budget_of(state);
    for (size_t i = 0; b && i < b->hold_count; i++) {
        if (b->holds[i].until_ms <= now_ms() || n--)
            continue;
        *to = (struct ledger_hold){b->holds[i].whom, (uint64_t)(b->holds[i].until_ms * 1000)};
        return true;
    }
    return false;
}

static unsigned count_daemons(struct budget *b, struct span id)
{
    unsigned n = 0;
    size_t i = 0;
    while (i < b->daemon_count && !is_key(b->daemons[i].id, id))
        i++;
    CHECK(i < DAEMONS_MOST);
    b->daemon_count += i == b->daemon_count;
    set_key(b->daemons[i].id, sizeof b->daemons[i].id, id);
    b->daemons[i].spoke_ms = now_ms();
    for (i = 0; i < b->daemon_count; i++)
        n += b->daemons[i].spoke_ms > now_ms() - SPOKE_MS;
    return n;
}

/* ------------------------------------------------------------------------- the script */

static void add_text(struct text *to, const char *s)
{
    text_printf(to, "$%zu\r\n%s\r\n", strlen(s), s);
}

static void add_holds(const struct budget *b, struct text *to)
{
    add_text(to, "holds");
    for (size_t i = 0; i < b->hold_count; i++) {
        if (b->holds[i].until_ms <= now_ms())
            continue;
        add_text(to, b->holds[i].whom);
        text_printf(to, ":%.0f\r\n", ceil(b->holds[i].until_ms - now_ms()));
        add_text(to, b->holds[i].data);
    }
}

static size_t in_force(const struct budget *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->hold_count; i++)
        n += b->holds[i].until_ms > now_ms();
    return n;
}

void ledger_run(const struct ledger_ask *a, struct text *reply, struct ledger_grant *g)
{
    struct bucket *bucket = a->count > 0 ? bucket_of(a) : NULL;
    struct budget *b = budget_of(a->state);
    *g = (struct ledger_grant){0};
    double wait = bucket ? give(a, bucket, g) : 0;
    b = b ? b : budget_new(a->state);
    bool changed = a->lifts || !is_key(b->epoch, a->epoch) || b->version != a->version;
    if (a->lifts) {
        b->hold_count = 0;
        b->lifts++;
        b->version++;
    }
    changed |= take_holds(b, a);
    g->daemons = count_daemons(b, a->id);
    if (reply == NULL)
        return;
    text_printf(reply, "*%zu\r\n:%u\r\n:%u\r\n:%.0f\r\n:%.0f\r\n:%u\r\n:-1\r\n:%.0f\r\n",
                changed ? 11 + 3 * in_force(b) : 10, g->now, g->later, ceil(wait * 1000),
                bucket ? floor(bucket->level * 1000) : 0, g->daemons,
                ceil(60000 - fmod(now_ms(), 60000)));
    add_text(reply, b->epoch);
    text_printf(reply, ":%" PRId64 "\r\n:%" PRId64 "\r\n", b->version, b->lifts);
    if (changed)
        add_holds(b, reply);
}

void ledger_clear(void)
{
    bucket_count = budget_count = 0;
}
