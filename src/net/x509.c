#include "net/x509.h"

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <time.h>

#include "net/der.h"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"
#define TAG_SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)

/* ------------------------------------------------------------------- reading */

/* mbedTLS calls this for each extension that it does not know. */
static int on_extension(void *context, const mbedtls_x509_crt *cert, const mbedtls_x509_buf *oid,
                        int critical, const unsigned char *p, const unsigned char *end)
{
    (void)context, (void)cert, (void)p, (void)end;
    bool is_known = MBEDTLS_OID_CMP(MBEDTLS_OID_NAME_CONSTRAINTS, oid) == 0;
    return critical && !is_known ? MBEDTLS_ERR_X509_INVALID_EXTENSIONS : 0;
}

int x509_read_der(mbedtls_x509_crt *chain, struct span der)
{
    return mbedtls_x509_crt_parse_der_with_ext_cb(chain, (const unsigned char *)der.at, der.len, 1,
                                                  on_extension, NULL);
}

static int read_pem_block(mbedtls_x509_crt *chain, const char *pem, size_t *used)
{
    mbedtls_pem_context decoded;
    size_t len;
    mbedtls_pem_init(&decoded);
    *used = 0;
    int error = mbedtls_pem_read_buffer(&decoded, PEM_BEGIN, PEM_END, (const unsigned char *)pem,
                                        NULL, 0, used);
    if (error == 0) {
        const unsigned char *der = mbedtls_pem_get_buffer(&decoded, &len);
        error = x509_read_der(chain, (struct span){(const char *)der, len});
    }
    mbedtls_pem_free(&decoded);
    return error;
}

/* There may be any text between the blocks. */
static int read_pem(mbedtls_x509_crt *chain, const char *at, size_t *unreadable)
{
    int first = 0;
    while ((at = strstr(at, PEM_BEGIN)) != NULL) {
        size_t used;
        int error = read_pem_block(chain, at, &used);
        at += used ? used : sizeof PEM_BEGIN - 1;
        if (error == MBEDTLS_ERR_X509_ALLOC_FAILED)
            return error;
        if (error == 0)
            continue;
        first = first ? first : error;
        ++*unreadable;
    }
    return chain->raw.len ? 0 : first;
}

int x509_read(mbedtls_x509_crt *chain, struct span bytes, size_t *unreadable)
{
    *unreadable = 0;
    if (strstr(bytes.at, PEM_BEGIN))
        return read_pem(chain, bytes.at, unreadable);
    return bytes.len ? x509_read_der(chain, bytes) : MBEDTLS_ERR_X509_CERT_UNKNOWN_FORMAT;
}

static size_t count_of(const mbedtls_x509_crt *chain)
{
    size_t count = 0;
    for (; chain && chain->raw.len; chain = chain->next)
        count++;
    return count;
}

/* Replaces libmbedx509's function. The first certificate is the origin's own; those after it may be
 * unnecessary, so one that cannot be parsed is left out and does not end the handshake. (mbedTLS
 * too intends to skip what it does not know, but reports an error if that comes last.) */
__attribute__((visibility("default"))) int
mbedtls_x509_crt_parse_der(mbedtls_x509_crt *chain, const unsigned char *der, size_t len)
{
    size_t count = count_of(chain);
    if (count >= X509_SHOWN_MAX)
        return 0;
    int error = x509_read_der(chain, (struct span){(const char *)der, len});
    return count > 0 && error != MBEDTLS_ERR_X509_ALLOC_FAILED ? 0 : error;
}

/* ------------------------------------------------------------------- looking */

/* Extension ::= SEQUENCE { OID, BOOLEAN DEFAULT FALSE, OCTET STRING } */
static bool read_extension(struct der *list, struct span *oid, struct span *value)
{
    struct der extension, name, critical, content;
    if (!der_enter(list, TAG_SEQUENCE, &extension) ||
        !der_enter(&extension, MBEDTLS_ASN1_OID, &name))
        return false;
    if (der_is_at(&extension, MBEDTLS_ASN1_BOOLEAN) &&
        !der_enter(&extension, MBEDTLS_ASN1_BOOLEAN, &critical))
        return false;
    if (!der_enter(&extension, MBEDTLS_ASN1_OCTET_STRING, &content))
        return false;
    *oid = der_rest(&name);
    *value = der_rest(&content);
    return der_is_empty(&extension);
}

bool x509_extension(const mbedtls_x509_crt *cert, struct span oid, struct span *value)
{
    struct der all = der_of((struct span){(const char *)cert->v3_ext.p, cert->v3_ext.len}), list;
    bool is_found = false;
    *value = (struct span){0};
    if (cert->v3_ext.len == 0)
        return true;
    if (!der_enter(&all, TAG_SEQUENCE, &list))
        return false;
    while (!der_is_empty(&list)) {
        struct span name, content;
        if (!read_extension(&list, &name, &content))
            return false;
        if (!span_is(name, oid))
            continue;
        if (is_found)
            return false;
        is_found = true;
        *value = content;
    }
    return true;
}

int64_t x509_seconds(const mbedtls_x509_time *t)
{
    struct tm tm = {.tm_sec = t->sec,
                    .tm_min = t->min,
                    .tm_hour = t->hour,
                    .tm_mday = t->day,
                    .tm_mon = t->mon - 1,
                    .tm_year = t->year - 1900};
    return timegm(&tm);
}
