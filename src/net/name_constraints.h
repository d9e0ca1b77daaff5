/* The name constraints of a CA (RFC 5280 4.2.1.10): the names for which it may issue certificates.
 * Encodes them for a new local CA, reads those of an existing one, and checks names against those
 * of any CA. Owned by their CA; empty, or read and then read-only. */
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

/* Reads the extension's value into an empty struct, which must be freed with
 * name_constraints_free() in either case. Returns false with a message if the value is malformed,
 * or if it constrains, by a kind other than DNS names, names that trunkline's leaves have. */
bool name_constraints_read(struct name_constraints *, struct span der, const char **why) MUST_CHECK;

/* Returns true if this host (a DNS name in lower case) is permitted and not excluded. If the
 * constraints do not explicitly permit any DNS name, none is permitted. */
bool name_constraints_permit(const struct name_constraints *, const char *host);

void name_constraints_free(struct name_constraints *);

/* The kinds of names that can be compared, by their numbers in RFC 5280 4.2.1.6. */
#define NAME_DNS 2
#define NAME_DIRECTORY 4
#define NAME_ADDRESS 7

/* A name in a certificate: its kind, and its characters, the 4 or 16 bytes of an address, or the
 * DER of a directory name. */
struct general_name {
    int kind;
    struct span value;
};

/* Returns true if a CA with these constraints (the extension's value) may issue a certificate for
 * this name. It may not if the constraints exclude the name, permit only other names of its kind,
 * are malformed, or constrain its kind and that kind cannot be compared. Each comparison decrements
 * `work`; once that is 0, false is returned. */
bool name_constraints_admit(struct span der, const struct general_name *, size_t *work) MUST_CHECK;
