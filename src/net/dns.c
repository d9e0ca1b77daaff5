#include "net/dns.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/duration.h"
#include "base/log.h"
#include "base/rare.h"
#include "net/dns_memory.h"
#include "net/resolver.h"

#define ENTRIES_MAX 1024
#define KEEP_MS (10 * 60 * 1000) /* how long an unused entry is kept after its TTL */
#define STALE_WAIT_MS 500        /* wait for a new answer if there is an old one (RFC 8767 5) */
#define RETRY_MIN_MS 250
#define RETRY_MAX_MS 30000
#define NAME_MAX_LEN 255

struct dns {
    struct loop *loop;
    struct resolver *resolver;
    struct list retired; /* resolvers that only complete the lookups under way */
    char *servers;       /* NULL: use those of resolv.conf */
    struct dns_limits limits;
    struct dns_entry *by_name;
    struct list entries; /* least recently queried first */
    struct task trim;
    struct sockaddr_storage literal[2];
};

/* A name and what is known about it. It is being looked up (lookup.by), fresh (before `expires`),
 * or neither. Its only deadline is for the next action: to renew, to retry, or to drop the
 * entry. */
struct dns_entry {
    UT_hash_handle hh;
    struct link link;
    struct dns *dns;
    char *name;
    struct list queries, watches;
    struct lookup lookup;
    struct deadline next;
    struct dns_addresses current;
    uint64_t renew_at, expires; /* of `current`; 0: none yet */
    uint64_t whole_until;       /* end of the TTL of the last answer with both families */
    bool is_denied;             /* since the last answer: NXDOMAIN, or the name has no address */
    bool is_late;               /* `current` was given to a query before the lookup ended */
    bool is_stale;              /* it was logged that `current` is used after its TTL */
    unsigned failures;          /* since the last answer; if not 0, a retry is scheduled */
    bool asked;                 /* queried since the last answer */
    struct dns_memory memory;
};

/* -------------------------------------------------------------------- entry */

static bool is_fresh(const struct dns_entry *e)
{
    return loop_now(e->dns->loop) < e->expires;
}

static uint64_t stale_until(const struct dns_entry *e)
{
    return e->current.count && !e->is_denied ? e->expires + e->dns->limits.stale_ms : 0;
}

/* Returns true if there is an answer past its TTL that may still be used. */
static bool may_be_stale(const struct dns_entry *e)
{
    return loop_now(e->dns->loop) < stale_until(e);
}

static uint64_t keep_until(const struct dns_entry *e)
{
    uint64_t rest = e->expires + KEEP_MS, stale = stale_until(e);
    return rest > stale ? rest : stale;
}

static bool is_free_to_go(const struct dns_entry *e)
{
    return e->queries.count == 0 && e->watches.count == 0 && e->lookup.by == NULL;
}

static void entry_free(struct dns_entry *e)
{
    CHECK(e->queries.count == 0 && e->watches.count == 0);
    lookup_forget(&e->lookup);
    deadline_stop(&e->next);
    HASH_DEL(e->dns->by_name, e);
    list_remove(&e->link);
    dns_memory_free(&e->memory);
    free(e->current.at);
    free(e->name);
    free(e);
}

static void look_up(struct dns_entry *e)
{
    if (e->lookup.by)
        return;
    deadline_stop(&e->next);
    resolver_ask(e->dns->resolver, &e->lookup, e->name);
}

/* The name is being queried again. If it was not renewed in time because it was unused, it is
 * renewed now, unless a retry is already scheduled. */
static void renew_if_late(struct dns_entry *e)
{
    if (e->failures == 0 && loop_now(e->dns->loop) >= e->renew_at)
        look_up(e);
}

static void on_next(struct deadline *d)
{
    struct dns_entry *e = container_of(d, struct dns_entry, next);
    if (e->watches.count || e->asked) {
        look_up(e);
    } else if (loop_now(e->dns->loop) < keep_until(e)) {
        e->failures = 0;
        deadline_at(&e->next, keep_until(e));
    } else {
        entry_free(e);
    }
}

