/* The identity of a credential (contract 11, "Credential"): the beginning of the SHA-256 of its
 * value, which is the same in every trunkline and after every restart, and reveals nothing of the
 * value. Used on the loop only. No states; the digests of recently seen credentials are kept, so
 * that the next request with one costs no SHA-256. */
#pragma once

#include "base/check.h"
#include "base/span.h"

#define CREDENTIAL_NONE 1 /* of requests that carry no credential value: they count as one */
#define CREDENTIAL_NAME_SIZE 65

/* The identity of the credential with this value. Never 0, never CREDENTIAL_NONE. */
uint64_t credential_of(struct span value);

/* How it is named outside this process: the SHA-256 in hexadecimal; only its first 16 digits, if
 * the credential has not been seen for long; "none" for CREDENTIAL_NONE. */
void credential_print(uint64_t credential, char name[CREDENTIAL_NAME_SIZE]);

/* The identity of the credential with that name; 0: it is not such a name. */
uint64_t credential_parse(struct span name);
