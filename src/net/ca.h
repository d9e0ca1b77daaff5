/* The local CA for interception (contract 8): makes one, reads it back, says which
 * hosts it may vouch for, and signs their certificates. Reference-counted (the
 * counts are the loop's) and read-only; its key is used on the worker alone.
 * Everything but ca_may_sign() takes milliseconds: at start or on the worker. */
#pragma once

#include <mbedtls/x509_crt.h>
#include <time.h>

#include "base/text.h"

struct ca;

/* What a handshake shows for one host. Its key is made for it alone and lives
 * in memory only. */
struct leaf {
    mbedtls_x509_crt cert; /* and behind it those of its issuers */
    mbedtls_pk_context key;
    time_t renew_at; /* wall clock; well before it ends */
};

struct ca_error {
    bool in_key; /* the key_file is at fault, not the cert_file */
    char words[300];
};

/* A new CA, in PEM: the anchor, which clients are told of and whose key is nowhere any
 * more; the issuer below it, which signs; the issuer's key. Some clients (Java) hold
 * every issuer to its constraints but the anchor. */
struct ca_files {
    struct text anchor, issuer, key;
};

/* Makes one for these hosts (lower case) and what is below them, from `now` (wall clock, here
 * and below) on; `files` is empty
 * before. False, with words, if mbedTLS cannot. */
bool ca_make(const char *const *hosts, size_t count, time_t now, struct ca_files *files,
             char *error, size_t size) MUST_CHECK;

/* Wipes the key from memory, too. */
void ca_files_free(struct ca_files *);

/* Reads one, and makes sure that what it signs will be believed: a CA with its
 * key, not out of date, whose name constraints permit some hosts and not all. What
 * else is in cert_file are issuers above it, which clients are shown too, but for
 * anchors. NULL with words ("ca_cert /x: cannot be read: …"). */
struct ca *ca_load(const char *cert_file, const char *key_file, struct ca_error *);

/* Likewise of bytes, for tests and the fuzzer. */
struct ca *ca_parse(struct span cert_pem, struct span key_pem, struct ca_error *);
struct ca *ca_ref(struct ca *);
void ca_unref(struct ca *); /* NULL is fine */

/* Is this host (lower case, no trailing dot) permitted, and the CA in date? An
 * address never is. */
bool ca_may_sign(const struct ca *, const char *host, time_t now);

/* Can others than its owner and group read the key file, or write it? */
bool ca_key_is_exposed(const struct ca *);

/* When it ends, wall clock. */
time_t ca_until(const struct ca *);

/* The same certificate? */
bool ca_is(const struct ca *, const struct ca *);

/* Makes a certificate for a host it may sign. 0, or mbedTLS's error; to be
 * freed by leaf_free() in any case. */
int ca_sign(struct ca *, const char *host, time_t now, struct leaf *) MUST_CHECK;
void leaf_free(struct leaf *);
