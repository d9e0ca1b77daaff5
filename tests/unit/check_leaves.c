#include <stdio.h>

#include "net/leaves.h"
#include "stopwatch.h"
#include "suite.h"
#include "until.h"

static struct loop *loop;
static struct worker *worker;
static struct leaves *leaves;

struct leaf_caller {
    struct leaf_wait wait;
    struct tls_context *context; /* one reference */
    char why[160];
    size_t told;
    const char *asks_again; /* from inside the event */
};

static void on_leaf(struct leaf_wait *w, struct tls_context *context, const char *why)
{
    struct leaf_caller *a = container_of(w, struct leaf_caller, wait);
    a->told++;
    a->context = context ? tls_context_ref(context) : NULL;
    snprintf(a->why, sizeof a->why, "%s", why);
    const char *host = a->asks_again;
    a->asks_again = NULL;
    if (host) {
        if (a->context)
            tls_context_unref(a->context);
        leaves_ask(leaves, host, &a->wait);
    }
}

static struct ca *make_ca(const char *host)
{
    struct ca_files made = {0};
    struct ca_error error;
    char why[160];
    ck_assert(ca_make(&host, 1, time(NULL), &made, why, sizeof why));
    struct ca *ca = ca_parse(text_span(&made.issuer), text_span(&made.key), &error);
    ck_assert_msg(ca != NULL, "%s", error.words);
    ca_files_free(&made);
    return ca;
}

static void use(const char *host)
{
    struct ca *ca = make_ca(host);
    leaves_use(leaves, ca);
    ca_unref(ca);
}

static void ask(struct leaf_caller *a, const char *host)
{
    *a = (struct leaf_caller){.wait.done = on_leaf, .asks_again = a->asks_again};
    leaves_ask(leaves, host, &a->wait);
    ck_assert_uint_eq(a->told, 0);
}

static void let_go(struct leaf_caller *a)
{
    if (a->context)
        tls_context_unref(a->context);
    a->context = NULL;
}

static struct tls_context *must_get(const char *host)
{
    struct leaf_caller a = {0};
    ask(&a, host);
    UNTIL(a.told >= 1);
    ck_assert_msg(a.context != NULL, "%s: %s", host, a.why);
    ck_assert(tls_context_is_server(a.context));
    struct tls_context *context = a.context;
    let_go(&a); /* `leaves` keeps one reference */
    return context;
}

static void set_up(void)
{
    tls_start();
    loop = loop_new();
    worker = worker_new(loop);
    leaves = leaves_new(loop, worker);
    use("own.test");
}

static void tear_down(void)
{
    leaves_free(leaves);
    worker_free(worker);
    loop_free(loop);
}

START_TEST(keeps_one_a_host)
{
    struct tls_context *a = must_get("a.own.test"), *b = must_get("b.own.test");
    ck_assert(a != b);
    ck_assert(must_get("a.own.test") == a);
    ck_assert(must_get("b.own.test") == b);
    ck_assert_uint_eq(leaves_count(leaves), 2);
}
END_TEST

START_TEST(mints_once_for_many)
{
    struct leaf_caller all[20] = {0};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        ask(&all[i], "own.test");
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        UNTIL(all[i].told >= 1);
        ck_assert(all[i].context == all[0].context);
    }
    for (size_t i = 0; i < COUNT_OF(all); i++)
        let_go(&all[i]);
}
END_TEST

START_TEST(forgets_who_left)
{
    struct leaf_caller gone = {0}, stays = {0};
    leaves_forget(&gone.wait);
    ask(&gone, "own.test");
    ask(&stays, "own.test");
    leaves_forget(&gone.wait);
    UNTIL(stays.told >= 1);
    ck_assert_uint_eq(gone.told, 0);
    let_go(&stays);
}
END_TEST

START_TEST(may_be_asked_from_inside)
{
    struct leaf_caller a = {.asks_again = "b.own.test"};
    ask(&a, "own.test");
    UNTIL(a.told >= 2);
    let_go(&a);
    a.asks_again = "own.test";
    ask(&a, "own.test");
    UNTIL(a.told >= 2);
    let_go(&a);
}
END_TEST

START_TEST(signs_only_what_it_may)
{
    ck_assert(leaves_may_sign(leaves, "own.test"));
    ck_assert(!leaves_may_sign(leaves, "other.test"));
    ck_assert(!leaves_may_sign(leaves, "127.0.0.1"));
    leaves_use(leaves, NULL);
    ck_assert(!leaves_may_sign(leaves, "own.test"));
}
END_TEST

START_TEST(another_ca_begins_anew)
{
    struct leaf_caller holder = {0}, waiting = {0};
    ask(&holder, "own.test");
    UNTIL(holder.told >= 1);
    must_get("a.own.test");
    struct ca *same = make_ca("own.test");
    leaves_use(leaves, same);
    ck_assert_uint_eq(leaves_count(leaves), 0);
    ck_assert(must_get("own.test") != holder.context);
    leaves_use(leaves, same);
    ck_assert_uint_eq(leaves_count(leaves), 1);
    ca_unref(same);
    let_go(&holder);

    ask(&waiting, "own.test"); /* its notification is deferred */
    use("own.test");
    UNTIL(waiting.told >= 1);
    ck_assert(waiting.context != NULL);
    struct tls_context *old = waiting.context;
    ck_assert(must_get("own.test") != old);
    let_go(&waiting);
}
END_TEST

START_TEST(a_ca_may_change_while_one_is_minted)
{
    struct leaf_caller a = {0}, b = {0}, c = {0};
    ask(&a, "own.test");
    ask(&b, "b.own.test");
    ask(&c, "c.own.test");
    use("b.own.test");
    UNTIL(a.told >= 1);
    UNTIL(b.told >= 1);
    UNTIL(c.told >= 1);
    ck_assert(a.context == NULL && a.why[0]);
    ck_assert(b.context != NULL);
    ck_assert(c.context == NULL);
    ck_assert_uint_eq(leaves_count(leaves), 1);
    let_go(&b);
}
END_TEST

START_TEST(keeps_no_more_than_its_bound)
{
    char host[40];
    struct tls_context *first = must_get("own.test"), *again;
    for (size_t i = 1; i < LEAVES_MAX; i++) {
        snprintf(host, sizeof host, "h%zu.own.test", i);
        must_get(host);
    }
    ck_assert(must_get("own.test") == first); /* so h1 is the oldest */
    must_get("one.more.own.test");
    ck_assert_uint_eq(leaves_count(leaves), LEAVES_MAX);
    ck_assert(must_get("own.test") == first);
    again = must_get("h2.own.test");
    must_get("h1.own.test");
    ck_assert_uint_eq(leaves_count(leaves), LEAVES_MAX);
    ck_assert(must_get("h2.own.test") == again);
}
END_TEST

START_TEST(may_end_while_it_mints)
{
    struct leaf_caller all[5] = {0};
    char host[40];
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        snprintf(host, sizeof host, "h%zu.own.test", i);
        ask(&all[i], host);
    }
    for (size_t i = 0; i < COUNT_OF(all); i++)
        leaves_forget(&all[i].wait);
}
END_TEST

SUITE()
{
    FIXTURE(set_up, tear_down);
    TEST(keeps_one_a_host);
    TEST(mints_once_for_many);
    TEST(forgets_who_left);
    TEST(may_be_asked_from_inside);
    TEST(signs_only_what_it_may);
    TEST(another_ca_begins_anew);
    TEST(a_ca_may_change_while_one_is_minted);
    TEST(keeps_no_more_than_its_bound);
    TEST(may_end_while_it_mints);
}
