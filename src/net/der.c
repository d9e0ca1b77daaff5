#include "net/der.h"

#include <mbedtls/asn1.h>

struct der der_of(struct span bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    return (struct der){at, at + bytes.len};
}

struct span der_rest(const struct der *d)
{
    return (struct span){(const char *)d->at, (size_t)(d->end - d->at)};
}

bool der_is_empty(const struct der *d)
{
    return d->at == d->end;
}

bool der_is_at(const struct der *d, int tag)
{
    return d->at < d->end && *d->at == tag;
}

/* mbedTLS's functions take writable bytes, but do not write. */
bool der_enter(struct der *from, int tag, struct der *inside)
{
    unsigned char *at = (unsigned char *)(uintptr_t)from->at;
    size_t len;
    if (mbedtls_asn1_get_tag(&at, from->end, &len, tag) != 0)
        return false;
    *inside = (struct der){at, at + len};
    from->at = at + len;
    return true;
}

bool der_next(struct der *from, int *tag, struct der *inside)
{
    if (der_is_empty(from))
        return false;
    *tag = *from->at;
    return der_enter(from, *tag, inside);
}
