#include <stdio.h>

#include "cache/cache.h"
#include "suite.h"

#define ROOM 100000

static struct cache *cache;
static struct arena *arena;
static struct fields plain;

static void begin(void)
{
    cache = cache_new();
    cache_limit(cache, ROOM);
    arena = arena_new();
    plain = (struct fields){0};
}

static void finish(void)
{
    cache_free(cache);
    arena_free(arena);
}

static struct cache_key at(uint64_t space, const char *target)
{
    return (struct cache_key){space, span_of(target)};
}

static struct fields with(const char *name, const char *value)
{
    struct fields f = {0};
    fields_add(&f, arena, span_of(name), span_of(value));
    return f;
}

static void put(struct cache_key key, const struct fields *asked, const char *vary, size_t len)
{
    struct fields fields = vary ? with("Vary", vary) : plain;
    struct response head = {.status = 200, .fields = fields};
    struct stored_response *s = stored_response_new(&head, asked, 0, 0);
    char *body = must_calloc(1, len + 1);
    text_add(&s->body, (struct span){body, len});
    free(body);
    s->whole = true;
    cache_put(cache, key, s, asked);
    stored_response_unref(s);
}

static size_t length_at(struct cache_key key, const struct fields *asked)
{
    struct stored_response *s = cache_find(cache, key, asked);
    return s ? s->body.len : SIZE_MAX;
}

START_TEST(found_again)
{
    put(at(1, "/a"), &plain, NULL, 5);
    ck_assert_uint_eq(length_at(at(1, "/a"), &plain), 5);
    ck_assert_uint_eq(length_at(at(2, "/a"), &plain), SIZE_MAX);
    ck_assert_uint_eq(length_at(at(1, "/"), &plain), SIZE_MAX);
    ck_assert_uint_eq(length_at(at(1, ""), &plain), SIZE_MAX);
    put(at(1, "/a"), &plain, NULL, 6);
    ck_assert_uint_eq(cache_entries(cache), 1);
    ck_assert_uint_eq(length_at(at(1, "/a"), &plain), 6);
}
END_TEST

START_TEST(variants)
{
    struct fields gzip = with("accept-encoding", "gzip"), de = with("Accept-Language", "de");
    put(at(1, "/a"), &plain, NULL, 1);
    put(at(1, "/a"), &gzip, NULL, 2);
    ck_assert_uint_eq(length_at(at(1, "/a"), &plain), 1);
    ck_assert_uint_eq(length_at(at(1, "/a"), &gzip), 2);
    put(at(1, "/b"), &de, "accept-language", 3);
    ck_assert_uint_eq(length_at(at(1, "/b"), &plain), SIZE_MAX);
    put(at(1, "/b"), &plain, "Accept-Language", 4);
    ck_assert_uint_eq(length_at(at(1, "/b"), &de), 3);
    ck_assert_uint_eq(length_at(at(1, "/b"), &plain), 4);
    ck_assert_uint_eq(cache_entries(cache), 4);
    cache_forget(cache, at(1, "/a"));
    ck_assert_uint_eq(cache_entries(cache), 2);
    ck_assert_uint_eq(length_at(at(1, "/a"), &gzip), SIZE_MAX);
    cache_forget(cache, at(1, "/nothing"));
}
END_TEST

/* A client that requests one target in many variants does not make each request for that target
 * expensive. */
START_TEST(many_variants)
{
    cache_limit(cache, 10 * ROOM);
    for (size_t i = 0; i <= CACHE_VARIANTS; i++) {
        struct fields asked = with("Accept-Encoding", arena_printf(arena, "x%zu", i));
        put(at(1, "/a"), &asked, NULL, i);
        ck_assert_uint_eq(length_at(at(1, "/a"), &asked), i);
    }
    struct fields first = with("Accept-Encoding", "x0"), second = with("Accept-Encoding", "x1");
    ck_assert_uint_eq(cache_entries(cache), CACHE_VARIANTS);
    ck_assert_uint_eq(length_at(at(1, "/a"), &first), SIZE_MAX);
    ck_assert_uint_eq(length_at(at(1, "/a"), &second), 1);
}
END_TEST

/* The bytes never exceed the limit; the response that has been unused for longest is removed
 * first. */
