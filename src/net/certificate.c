#include "net/certificate.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/psa_util.h>

#define SERIAL_LEN 16
#define OWN_SIZE 2048 /* everything but the names: keys, signature, identifiers */

#define TRY(call)                                                                                  \
    do {                                                                                           \
        int error_ = (call);                                                                       \
        if (error_)                                                                                \
            return error_;                                                                         \
    } while (0)

int certificate_make_key(mbedtls_pk_context *key)
{
    TRY(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
    return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
                               mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
}

/* Positive, and always of the same length, RFC 5280 4.1.2.2. */
static int set_serial(mbedtls_x509write_cert *w)
{
    unsigned char serial[SERIAL_LEN];
    TRY(mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, serial, sizeof serial));
    serial[0] = (serial[0] & 0x3f) | 0x40;
    return mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof serial);
}

static int set_validity(mbedtls_x509write_cert *w, time_t from, time_t until)
{
    char words[2][sizeof "YYYYMMDDhhmmss"];
    struct tm tm;
    strftime(words[0], sizeof words[0], "%Y%m%d%H%M%S", gmtime_r(&from, &tm));
    strftime(words[1], sizeof words[1], "%Y%m%d%H%M%S", gmtime_r(&until, &tm));
    return mbedtls_x509write_crt_set_validity(w, words[0], words[1]);
}

static int set_server_auth(mbedtls_x509write_cert *w)
{
    mbedtls_asn1_sequence usage = {
        .buf = {.tag = MBEDTLS_ASN1_OID,
                .len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH),
                .p = (unsigned char *)(uintptr_t)MBEDTLS_OID_SERVER_AUTH},
    };
    return mbedtls_x509write_crt_set_ext_key_usage(w, &usage);
}

/* Usages and constraints are marked critical; mbedTLS does this itself for the key usage and the
 * basic constraints of a CA. */
static int set_ca(mbedtls_x509write_cert *w, const struct certificate *c)
{
    TRY(mbedtls_x509write_crt_set_basic_constraints(w, 1, c->path_len));
    TRY(mbedtls_x509write_crt_set_key_usage(w, MBEDTLS_X509_KU_KEY_CERT_SIGN |
                                                   MBEDTLS_X509_KU_CRL_SIGN));
    if (c->issuer_key != c->key)
        TRY(mbedtls_x509write_crt_set_authority_key_identifier(w));
    return mbedtls_x509write_crt_set_extension(
        w, MBEDTLS_OID_NAME_CONSTRAINTS, MBEDTLS_OID_SIZE(MBEDTLS_OID_NAME_CONSTRAINTS), 1,
        (const unsigned char *)c->constraints.at, c->constraints.len);
}

static int set_leaf(mbedtls_x509write_cert *w, const struct certificate *c)
{
    mbedtls_x509_san_list name = {
        .node = {.type = MBEDTLS_X509_SAN_DNS_NAME,
                 .san.unstructured_name = {.p = (unsigned char *)(uintptr_t)c->host,
                                           .len = strlen(c->host)}},
    };
    TRY(mbedtls_x509write_crt_set_basic_constraints(w, 0, -1));
    TRY(mbedtls_x509write_crt_set_key_usage(w, MBEDTLS_X509_KU_DIGITAL_SIGNATURE));
    TRY(mbedtls_x509write_crt_set_subject_alternative_name(w, &name));
    return mbedtls_x509write_crt_set_authority_key_identifier(w);
}

static int set_all(mbedtls_x509write_cert *w, const struct certificate *c)
{
    mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(w, c->key);
    mbedtls_x509write_crt_set_issuer_key(w, c->issuer_key);
    TRY(mbedtls_x509write_crt_set_subject_name(w, c->subject));
    TRY(mbedtls_x509write_crt_set_issuer_name(w, c->issuer));
    TRY(set_serial(w));
    TRY(set_validity(w, c->from, c->until));
    TRY(mbedtls_x509write_crt_set_subject_key_identifier(w));
    TRY(set_server_auth(w));
    return c->host ? set_leaf(w, c) : set_ca(w, c);
}

/* mbedTLS writes at the end of the buffer. */
int certificate_write(const struct certificate *c, struct text *der)
{
    mbedtls_x509write_cert w;
    size_t size = OWN_SIZE + strlen(c->subject) + strlen(c->issuer) + c->constraints.len +
                  (c->host ? strlen(c->host) : 0) + mbedtls_pk_get_len(c->issuer_key);
    unsigned char *buffer = must_calloc(1, size);
    mbedtls_x509write_crt_init(&w);
    int len = set_all(&w, c);
    if (len == 0)
        len = mbedtls_x509write_crt_der(&w, buffer, size, mbedtls_psa_get_random,
                                        MBEDTLS_PSA_RANDOM_STATE);
    if (len > 0)
        text_add(der, (struct span){(char *)buffer + size - len, (size_t)len});
    mbedtls_x509write_crt_free(&w);
    free(buffer);
    return len < 0 ? len : 0;
}
