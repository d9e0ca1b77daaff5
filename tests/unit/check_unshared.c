/* Targets whose last response could not be shared are remembered for a minute, in bounded
 * memory. */
#include <stdio.h>

#include "cache/unshared.h"
#include "suite.h"

#define T ((struct cache_key){1, SPAN("/a")})

START_TEST(for_a_minute)
{
    struct unshared u = {0};
    ck_assert(!unshared_has(&u, T, 1000));
    unshared_note(&u, T, true, 1000);
    ck_assert(!unshared_has(&u, T, 1000));
    unshared_note(&u, T, false, 1000);
    ck_assert(unshared_has(&u, T, 60999) && !unshared_has(&u, T, 61000));
    ck_assert(!unshared_has(&u, (struct cache_key){2, SPAN("/a")}, 1000));
    ck_assert(!unshared_has(&u, (struct cache_key){1, SPAN("/a?")}, 1000));
    unshared_note(&u, (struct cache_key){1, SPAN("/a?")}, true, 1000);
    ck_assert(unshared_has(&u, T, 1000));
    unshared_note(&u, T, true, 1000);
    ck_assert(!unshared_has(&u, T, 1000));
}
END_TEST

/* However many targets there are, most of the recent ones are remembered. */
START_TEST(bounded)
{
    struct unshared u = {0};
    char target[20];
    unsigned known = 0;
    for (int i = 0; i < 100000; i++) {
        snprintf(target, sizeof target, "/%d", i);
        unshared_note(&u, (struct cache_key){1, span_of(target)}, false, 1000);
        ck_assert(unshared_has(&u, (struct cache_key){1, span_of(target)}, 1000));
    }
    for (int i = 0; i < 100000; i++) {
        snprintf(target, sizeof target, "/%d", i);
        known += unshared_has(&u, (struct cache_key){1, span_of(target)}, 1000);
    }
    ck_assert_uint_le(known, UNSHARED_TARGETS);
    ck_assert_uint_gt(known, UNSHARED_TARGETS / 2);
}
END_TEST

SUITE()
{
    TEST(for_a_minute);
    TEST(bounded);
}
