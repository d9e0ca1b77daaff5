#include "http/hop_by_hop.h"

static bool is_connection(const struct field *f)
{
    return f->name.len == 10 && span_is_nocase(f->name, SPAN("Connection"));
}

static uint64_t length_bit(size_t len)
{
    return UINT64_C(1) << (len & 63);
}

/* Every comma counts, so that a list of nothing else is not read to its end. */
static void read_options(struct hop_by_hop *h, struct span list, size_t *elements)
{
    while (list.len && !h->too_many) {
        size_t comma = span_find(list, ',');
        struct span option = span_trim(span_first(list, comma));
        h->too_many = ++*elements > CONNECTION_OPTIONS_MAX;
        if (option.len && !h->too_many) {
            h->options[h->count++] = option;
            h->lengths |= length_bit(option.len);
        }
        list = span_from(list, comma + 1);
    }
}

void hop_by_hop_read(struct hop_by_hop *h, const struct fields *all)
{
    size_t elements = 0;
    h->count = 0;
    h->lengths = 0;
    h->too_many = false;
    for (size_t i = 0; i < all->count && !h->too_many; i++)
        if (is_connection(&all->at[i]))
            read_options(h, all->at[i].value, &elements);
}

/* Proxy-* is said to this proxy, but for Proxy-Status, which is for everybody
 * behind it (RFC 9209 2). */
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

/* RFC 9110 7.6.1 leaves no choice: what Connection lists goes no further,
 * whatever it is. A sender that lists Host or Authorization harms its own request alone:
 * Host is always written anew, and credentials are looked for before this. */
bool hop_by_hop_is(const struct hop_by_hop *h, const struct field *f)
{
    if (h->too_many || is_always(f->name))
        return true;
    if (f->name.len == 0 || !(h->lengths & length_bit(f->name.len)))
        return false;
    for (size_t i = 0; i < h->count; i++)
        if (h->options[i].len == f->name.len &&
            (h->options[i].at[0] | 0x20) == (f->name.at[0] | 0x20) &&
            span_is_nocase(h->options[i], f->name))
            return true;
    return false;
}
