#include "cache/unshared.h"

/* FNV-1a. If two targets collide, one of them is not coalesced for a while, which does no
 * harm. */
static uint64_t hash_of(struct cache_key key)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ key.space;
    for (size_t i = 0; i < key.target.len; i++)
        hash = (hash ^ (unsigned char)key.target.at[i]) * UINT64_C(1099511628211);
    return hash;
}

void unshared_note(struct unshared *u, struct cache_key key, bool shared, uint64_t now_ms)
{
    uint64_t hash = hash_of(key);
    size_t place = hash % UNSHARED_TARGETS;
    if (!shared) {
        u->at[place].hash = hash;
        u->at[place].until_ms = now_ms + UNSHARED_MS;
    } else if (u->at[place].hash == hash) {
        u->at[place].until_ms = 0;
    }
}

bool unshared_has(const struct unshared *u, struct cache_key key, uint64_t now_ms)
{
    uint64_t hash = hash_of(key);
    size_t place = hash % UNSHARED_TARGETS;
    return u->at[place].hash == hash && u->at[place].until_ms > now_ms;
}
