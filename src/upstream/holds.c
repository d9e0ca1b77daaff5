#include "upstream/holds.h"

#define TURN_MS 5000 /* how far the exchange's clock may be from ours */

void holds_init(struct holds *h)
{
    *h = (struct holds){.weight = -1};
}

static void forget_lapsed(struct holds *h, uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->alone_count; i++)
        if (h->alone[i].until_ms > now_ms)
            h->alone[kept++] = h->alone[i];
    h->alone_count = kept;
}

/* Where this credential's pause is, or may go. */
static struct pause *place_of(struct holds *h, uint64_t credential)
{
    struct pause *soonest = &h->alone[0];
    for (size_t i = 0; i < h->alone_count; i++) {
        if (h->alone[i].credential == credential)
            return &h->alone[i];
        if (h->alone[i].until_ms < soonest->until_ms)
            soonest = &h->alone[i];
    }
    if (h->alone_count == HOLDS_CREDENTIALS)
        return soonest;
    h->alone[h->alone_count] = (struct pause){0};
    return &h->alone[h->alone_count++];
}

void holds_pause(struct holds *h, const struct pause *asked, uint64_t now_ms)
{
    struct pause *p = &h->everybody;
    if (asked->credential) {
        forget_lapsed(h, now_ms);
        p = place_of(h, asked->credential);
    }
    if (p->credential != asked->credential || p->until_ms < asked->until_ms)
        *p = *asked;
}

const struct pause *holds_find(const struct holds *h, uint64_t credential, uint64_t now_ms)
{
    const struct pause *latest = &h->everybody;
    for (size_t i = 0; credential && i < h->alone_count; i++)
        if (h->alone[i].credential == credential && h->alone[i].until_ms > latest->until_ms)
            latest = &h->alone[i];
    return latest->until_ms > now_ms ? latest : NULL;
}

/* From where the weight told now has grown. */
static int64_t weight_base(const struct holds *h, int64_t weight, uint64_t now_ms, uint64_t left_ms)
{
    bool near_turn = left_ms <= TURN_MS || left_ms > 60000 - TURN_MS;
    if (now_ms >= h->weight_until_ms + TURN_MS)
        return 0;
    if (now_ms >= h->weight_until_ms)
        return weight > h->weight_most ? h->weight_most : 0;
    return near_turn && weight < h->weight_most / 2 ? 0 : h->weight_most;
}

uint64_t holds_weigh(struct holds *h, int64_t weight, uint64_t now_ms, uint64_t left_ms)
{
    int64_t base = weight_base(h, weight, now_ms, left_ms);
    h->weight = weight;
    h->weight_most = weight > base ? weight : base;
    h->weight_until_ms = now_ms + left_ms;
    return weight > base ? (uint64_t)(weight - base) : 0;
}

int64_t holds_weight(const struct holds *h, uint64_t now_ms)
{
    return h->weight > 0 && now_ms >= h->weight_until_ms ? 0 : h->weight;
}
