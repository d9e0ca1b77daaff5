#include "budget/credential.h"

#include <mbedtls/sha256.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_SIZE 32
#define ID_DIGITS 16
#define SLOTS 1024 /* a power of two */

/* Finds the SHA-256 of a value that was seen before by a cheaper hash of it. */
struct seen {
    uint64_t fast, id; /* id 0: empty */
    unsigned char digest[DIGEST_SIZE];
};

static struct seen slots[SLOTS];

/* FNV-1a */
static uint64_t fast_hash(struct span value)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < value.len; i++)
        hash = (hash ^ (unsigned char)value.at[i]) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t id_of(const unsigned char digest[DIGEST_SIZE])
{
    uint64_t id = 0;
    for (size_t i = 0; i < sizeof id; i++)
        id = id << 8 | digest[i];
    return id > CREDENTIAL_NONE ? id : CREDENTIAL_NONE + 1;
}

uint64_t credential_of(struct span value)
{
    uint64_t fast = fast_hash(value);
    struct seen *s = &slots[fast % SLOTS];
    if (s->fast != fast || s->id == 0) {
        s->fast = fast;
        CHECK(mbedtls_sha256((const unsigned char *)value.at, value.len, s->digest, 0) == 0);
        s->id = id_of(s->digest);
    }
    return s->id;
}

void credential_print(uint64_t credential, char name[CREDENTIAL_NAME_SIZE])
{
    if (credential == CREDENTIAL_NONE) {
        memcpy(name, "none", sizeof "none");
        return;
    }
    snprintf(name, CREDENTIAL_NAME_SIZE, "%016llx", (unsigned long long)credential);
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].id != credential)
            continue;
        for (size_t b = 0; b < DIGEST_SIZE; b++)
            snprintf(name + 2 * b, CREDENTIAL_NAME_SIZE - 2 * b, "%02x", slots[i].digest[b]);
        return;
    }
}

static int digit_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint64_t credential_parse(struct span name)
{
    uint64_t id = 0;
    if (span_is(name, SPAN("none")))
        return CREDENTIAL_NONE;
    if (name.len != ID_DIGITS && name.len != 2 * DIGEST_SIZE)
        return 0;
    for (size_t i = 0; i < name.len; i++) {
        int value = digit_value(name.at[i]);
        if (value < 0)
            return 0;
        if (i < ID_DIGITS)
            id = id << 4 | (unsigned)value;
    }
    return id > CREDENTIAL_NONE ? id : CREDENTIAL_NONE + 1;
}