static void run_trim(struct task *t)
{
    struct dns *dns = container_of(t, struct dns, trim);
    LIST_FOR (&dns->entries, e, struct dns_entry, link)
        if (dns->entries.count > ENTRIES_MAX && is_free_to_go(e)) {
            rare_note(RARE_DNS_TRIMMED);
            entry_free(e);
        }
}

/* ---------------------------------------------------------------- reporting */

/* Callbacks run for a list of the caller's, to which all links were moved: queries that they add
 * stay on the entry's list and are not reported to in this round, and queries that they cancel
 * leave the caller's list. */
static struct dns_query *take_query(struct list *l)
{
    struct dns_query *q = LIST_ENTRY(list_first(l), struct dns_query, link);
    if (q)
        dns_cancel(q);
    return q;
}

static void notify_watches(struct dns_entry *e)
{
    struct list batch;
    struct link *first;
    list_init(&batch);
    list_append(&batch, &e->watches);
    while ((first = list_first(&batch))) {
        list_remove(first);
        list_push_back(&e->watches, first);
        struct dns_watch *w = container_of(first, struct dns_watch, link);
        w->on_answer(w->owner);
    }
}

static uint64_t clamp_ttl(const struct dns *dns, uint64_t ttl_ms)
{
    if (ttl_ms > dns->limits.max_ttl_ms)
        ttl_ms = dns->limits.max_ttl_ms;
    return ttl_ms < dns->limits.min_ttl_ms ? dns->limits.min_ttl_ms : ttl_ms;
}

static void say_stale(struct dns_entry *e, const char *why)
{
    char limit[DURATION_TEXT_SIZE];
    if (e->is_stale)
        return;
    e->is_stale = true;
    LOG(WARN, "dns", "%s; its last addresses stay in use for at most %s", why,
        duration_text(limit, e->dns->limits.stale_ms));
}

static void say_not_stale(struct dns_entry *e, const char *why)
{
    if (e->is_stale)
        LOG(INFO, "dns", "%s: %s", e->name, why);
    e->is_stale = false;
}

static bool has_family(const struct dns_addresses *list, size_t count, int family)
{
    for (size_t i = 0; i < count; i++)
        if (list->at[i].ss_family == family)
            return true;
    return false;
}

/* If an answer lacks one address family, the old addresses of that family are kept for as long as
 * they may be used. */
static void keep_missing_family(struct dns_entry *e)
{
    struct dns_addresses *found = &e->lookup.found;
    size_t count = found->count;
    bool was_whole = e->whole_until > 0;
    if (!was_whole || loop_now(e->dns->loop) >= e->whole_until + e->dns->limits.stale_ms)
        return;
    rare_note(RARE_DNS_HALF);
    for (size_t i = 0; i < e->current.count; i++) {
        if (has_family(found, count, e->current.at[i].ss_family))
            continue;
        found->at = must_realloc(found->at, (found->count + 1) * sizeof *found->at);
        found->at[found->count++] = e->current.at[i];
    }
    addresses_interleave(found);
}

static void report_found(struct dns_entry *e)
{
    struct list batch;
    struct dns_query *q;
    list_init(&batch);
    list_append(&batch, &e->queries);
    while ((q = take_query(&batch)))
        q->on_found(q->owner, &e->current);
}

static void report_failed(struct dns_entry *e, enum failure why, const char *detail)
{
    struct list batch;
    struct dns_query *q;
    list_init(&batch);
    list_append(&batch, &e->queries);
    while ((q = take_query(&batch)))
        q->on_failed(q->owner, why, detail);
}

static void answered(struct dns_entry *e)
{
    uint64_t now = loop_now(e->dns->loop), ttl = clamp_ttl(e->dns, e->lookup.ttl_ms);
    dns_memory_add(&e->memory, &e->lookup.found, !e->lookup.is_partial, now);
    if (e->lookup.is_partial)
        keep_missing_family(e);
    else
        e->whole_until = now + ttl;
    say_not_stale(e, "the name servers answer again");
    e->is_denied = false;
    free(e->current.at);
    e->current = e->lookup.found;
    e->lookup.found = (struct dns_addresses){0};
    e->renew_at = now + ttl / 10 * 8;
    e->expires = now + ttl;
    e->failures = 0;
    e->asked = false;
    deadline_at(&e->next, e->renew_at);
    LOG(DEBUG, "dns", "%s: %zu addresses for %llu ms", e->name, e->current.count,
        (unsigned long long)ttl);

    report_found(e);
    notify_watches(e);
}

