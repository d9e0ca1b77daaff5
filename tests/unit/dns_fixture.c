#include "dns_fixture.h"
#include "stopwatch.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

struct loop *loop;
struct fake_dns *server;
struct dns *dns;

static void write_addresses(const struct dns_addresses *list, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        char one[ADDRESS_TEXT];
        size_t len = strlen(text);
        address_format(&list->at[i], one);
        snprintf(text + len, size - len, "%s%s", i ? " " : "", one);
    }
}

void setup(void)
{
    loop = loop_new();
    server = fake_dns_new(loop);
    dns = dns_new(loop, &(struct dns_limits){1000, 60000, MINUTES(60)});
    ck_assert_ptr_nonnull(dns);
    ck_assert(dns_set_servers(dns, fake_dns_servers(server)));
}

void teardown(void)
{
    dns_free(dns);
    fake_dns_free(server);
    loop_run(loop);
    loop_free(loop);
}

static void react(struct query_recorder *a)
{
    if (a->cancels)
        dns_cancel(&a->cancels->query);
    if (a->again)
        ck_assert(!ask(a->again, "again.test", LONG_MS));
}

static void on_found(void *owner, const struct dns_addresses *list)
{
    struct query_recorder *a = owner;
    a->found++;
    react(a);
    write_addresses(list, a->addresses, sizeof a->addresses);
}

static void on_failed(void *owner, enum failure why, const char *detail)
{
    struct query_recorder *a = owner;
    a->failed++;
    a->why = why;
    react(a);
    snprintf(a->detail, sizeof a->detail, "%s", detail);
}

bool ask(struct query_recorder *a, const char *host, uint64_t timeout_ms)
{
    struct dns_addresses now;
    a->query.owner = a;
    a->query.on_found = on_found;
    a->query.on_failed = on_failed;
    unsigned told = a->found + a->failed;
    bool at_once = dns_resolve(dns, &a->query, host, timeout_ms, &now);
    ck_assert_uint_eq(a->found + a->failed, told);
    if (at_once)
        write_addresses(&now, a->addresses, sizeof a->addresses);
    return at_once;
}

struct query_recorder resolve(const char *host)
{
    struct query_recorder a = {0};
    if (!ask(&a, host, LONG_MS)) {
        UNTIL(a.found + a.failed);
        turn_for(loop, 2);
        ck_assert_uint_eq(a.found + a.failed, 1);
    }
    return a;
}

static void on_answer(void *owner)
{
    struct watcher *w = owner;
    w->answers++;
    if (w->leaves)
        dns_unwatch(&w->watch);
}

void watch(struct watcher *w, const char *host)
{
    w->watch.owner = w;
    w->watch.on_answer = on_answer;
    dns_watch(dns, &w->watch, host);
}

bool is_gone(const struct watcher *w, const char *ip)
{
    struct sockaddr_storage at;
    ck_assert(address_parse(ip, &at));
    address_set_port(&at, 443);
    return dns_is_gone(&w->watch, (struct sockaddr *)&at);
}
