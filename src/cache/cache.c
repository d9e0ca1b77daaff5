#include "cache/cache.h"

#include <string.h>
#include <uthash.h>

#include "base/list.h"

/* One response. Those of one target are on a list under one key. */
struct entry {
    struct link by_use, of_target;
    struct target *target;
    struct stored_response *response;
    size_t size;
};

struct target {
    UT_hash_handle hh;
    struct list entries;
    size_t key_size;
    char key[]; /* space, then target */
};

struct cache {
    struct target *map;
    struct list entries; /* the one used last is at the back */
    size_t bytes, limit; /* bytes of the entries; the bound of all */
};

struct cache *cache_new(void)
{
    struct cache *c = NEW(struct cache);
    list_init(&c->entries);
    return c;
}

static void drop(struct cache *c, struct entry *e)
{
    struct target *t = e->target;
    c->bytes -= e->size;
    list_remove(&e->by_use);
    list_remove(&e->of_target);
    stored_response_unref(e->response);
    free(e);
    if (t->entries.count)
        return;
    HASH_DEL(c->map, t);
    free(t);
}

/* The map's own bytes: it grows with its entries, and is freed with the last one. */
static size_t table_bytes(const struct cache *c)
{
    return c->map
               ? sizeof(UT_hash_table) + c->map->hh.tbl->num_buckets * sizeof(struct UT_hash_bucket)
               : 0;
}

static void shrink(struct cache *c, size_t to)
{
    while (c->entries.count && cache_bytes(c) > to)
        drop(c, LIST_ENTRY(list_first(&c->entries), struct entry, by_use));
}

void cache_free(struct cache *c)
{
    shrink(c, 0);
    free(c);
}

void cache_limit(struct cache *c, size_t bytes)
{
    c->limit = bytes;
    shrink(c, bytes);
}

static size_t key_size(struct cache_key key)
{
    return sizeof key.space + key.target.len;
}

static void put_key(char *to, struct cache_key key)
{
    memcpy(to, &key.space, sizeof key.space);
    if (key.target.len)
        memcpy(to + sizeof key.space, key.target.at, key.target.len);
}

static struct target *make_target(struct cache_key key)
{
    struct target *t = must_calloc(1, sizeof *t + key_size(key));
    list_init(&t->entries);
    t->key_size = key_size(key);
    put_key(t->key, key);
    return t;
}

static struct target *find_target(struct cache *c, struct cache_key key)
{
    char usual[512], *wanted = usual;
    struct target *found;
    if (c->map == NULL)
        return NULL;
    if (key_size(key) > sizeof usual)
        wanted = must_malloc(key_size(key));
    put_key(wanted, key);
    HASH_FIND(hh, c->map, wanted, key_size(key), found);
    if (wanted != usual)
        free(wanted);
    return found;
}

static struct entry *find_entry(struct target *t, const struct fields *asked)
{
    LIST_FOR (&t->entries, e, struct entry, of_target)
        if (stored_response_fits(e->response, asked))
            return e;
    return NULL;
}

struct stored_response *cache_find(struct cache *c, struct cache_key key,
                                   const struct fields *asked)
{
    struct target *t = find_target(c, key);
    struct entry *e = t ? find_entry(t, asked) : NULL;
    if (e == NULL)
        return NULL;
    list_remove(&e->by_use);
    list_push_back(&c->entries, &e->by_use);
    return e->response;
}

static size_t size_with(struct cache_key key, const struct stored_response *s, size_t body)
{
    return sizeof(struct entry) + sizeof(struct target) + sizeof key.space + key.target.len +
           stored_response_size(s) + body;
}

/* Would it fit if it were the only one? Then the map has its initial size. */
static bool fits(const struct cache *c, size_t size)
{
    size_t map = sizeof(UT_hash_table) + HASH_INITIAL_NUM_BUCKETS * sizeof(struct UT_hash_bucket);
    return map <= c->limit && size <= c->limit - map;
}

bool cache_takes(const struct cache *c, struct cache_key key, const struct stored_response *s,
                 size_t length)
{
    return length < c->limit && fits(c, size_with(key, s, length + 1));
}

void cache_put(struct cache *c, struct cache_key key, struct stored_response *s,
               const struct fields *asked)
{
    struct target *t = find_target(c, key);
    struct entry *old = t ? find_entry(t, asked) : NULL;
    size_t size = size_with(key, s, 0);
    CHECK(s->whole);
    if (old && old->response->came_at > s->came_at)
        return;
    if (old)
        drop(c, old);
    if (!fits(c, size))
        return;
    shrink(c, c->limit - size);
    t = find_target(c, key);
    if (t == NULL) {
        t = make_target(key);
        HASH_ADD_KEYPTR(hh, c->map, t->key, t->key_size, t);
    }
    if (t->entries.count >= CACHE_VARIANTS)
        drop(c, LIST_ENTRY(list_first(&t->entries), struct entry, of_target));
    struct entry *e = NEW(struct entry);
    *e = (struct entry){.target = t, .response = stored_response_ref(s), .size = size};
    list_push_back(&t->entries, &e->of_target);
    list_push_back(&c->entries, &e->by_use);
    c->bytes += size;
    shrink(c, c->limit); /* the map may have grown */
}

void cache_forget(struct cache *c, struct cache_key key)
{
    struct target *t = find_target(c, key);
    for (size_t left = t ? t->entries.count : 0; left > 0; left--)
        drop(c, LIST_ENTRY(list_first(&t->entries), struct entry, of_target));
}

static bool is_in(const struct target *t, const uint64_t *spaces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(t->key, &spaces[i], sizeof spaces[i]) == 0)
            return true;
    return false;
}

void cache_keep(struct cache *c, const uint64_t *spaces, size_t count)
{
    LIST_FOR (&c->entries, e, struct entry, by_use)
        if (!is_in(e->target, spaces, count))
            drop(c, e);
}

size_t cache_entries(const struct cache *c)
{
    return c->entries.count;
}

size_t cache_bytes(const struct cache *c)
{
    return c->bytes + table_bytes(c);
}
