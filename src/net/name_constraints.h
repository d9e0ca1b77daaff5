/* The name constraints of a CA (RFC 5280 4.2.1.10): which names it may vouch for. Encodes them for
 * a new local CA, reads those of an existing one, and checks names against those of any CA.
 * Owned by their CA; empty, or read and then read-only. */
#pragma once

#include "base/span.h"
#include "base/text.h"

struct name_constraints {
    char **permitted, **excluded; /* DNS names, lower case; ".x" means subdomains only */
    size_t permitted_count, excluded_count;
};

/* Appends the DER of an extension that permits these hosts and their subdomains, and excludes
 * every IP address, since some clients accept any address if the constraints name none. */
void name_constraints_write(const char *const *hosts, size_t count, struct text *der);

/* Reads the extension's value into an empty struct, to be freed by name_constraints_free() in
 * either case. False, with words, if it is malformed, or if it constrains names that trunkline's
 * leaves have by other kinds than DNS names. */
bool name_constraints_read(struct name_constraints *, struct span der, const char **why) MUST_CHECK;

/* Is this host (a DNS name in lower case) permitted, and not excluded? If the constraints permit
 * no DNS name expressly, none is permitted. */
bool name_constraints_permit(const struct name_constraints *, const char *host);

void name_constraints_free(struct name_constraints *);

/* The kinds of names that can be compared, by their numbers in RFC 5280 4.2.1.6. */
#define NAME_DNS 2
#define NAME_DIRECTORY 4
#define NAME_ADDRESS 7

/* A name in a certificate: what kind, and its letters, an address's 4 or 16 bytes, a
 * directory name's DER. */
struct general_name {
    int kind;
    struct span value;
};

/* May a CA with these constraints (the extension's value) vouch for this name? Not if they exclude
 * it, permit only others of its kind, are malformed, or name its kind and that cannot be
 * compared. Each comparison takes one from `work`; once that is 0 the answer is no. */
bool name_constraints_admit(struct span der, const struct general_name *, size_t *work) MUST_CHECK;
