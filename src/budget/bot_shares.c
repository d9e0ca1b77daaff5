#include "budget/bot_shares.h"

#include <string.h>

#include "base/alloc.h"

static const char unnamed[] = "";

/* ------------------------------------------------------------------- finding */

static size_t slot_of(const char *bot)
{
    return (size_t)((uintptr_t)bot * UINT64_C(0x9e3779b97f4a7c15) >> 32) % BOT_SHARES_SLOTS;
}

/* The slot of that name, or the free one for it. There are more slots than bots. */
static size_t find_slot(const struct bot_shares *s, const char *bot)
{
    size_t slot = slot_of(bot);
    while (s->slots[slot] && s->at[s->slots[slot] - 1]->bot != bot)
        slot = (slot + 1) % BOT_SHARES_SLOTS;
    return slot;
}

struct bot_share *bot_shares_find(const struct bot_shares *s, const char *bot)
{
    size_t slot = find_slot(s, bot ? bot : unnamed);
    return s->slots[slot] ? s->at[s->slots[slot] - 1] : NULL;
}

/* ------------------------------------------------------------- configuration */

static void configure(const struct bot_shares *s, struct bot_share *b, uint64_t now_ms)
{
    b->settings = NULL;
    for (size_t i = 0; i < s->settings_count && *b->bot; i++)
        if (strcmp(s->settings[i].name, b->bot) == 0)
            b->settings = &s->settings[i];
    struct config_rate rate = b->settings ? b->settings->order_rate : (struct config_rate){0};
    bucket_configure(&b->orders, rate.count, rate.per_ms, 0, now_ms);
}

void bot_shares_configure(struct bot_shares *s, const struct bot_config *settings, size_t count,
                          uint64_t now_ms)
{
    s->settings = settings;
    s->settings_count = count;
    for (size_t i = 0; i < s->count; i++)
        configure(s, s->at[i], now_ms);
}

static struct bot_share *add(struct bot_shares *s, const char *bot, uint64_t now_ms)
{
    CHECK(s->count < BOT_SHARES_MAX);
    struct bot_share *b = NEW(struct bot_share);
    b->bot = bot;
    list_init(&b->waiting);
    configure(s, b, now_ms);
    s->at[s->count++] = b;
    s->slots[find_slot(s, bot)] = (unsigned char)s->count;
    return b;
}

void bot_shares_free(struct bot_shares *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->at[i]);
}

/* --------------------------------------------------------------------- using */

static void note(struct bot_shares *s, const struct bot_share *b, uint64_t now_ms)
{
    if (s->asked[0].bot != b) {
        s->asked[1] = s->asked[0];
        s->asked[0].bot = b;
    }
    s->asked[0].at_ms = now_ms;
}

struct bot_share *bot_shares_ask(struct bot_shares *s, const char *bot, uint64_t now_ms)
{
    if (s->settings_count == 0)
        return NULL;
    struct bot_share *b = bot_shares_find(s, bot);
    if (b == NULL)
        b = add(s, bot ? bot : unnamed, now_ms);
    note(s, b, now_ms);
    return b;
}

uint64_t bot_share_weight(const struct bot_share *b, uint64_t now_ms)
{
    return now_ms < b->weight_until_ms ? b->weight : 0;
}

/* A minute's end is rounded up to a second, so for up to a second after it the old minute looks
 * current. A use in that second belongs to the next one if its own minute ends later. */
static bool is_of_next_minute(const struct bot_share *b, uint64_t until_ms)
{
    return until_ms >= b->weight_until_ms + 30000;
}

void bot_shares_use(struct bot_shares *s, const char *bot, uint64_t weight, uint64_t until_ms,
                    uint64_t now_ms)
{
    struct bot_share *b = s->settings_count ? bot_shares_find(s, bot) : NULL;
    if (b == NULL || weight == 0)
        return;
    b->weight = is_of_next_minute(b, until_ms) ? weight : bot_share_weight(b, now_ms) + weight;
    b->weight_until_ms = until_ms;
    b->weight_lifted = false;
}

/* Until when others want their shares too; 0: they do not. */
static uint64_t others_want_until(const struct bot_shares *s, const struct bot_share *b,
                                  uint64_t now_ms)
{
    bool is_last = s->asked[0].bot == b;
    const struct bot_share *other = s->asked[is_last].bot;
    uint64_t until = s->asked[is_last].at_ms + BOT_WANTS_MS;
    return other && until > now_ms ? until : 0;
}

uint64_t bot_shares_held_until(const struct bot_shares *s, const struct bot_share *b,
                               uint64_t weight_limit, uint64_t now_ms)
{
    if (b == NULL || b->settings == NULL || weight_limit == 0 || b->weight_lifted ||
        b->settings->weight_share >= 100)
        return 0;
    if (bot_share_weight(b, now_ms) * 100 < weight_limit * b->settings->weight_share)
        return 0;
    uint64_t until = others_want_until(s, b, now_ms);
    return until < b->weight_until_ms ? until : b->weight_until_ms;
}

bool bot_share_is_paced(const struct bot_share *b)
{
    return b && b->orders.flow;
}

uint64_t bot_shares_next(const struct bot_shares *s, uint64_t now_ms)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < s->count; i++) {
        if (s->at[i]->waiting.count == 0)
            continue;
        uint64_t at = bucket_when(&s->at[i]->orders, now_ms, 1);
        next = at < next ? at : next;
    }
    return next;
}

size_t bot_shares_waiting(const struct bot_shares *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += s->at[i]->waiting.count;
    return n;
}

void bot_shares_lift(struct bot_shares *s)
{
    for (size_t i = 0; i < s->count; i++)
        s->at[i]->weight_lifted = true;
}
