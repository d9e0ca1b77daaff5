/* The local CA for interception (contract 8): makes one, reads it back, says which hosts it may
 * vouch for, and signs their certificates. Reference-counted (the counts are changed on the loop
 * only) and read-only once it is read; its key is used on the worker only. Everything but
 * ca_may_sign() takes milliseconds: to be called at the start or on the worker. */
#pragma once

#include <mbedtls/x509_crt.h>
#include <time.h>

#include "base/text.h"

struct ca;

/* The certificate of one host, for handshakes with its clients. Its key is its own, and only in
 * memory. */
struct leaf {
    mbedtls_x509_crt cert; /* and behind it those of its issuers */
    mbedtls_pk_context key;
    time_t renew_at; /* wall clock; well before it ends */
};

struct ca_error {
    bool in_key; /* the error is in the key file, not in the certificate */
    char words[300];
};

/* A new CA, in PEM: the anchor, which clients are configured with and whose key is not kept; the
 * issuer below it, which signs; the issuer's key. There is an issuer because some clients (Java)
 * apply name constraints to every certificate but the anchor. */
struct ca_files {
    struct text anchor, issuer, key;
};

/* Makes a CA for these hosts (lower case) and their subdomains, valid from `now` on (wall clock,
 * here and below). `files` is empty before, and to be freed by ca_files_free(). False, with
 * words in `error`, if mbedTLS cannot. */
bool ca_make(const char *const *hosts, size_t count, time_t now, struct ca_files *files,
             char *error, size_t size) MUST_CHECK;

/* Overwrites the key as well. */
void ca_files_free(struct ca_files *);

/* Reads a CA, and checks that clients can accept what it signs: it is a CA with its key, in date,
 * whose name constraints permit some hosts and not all. Further certificates in cert_file are
 * the issuers above it, which clients are shown too, except for anchors. NULL, with words
 * ("ca_cert /x: cannot be read: …"), if it cannot be used. */
struct ca *ca_load(const char *cert_file, const char *key_file, struct ca_error *);

/* Likewise of bytes, for tests and the fuzzer. */
struct ca *ca_parse(struct span cert_pem, struct span key_pem, struct ca_error *);
struct ca *ca_ref(struct ca *);
void ca_unref(struct ca *); /* NULL is fine */

/* May it sign for this host (lower case, no trailing dot): is that permitted, and the CA in date?
 * An address never is permitted. */
bool ca_may_sign(const struct ca *, const char *host, time_t now);

/* Can users other than its owner and group read or write the key file? */
bool ca_key_is_exposed(const struct ca *);

/* When it ends, wall clock. */
time_t ca_until(const struct ca *);

/* The same certificate? */
bool ca_is(const struct ca *, const struct ca *);

/* Makes a certificate for a host that it may sign for. 0, or mbedTLS's error; the leaf is to be
 * freed by leaf_free() in either case. */
int ca_sign(struct ca *, const char *host, time_t now, struct leaf *) MUST_CHECK;
void leaf_free(struct leaf *);
