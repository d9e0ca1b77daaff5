/* The local CA for interception (contract 8): makes one, reads one from files, says which hosts it
 * may sign for, and signs their certificates. Reference-counted (the counts are changed on the loop
 * only) and read-only once it is read; its key is used on the worker only. Everything but
 * ca_may_sign() takes milliseconds: call it at start or on the worker. */
#pragma once

#include <mbedtls/x509_crt.h>
#include <time.h>

#include "base/text.h"

struct ca;

/* The certificate of one host, for handshakes with its clients. It has a key of its own, which
 * exists only in memory. */
struct leaf {
    mbedtls_x509_crt cert; /* followed by those of its issuers */
    mbedtls_pk_context key;
    time_t renew_at; /* wall clock; well before it expires */
};

struct ca_error {
    bool in_key; /* the error is in the key file, not in the certificate */
    char words[300];
};

/* A new CA, in PEM: the anchor, with which clients are configured and whose key is not kept; the
 * issuer below it, which signs the certificates of hosts; and the issuer's key. There is an issuer
 * because some clients (Java) apply name constraints to every certificate but the anchor. */
struct ca_files {
    struct text anchor, issuer, key;
};

/* Makes a CA for these hosts (lower case) and their subdomains, valid from `now` on (wall clock,
 * here and below). `files` must be empty; free it with ca_files_free(). On failure of mbedTLS
 * returns false, with a message in `error`. */
bool ca_make(const char *const *hosts, size_t count, time_t now, struct ca_files *files,
             char *error, size_t size) MUST_CHECK;

/* Overwrites the key as well. */
void ca_files_free(struct ca_files *);

/* Reads a CA, and checks that clients can accept what it signs: it must be a CA with the matching
 * key, within its validity period, whose name constraints permit some hosts but not all. Further
 * certificates in cert_file are the issuers above it, which are sent to clients too, except for
 * anchors. Returns NULL with a message ("ca_cert /x: cannot be read: …") if the CA cannot be
 * used. */
struct ca *ca_load(const char *cert_file, const char *key_file, struct ca_error *);

/* Likewise from memory, for tests and the fuzzer. */
struct ca *ca_parse(struct span cert_pem, struct span key_pem, struct ca_error *);
struct ca *ca_ref(struct ca *);
void ca_unref(struct ca *); /* NULL is allowed */

/* Returns true if the CA may sign for this host (lower case, no trailing dot): its constraints
 * permit the host, and it has not expired. IP addresses are never permitted. */
bool ca_may_sign(const struct ca *, const char *host, time_t now);

/* Returns true if users other than the key file's owner and group can read or write it. */
bool ca_key_is_exposed(const struct ca *);

/* When it expires, wall clock. */
time_t ca_until(const struct ca *);

/* The same certificate? */
bool ca_is(const struct ca *, const struct ca *);

/* Makes a certificate for a host for which the CA may sign. Returns 0 or mbedTLS's error; free the
 * leaf with leaf_free() in either case. */
int ca_sign(struct ca *, const char *host, time_t now, struct leaf *) MUST_CHECK;
void leaf_free(struct leaf *);
