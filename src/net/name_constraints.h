/* The name constraints of a CA (RFC 5280 4.2.1.10): which names it may vouch for.
 * Encodes them for a new local CA and reads those of an old one (owned by its CA;
 * read-only once read), and holds any CA's names to its own. */
#pragma once

#include "base/span.h"
#include "base/text.h"

struct name_constraints {
    char **permitted, **excluded; /* DNS names, lower case; ".x" means subdomains only */
    size_t permitted_count, excluded_count;
};

/* Appends the DER of an extension that permits these hosts with their
 * subdomains, and excludes every IP address: some clients take an address or
 * none of the kinds named for permitted. */
void name_constraints_write(const char *const *hosts, size_t count, struct text *der);

/* Reads the extension's value into an empty struct. False, with words, if it is
 * malformed or constrains what trunkline's leaves have otherwise than by DNS
 * names; name_constraints_free() in any case. */
bool name_constraints_read(struct name_constraints *, struct span der, const char **why) MUST_CHECK;

/* Is this host, a lower-case DNS name, permitted and not excluded? Where no DNS
 * name is permitted expressly, none is. */
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

/* May a CA with these constraints (the extension's value) vouch for this name? Not
 * if they exclude it, permit others of its kind only, are malformed, or speak of its
 * kind and that cannot be compared. Each comparison takes one from `work`; at 0 it is
 * no. */
bool name_constraints_admit(struct span der, const struct general_name *, size_t *work) MUST_CHECK;
