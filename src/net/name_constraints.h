/* The name constraints of a CA (RFC 5280 4.2.1.10): which hosts it may vouch
 * for. Encodes them for a new CA, and reads those of an old one. Owned by its
 * CA; read-only once read. */
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