/* Until the old answer expires, renewing it is tried again; after that, only if the name is
 * watched. */
static void plan_after_failure(struct dns_entry *e)
{
    uint64_t wait = e->failures < 8 ? (uint64_t)RETRY_MIN_MS << e->failures : RETRY_MAX_MS;
    e->failures++;
    if (!is_fresh(e))
        e->asked = false;
    deadline_in(&e->next, wait);
}

static void failed(struct dns_entry *e)
{
    char detail[200];
    enum failure why = e->lookup.why;
    snprintf(detail, sizeof detail, "%.120s: %s", e->name, e->lookup.words);
    LOG(DEBUG, "dns", "%s", detail);
    e->is_denied |= e->lookup.is_denied;
    plan_after_failure(e);
    if (!is_fresh(e) && may_be_stale(e)) {
        rare_note(RARE_DNS_STALE);
        say_stale(e, detail);
        report_found(e);
        return;
    }
    say_not_stale(e,
                  e->is_denied ? e->lookup.words : "its last addresses are now too old to be used");
    report_failed(e, why, detail);
    if (is_free_to_go(e) && !is_fresh(e))
        entry_free(e);
}

static void on_lookup(struct lookup *l)
{
    struct dns_entry *e = container_of(l, struct dns_entry, lookup);
    e->is_late = false;
    if (l->why == FAILURE_NONE)
        answered(e);
    else
        failed(e);
}

/* ---------------------------------------------------------------------- map */

static struct dns_entry *entry_new(struct dns *dns, const char *name)
{
    struct dns_entry *e = NEW(struct dns_entry);
    e->dns = dns;
    e->name = must_strdup(name);
    e->lookup.done = on_lookup;
    list_init(&e->queries);
    list_init(&e->watches);
    deadline_init(&e->next, dns->loop, on_next);
    HASH_ADD_KEYPTR(hh, dns->by_name, e->name, strlen(e->name), e);
    list_push_back(&dns->entries, &e->link);
    if (dns->entries.count > ENTRIES_MAX)
        loop_defer(dns->loop, &dns->trim);
    return e;
}

static struct dns_entry *entry_of(struct dns *dns, const char *name)
{
    struct dns_entry *e;
    HASH_FIND(hh, dns->by_name, name, strlen(name), e);
    if (e == NULL)
        return entry_new(dns, name);
    list_remove(&e->link);
    list_push_back(&dns->entries, &e->link);
    return e;
}

/* Lower case, without the trailing dot. Truncated to a length that is still too long for a valid
 * name, so that a truncated name never matches a valid one. */
static void canonical(const char *host, char name[NAME_MAX_LEN + 1])
{
    size_t len = strnlen(host, NAME_MAX_LEN);
    for (size_t i = 0; i < len; i++)
        name[i] = (char)tolower((unsigned char)host[i]);
    if (len > 1 && name[len - 1] == '.')
        len--;
    name[len] = '\0';
}

/* Literals and localhost are not cached; they are stored here only until the caller has copied
 * them. */
static bool find_literal(struct dns *dns, const char *name, struct dns_addresses *now)
{
    bool local = address_localhost(name, dns->literal);
    *now = (struct dns_addresses){dns->literal, local ? 2 : 1};
    return local || address_parse(name, &dns->literal[0]);
}

/* ---------------------------------------------------------------- interface */

struct dns *dns_new(struct loop *loop, const struct dns_limits *limits)
{
    struct resolver *resolver = resolver_new(loop, NULL);
    if (resolver == NULL)
        return NULL;
    struct dns *dns = NEW(struct dns);
    dns->loop = loop;
    dns->resolver = resolver;
    list_init(&dns->retired);
    list_init(&dns->entries);
    task_init(&dns->trim, run_trim);
    dns_set_limits(dns, limits);
    return dns;
}

