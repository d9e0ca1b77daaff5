#include "net/dns_memory.h"

#include "base/alloc.h"

static struct dns_named *find(const struct dns_memory *m, const struct sockaddr *addr)
{
    for (size_t i = 0; i < m->count; i++)
        if (address_same((const struct sockaddr *)&m->named[i].address, addr))
            return &m->named[i];
    return NULL;
}

static void forget(struct dns_memory *m, struct dns_named *one)
{
    *one = m->named[--m->count];
}

static void forget_older(struct dns_memory *m, uint64_t now)
{
    for (size_t i = m->count; i-- > 0;)
        if (now - m->named[i].last >= DNS_MEMORY_MS)
            forget(m, &m->named[i]);
}

static void forget_oldest(struct dns_memory *m)
{
    struct dns_named *oldest = m->named;
    for (size_t i = 1; i < m->count; i++)
        if (m->named[i].last < oldest->last)
            oldest = &m->named[i];
    forget(m, oldest);
}

static void remember(struct dns_memory *m, const struct sockaddr_storage *address, uint64_t now)
{
    struct dns_named *known = find(m, (const struct sockaddr *)address);
    if (known) {
        known->last = now;
        known->replaced = false;
        return;
    }
    if (m->count == DNS_MEMORY_MAX)
        forget_oldest(m);
    m->named = must_realloc(m->named, (m->count + 1) * sizeof *m->named);
    m->named[m->count++] = (struct dns_named){*address, now, false};
}

/* How an answer compares with earlier ones. */
static void compare(struct dns_memory *m, const struct dns_addresses *new, uint64_t now)
{
    bool shares = false;
    for (size_t i = 0; i < new->count; i++) {
        const struct dns_named *known = find(m, (const struct sockaddr *)&new->at[i]);
        if (known == NULL)
            continue;
        shares |= known->last >= m->whole;
        m->rotates |= known->last < m->whole && now - known->last < DNS_MEMORY_MS;
    }
    if (shares || !m->was_whole)
        return;
    m->replaced = true;
    for (size_t i = 0; i < m->count; i++)
        m->named[i].replaced = true;
}

void dns_memory_add(struct dns_memory *m, const struct dns_addresses *new, bool is_whole,
                    uint64_t now)
{
    if (!m->started)
        m->first = m->whole = now;
    else if (is_whole)
        compare(m, new, now);
    for (size_t i = 0; i < new->count; i++)
        remember(m, &new->at[i], now);
    forget_older(m, now);
    m->started = true;
    m->was_whole = is_whole;
    m->latest = now;
    if (is_whole)
        m->whole = now;
}

/* Ages are measured at the time of the latest answer, so that no address expires while the name
 * servers fail. */
bool dns_memory_is_gone(const struct dns_memory *m, const struct sockaddr *addr)
{
    const struct dns_named *known = find(m, addr);
    bool at_once = m->replaced && !m->rotates;
    if (known)
        return known->replaced && !m->rotates;
    return at_once || (m->started && m->latest - m->first >= DNS_MEMORY_MS);
}

void dns_memory_free(struct dns_memory *m)
{
    free(m->named);
    *m = (struct dns_memory){0};
}
