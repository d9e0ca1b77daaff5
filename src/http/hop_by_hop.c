#include "http/hop_by_hop.h"

static bool is_connection(const struct field *f)
{
    return f->name.len == 10 && span_is_nocase(f->name, SPAN("Connection"));
}

/* FNV-1a, the same for both cases. */
static uint32_t hash_of(struct span s)
{
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (uint8_t)(s.at[i] | 0x20)) * UINT32_C(16777619);
    return hash;
}

/* The place of this option, or a free one where it would be. There always is one, because
 * there are more places than options. */
static uint8_t place_of(const struct hop_by_hop *h, struct span option, uint32_t hash)
{
    uint8_t place = (uint8_t)hash, taken;
    while ((taken = h->places[place]) &&
           (h->hashes[taken - 1] != hash || !span_is_nocase(h->options[taken - 1], option)))
        place++;
    return place;
}

static void add_option(struct hop_by_hop *h, struct span option)
{
    uint32_t hash = hash_of(option);
    if (h->count == 0)
        memset(h->places, 0, sizeof h->places);
    uint8_t place = place_of(h, option, hash);
    if (h->places[place])
        return;
    h->options[h->count] = option;
    h->hashes[h->count] = hash;
    h->places[place] = (uint8_t)++h->count;
}

/* Every comma counts, so that a list of commas only is not read to its end. Keep-Alive is what nearly
 * every list has, and is never forwarded, listed or not. */
static void read_options(struct hop_by_hop *h, struct span list, size_t *elements)
{
    while (list.len && !h->too_many) {
        size_t comma = span_find(list, ',');
        struct span option = span_trim(span_first(list, comma));
        h->too_many = ++*elements > CONNECTION_OPTIONS_MAX;
        if (option.len && !h->too_many && !span_is_nocase(option, SPAN("keep-alive")))
            add_option(h, option);
        list = span_from(list, comma + 1);
    }
}

void hop_by_hop_read(struct hop_by_hop *h, const struct fields *all)
{
    size_t elements = 0;
    h->count = 0;
    h->too_many = false;
    for (size_t i = 0; i < all->count && !h->too_many; i++)
        if (is_connection(&all->at[i]))
            read_options(h, all->at[i].value, &elements);
}

/* Proxy-* fields are addressed to this proxy, except Proxy-Status, which is forwarded
 * (RFC 9209 2). */
static bool is_for_proxy(struct span name)
{
    return span_starts_nocase(name, SPAN("Proxy-")) && !span_is_nocase(name, SPAN("Proxy-Status"));
}

static bool is_always(struct span name)
{
    switch (name.len) {
    case 2: return span_is_nocase(name, SPAN("TE"));
    case 7: return span_is_nocase(name, SPAN("Upgrade"));
    case 10:
        if (span_is_nocase(name, SPAN("Keep-Alive")) || span_is_nocase(name, SPAN("Connection")))
            return true;
        break;
    case 14:
        if (span_is_nocase(name, SPAN("Content-Length")) ||
            span_is_nocase(name, SPAN("HTTP2-Settings")))
            return true;
        break;
    case 17:
        if (span_is_nocase(name, SPAN("Transfer-Encoding")))
            return true;
        break;
    }
    return name.len > 6 && (name.at[0] | 0x20) == 'p' && is_for_proxy(name);
}

/* What Connection lists is not forwarded, whatever it is (RFC 9110 7.6.1). A sender that lists
 * Host or Authorization harms only its own request: Host is always written anew, and
 * credentials are read before this. */
bool hop_by_hop_is(const struct hop_by_hop *h, const struct field *f)
{
    if (h->too_many || is_always(f->name))
        return true;
    return h->count && h->places[place_of(h, f->name, hash_of(f->name))];
}