START_TEST(bound)
{
    char target[20];
    for (int i = 0; i < 200; i++) {
        snprintf(target, sizeof target, "/%d", i);
        put(at(1, target), &plain, NULL, (size_t)i * 37 % 3000);
        ck_assert_uint_le(cache_bytes(cache), ROOM);
        ck_assert_uint_ne(length_at(at(1, "/0"), &plain), SIZE_MAX);
    }
    ck_assert_uint_gt(cache_entries(cache), 5);
    ck_assert_uint_eq(length_at(at(1, "/1"), &plain), SIZE_MAX);
    ck_assert_uint_ne(length_at(at(1, "/199"), &plain), SIZE_MAX);
    cache_limit(cache, 20000);
    ck_assert_uint_le(cache_bytes(cache), 20000);
    ck_assert_uint_gt(cache_entries(cache), 0);
    cache_limit(cache, 0);
    ck_assert_uint_eq(cache_bytes(cache) + cache_entries(cache), 0);
    put(at(1, "/a"), &plain, NULL, 0);
    ck_assert_uint_eq(cache_entries(cache), 0);
}
END_TEST

START_TEST(too_large)
{
    struct response head = {.status = 200};
    struct stored_response *s = stored_response_new(&head, &plain, 0, 0);
    put(at(1, "/a"), &plain, NULL, 10);
    put(at(1, "/b"), &plain, NULL, ROOM);
    ck_assert_uint_eq(length_at(at(1, "/a"), &plain), 10); /* nothing was removed for it */
    put(at(1, "/a"), &plain, NULL, ROOM);
    ck_assert_uint_eq(cache_entries(cache), 0); /* the replaced one is gone */
    ck_assert(cache_takes(cache, at(1, "/a"), s, 1000));
    ck_assert(!cache_takes(cache, at(1, "/a"), s, ROOM - 100));
    ck_assert(!cache_takes(cache, at(1, "/a"), s, SIZE_MAX));
    stored_response_unref(s);
}
END_TEST

/* A response that is being read lives on after it has been removed from the store. */
START_TEST(held)
{
    put(at(1, "/a"), &plain, NULL, 10);
    struct stored_response *s = stored_response_ref(cache_find(cache, at(1, "/a"), &plain));
    cache_limit(cache, 0);
    ck_assert_uint_eq(s->body.len, 10);
    stored_response_unref(s);
}
END_TEST

/* Its head arrived before that of the stored response, but it took longer. */
START_TEST(newer_stays)
{
    struct response head = {.status = 200};
    for (uint64_t came = 7; came >= 5; came--) {
        struct stored_response *s = stored_response_new(&head, &plain, came, 0);
        s->whole = true;
        cache_put(cache, at(1, "/a"), s, &plain);
        stored_response_unref(s);
    }
    ck_assert_uint_eq(cache_find(cache, at(1, "/a"), &plain)->came_at, 7);
}
END_TEST

/* All bytes count, including those of a large hash table. */
START_TEST(many_small_ones)
{
    char target[20];
    const size_t room = 8 * 1024 * 1024;
    cache_limit(cache, room);
    put(at(1, "/"), &plain, NULL, 10);
    size_t one = cache_bytes(cache);
    for (int i = 0; i < 3000; i++) {
        snprintf(target, sizeof target, "/%d", i);
        put(at(1, target), &plain, NULL, 10);
        ck_assert_uint_le(cache_bytes(cache), room);
    }
    ck_assert_uint_gt(cache_entries(cache), 1000);
    ck_assert_uint_gt(cache_bytes(cache), room - one);
    cache_limit(cache, one);
    ck_assert_uint_le(cache_bytes(cache), one);
    cache_limit(cache, 100);
    ck_assert_uint_eq(cache_bytes(cache) + cache_entries(cache), 0);
    put(at(1, "/"), &plain, NULL, 10);
    ck_assert_uint_eq(cache_bytes(cache) + cache_entries(cache), 0);
    cache_limit(cache, one);
    put(at(1, "/"), &plain, NULL, 10);
    ck_assert_uint_eq(cache_bytes(cache), one);
    cache_limit(cache, one - 1);
    ck_assert_uint_eq(cache_bytes(cache), 0);
}
END_TEST

START_TEST(keeps_spaces)
{
    for (uint64_t space = 1; space <= 4; space++)
        put(at(space, "/a"), &plain, NULL, 10);
    cache_keep(cache, (const uint64_t[]){4, 9, 2}, 3);
    ck_assert_uint_eq(cache_entries(cache), 2);
    ck_assert_uint_eq(length_at(at(2, "/a"), &plain), 10);
    ck_assert_uint_eq(length_at(at(3, "/a"), &plain), SIZE_MAX);
    cache_keep(cache, NULL, 0);
    ck_assert_uint_eq(cache_entries(cache) + cache_bytes(cache), 0);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(found_again);
    TEST(variants);
    TEST(many_variants);
    TEST(bound);
    TEST(too_large);
    TEST(held);
    TEST(newer_stays);
    TEST(many_small_ones);
    TEST(keeps_spaces);
}