void dns_set_limits(struct dns *dns, const struct dns_limits *limits)
{
    dns->limits = *limits;
}

static bool replace_resolver(struct dns *dns, const char *servers)
{
    struct resolver *new = resolver_new(dns->loop, servers);
    if (new == NULL)
        return false;
    resolver_retire(dns->resolver, &dns->retired);
    dns->resolver = new;
    return true;
}

bool dns_set_servers(struct dns *dns, const char *servers)
{
    if (!replace_resolver(dns, servers))
        return false;
    free(dns->servers);
    dns->servers = must_strdup(servers);
    return true;
}

void dns_reload(struct dns *dns)
{
    if (!replace_resolver(dns, dns->servers))
        LOG(WARN, "dns", "the name servers are left unchanged");
}

void dns_free(struct dns *dns)
{
    resolver_free(dns->resolver);
    resolver_free_retired(&dns->retired);
    LIST_FOR (&dns->entries, e, struct dns_entry, link)
        entry_free(e);
    task_forget(&dns->trim);
    free(dns->servers);
    free(dns);
}

static void on_query_late(struct deadline *d)
{
    struct dns_query *q = container_of(d, struct dns_query, deadline);
    struct dns_entry *e = q->entry;
    char detail[200];
    if (may_be_stale(e)) {
        e->is_late = true;
        rare_note(RARE_DNS_LATE);
        dns_cancel(q);
        q->on_found(q->owner, &e->current);
        return;
    }
    snprintf(detail, sizeof detail, "%.150s: no answer from the name servers in time", e->name);
    dns_cancel(q);
    q->on_failed(q->owner, FAILURE_DNS_TIMEOUT, detail);
}

/* Returns true if an old answer is to be used at once: the name servers were queried already and
 * failed or are late, so no further query waits for them. They are queried again in the
 * background. */
static bool serves_on(struct dns_entry *e)
{
    char why[200];
    if ((e->failures == 0 && !e->is_late) || !may_be_stale(e))
        return false;
    snprintf(why, sizeof why, "%.120s: the name servers fail", e->name);
    if (e->failures)
        say_stale(e, why);
    return true;
}

bool dns_resolve(struct dns *dns, struct dns_query *q, const char *host, uint64_t timeout_ms,
                 struct dns_addresses *now)
{
    char name[NAME_MAX_LEN + 1];
    canonical(host, name);
    q->link = (struct link){0};
    q->entry = NULL;
    deadline_init(&q->deadline, dns->loop, on_query_late);
    if (find_literal(dns, name, now))
        return true;
    struct dns_entry *e = entry_of(dns, name);
    e->asked = true;
    if (is_fresh(e) || serves_on(e)) {
        renew_if_late(e);
        *now = e->current;
        return true;
    }
    q->entry = e;
    list_push_back(&e->queries, &q->link);
    deadline_in(&q->deadline,
                may_be_stale(e) && timeout_ms > STALE_WAIT_MS ? STALE_WAIT_MS : timeout_ms);
    look_up(e);
    return false;
}

void dns_cancel(struct dns_query *q)
{
    if (q->entry == NULL)
        return;
    list_remove(&q->link);
    deadline_stop(&q->deadline);
    q->entry = NULL;
}

void dns_watch(struct dns *dns, struct dns_watch *w, const char *host)
{
    char name[NAME_MAX_LEN + 1];
    struct dns_addresses literal;
    canonical(host, name);
    w->link = (struct link){0};
    w->entry = NULL;
    if (find_literal(dns, name, &literal))
        return;
    w->entry = entry_of(dns, name);
    list_push_back(&w->entry->watches, &w->link);
    renew_if_late(w->entry);
}

void dns_unwatch(struct dns_watch *w)
{
    list_remove(&w->link);
    w->entry = NULL;
}

bool dns_is_gone(const struct dns_watch *w, const struct sockaddr *addr)
{
    return w->entry && dns_memory_is_gone(&w->entry->memory, addr);
}
