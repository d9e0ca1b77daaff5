/* Both libraries compute the known answers of FIPS 180-4. */
#include "net/sha256.h"

#include <stdio.h>

#include "net/aead.h"
#include "suite.h"

static const struct {
    const char *text, *digest;
} known[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void computes(size_t i)
{
    unsigned char digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    sha256(span_of(known[i].text), digest);
    for (size_t b = 0; b < SHA256_SIZE; b++)
        snprintf(hex + 2 * b, 3, "%02x", digest[b]);
    ck_assert_str_eq(hex, known[i].digest);
}

START_TEST(known_answers)
{
    aead_prepare();
    computes((size_t)_i);
    if (!aead_is_fast())
        return;
    aead_choose(false);
    computes((size_t)_i);
}
END_TEST

SUITE()
{
    LOOP(known_answers, 0, sizeof known / sizeof *known);
}
