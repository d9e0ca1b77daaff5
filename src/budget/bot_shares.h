/* What each bot uses of one upstream's budget, and what it may use (bot blocks of the
 * configuration): a share of the weight while other clients ask too, and a rate of orders. Embedded
 * in its gate. The bots of a request's name are told apart by the address of that name, which has
 * to last as long as the daemon, so that finding one does not depend on how many there are. No
 * states: without bot blocks it is empty and nothing is noted. */
#pragma once

#include "base/bucket.h"
#include "base/list.h"
#include "config/settings.h"

#define BOT_SHARES_MAX 66 /* names of bots.h, the rest of them, and clients without a name */
#define BOT_SHARES_SLOTS 128
#define BOT_WANTS_MS 10000 /* after its last request, a bot is taken to want no weight */

struct bot_share {
    const char *bot;                   /* "": clients without a name */
    const struct bot_config *settings; /* NULL: it has no block */
    struct bucket orders;              /* order_rate */
    struct list waiting;               /* for a token of that */
    uint64_t weight;                   /* used in the minute that ends at weight_until_ms */
    uint64_t weight_until_ms;
    bool weight_lifted;     /* by an operator, until more is used */
    uint64_t held, refused; /* its requests, because of its own limits; since start */
};

struct bot_shares {
    const struct bot_config *settings;
    size_t settings_count; /* 0: nothing is limited */
    struct bot_share *at[BOT_SHARES_MAX];
    size_t count;
    unsigned char slots[BOT_SHARES_SLOTS]; /* by the address of the name: index in `at`, from 1 */
    struct {
        const struct bot_share *bot;
        uint64_t at_ms;
    } asked[2]; /* the last one that asked, and the last one besides */
};

void bot_shares_free(struct bot_shares *); /* no request may be waiting */

/* The bot blocks of another configuration, which are borrowed until the next call. What was used
 * stays. */
void bot_shares_configure(struct bot_shares *, const struct bot_config *, size_t count,
                          uint64_t now_ms);

/* The share of the bot with that name (NULL: a client without a name); NULL: it has not asked. */
struct bot_share *bot_shares_find(const struct bot_shares *, const char *bot);

/* Notes that it asks now. NULL: there are no bot blocks. */
struct bot_share *bot_shares_ask(struct bot_shares *, const char *bot, uint64_t now_ms);

/* Notes weight that it used, which counts until `until_ms`. */
void bot_shares_use(struct bot_shares *, const char *bot, uint64_t weight, uint64_t until_ms,
                    uint64_t now_ms);

/* Until when its share of `weight_limit` is used up, if nothing more happens; 0: it is not. */
uint64_t bot_shares_held_until(const struct bot_shares *, const struct bot_share *,
                               uint64_t weight_limit, uint64_t now_ms);

/* Does it have a rate of orders? */
bool bot_share_is_paced(const struct bot_share *);

/* The weight that it has used in this minute. */
uint64_t bot_share_weight(const struct bot_share *, uint64_t now_ms);

/* When the next waiting order may go; UINT64_MAX: none is waiting. */
uint64_t bot_shares_next(const struct bot_shares *, uint64_t now_ms);
size_t bot_shares_waiting(const struct bot_shares *);

/* An operator lifts what is held because of the weight. */
void bot_shares_lift(struct bot_shares *);
