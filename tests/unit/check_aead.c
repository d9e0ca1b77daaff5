/* net/aead.h: libgcrypt computes the same as mbedTLS for all lengths, and rejects whatever was
 * tampered with. */
#include "net/aead.h"

#include <mbedtls/gcm.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

#define LONGEST (17 * 1024)
#define TAG 16

static unsigned char plain[LONGEST], ours[LONGEST], theirs[LONGEST], back[LONGEST];
static unsigned char key[32], iv[64], add[64];
static mbedtls_gcm_context our_context, their_context;

static void fill(unsigned char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (unsigned char)rand();
}

static void set_key(unsigned bits)
{
    aead_choose(true);
    mbedtls_gcm_init(&our_context);
    ck_assert_int_eq(mbedtls_gcm_setkey(&our_context, MBEDTLS_CIPHER_ID_AES, key, bits), 0);
    aead_choose(false);
    mbedtls_gcm_init(&their_context);
    ck_assert_int_eq(mbedtls_gcm_setkey(&their_context, MBEDTLS_CIPHER_ID_AES, key, bits), 0);
}

static void free_contexts(void)
{
    aead_choose(true);
    mbedtls_gcm_free(&our_context);
    aead_choose(false);
    mbedtls_gcm_free(&their_context);
}

static void setup(void)
{
    aead_prepare();
    srand(1);
    fill(plain, sizeof plain);
    fill(key, sizeof key);
    fill(iv, sizeof iv);
    fill(add, sizeof add);
}

/* Both encrypt to the same bytes, and each decrypts what the other encrypted. */
static void compare(size_t len, size_t iv_len, size_t add_len, size_t tag_len)
{
    unsigned char our_tag[TAG], their_tag[TAG];
    aead_choose(true);
    ck_assert_int_eq(mbedtls_gcm_crypt_and_tag(&our_context, MBEDTLS_GCM_ENCRYPT, len, iv, iv_len,
                                               add, add_len, plain, ours, tag_len, our_tag),
                     0);
    aead_choose(false);
    ck_assert_int_eq(mbedtls_gcm_crypt_and_tag(&their_context, MBEDTLS_GCM_ENCRYPT, len, iv, iv_len,
                                               add, add_len, plain, theirs, tag_len, their_tag),
                     0);
    ck_assert_msg(memcmp(ours, theirs, len) == 0 && memcmp(our_tag, their_tag, tag_len) == 0,
                  "%zu bytes, iv %zu, add %zu, tag %zu", len, iv_len, add_len, tag_len);
    ck_assert_int_eq(mbedtls_gcm_auth_decrypt(&their_context, len, iv, iv_len, add, add_len,
                                              our_tag, tag_len, ours, back),
                     0);
    ck_assert(memcmp(back, plain, len) == 0);
    aead_choose(true);
    ck_assert_int_eq(mbedtls_gcm_auth_decrypt(&our_context, len, iv, iv_len, add, add_len,
                                              their_tag, tag_len, theirs, theirs),
                     0);
    ck_assert(memcmp(theirs, plain, len) == 0);
}

START_TEST(libgcrypt_is_in_use)
{
    ck_assert_msg(aead_is_fast(), "%s", aead_words());
    ck_assert(strncmp(aead_words(), "AES-GCM by libgcrypt", 20) == 0);
}
END_TEST

/* The sizes that TLS uses: a nonce of 12 bytes, additional data of 5 or 13, a tag of 16. */
START_TEST(every_length_up_to_17_kib)
{
    size_t step = getenv("TRUNKLINE_VALGRIND") ? 61 : 1; /* valgrind takes minutes for them all */
    set_key(128u << _i);
    for (size_t len = 0; len <= LONGEST; len += step) {
        iv[0]++;
        compare(len, 12, len % 2 ? 5 : 13, TAG);
    }
    free_contexts();
}
END_TEST

START_TEST(every_other_length)
{
    static const size_t tags[] = {4, 8, 12, 13, 14, 15, 16};
    set_key(192);
    for (size_t n = 1; n <= sizeof iv; n++)
        compare(100, n, 13, TAG);
    for (size_t n = 0; n <= sizeof add; n++)
        compare(n, 12, n, TAG);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        compare(33, 12, 13, tags[i]);
    free_contexts();
}
END_TEST

/* A TLS record with one wrong bit, at each byte of text, tag, nonce and data. */
START_TEST(every_tampered_byte_is_refused)
{
    enum { LEN = 1024 };
    size_t step = getenv("TRUNKLINE_VALGRIND") ? 13 : 1;
    unsigned char tag[TAG];
    set_key(128u << _i);
    aead_choose(true);
    ck_assert_int_eq(mbedtls_gcm_crypt_and_tag(&our_context, MBEDTLS_GCM_ENCRYPT, LEN, iv, 12, add,
                                               13, plain, ours, TAG, tag),
                     0);
    unsigned char *const parts[] = {ours, tag, iv, add};
    static const size_t lengths[] = {LEN, TAG, 12, 13};
    for (size_t part = 0; part < 4; part++)
        for (size_t at = 0; at < lengths[part]; at += step) {
            unsigned char bit = (unsigned char)(1u << at % 8);
            parts[part][at] ^= bit;
            memset(back, 'x', LEN);
            ck_assert_int_eq(
                mbedtls_gcm_auth_decrypt(&our_context, LEN, iv, 12, add, 13, tag, TAG, ours, back),
                MBEDTLS_ERR_GCM_AUTH_FAILED);
            for (size_t i = 0; i < LEN; i++)
                ck_assert_uint_eq(back[i], 0); /* no unauthenticated bytes are output */
            parts[part][at] ^= bit;
        }
    ck_assert_int_eq(
        mbedtls_gcm_auth_decrypt(&our_context, LEN, iv, 12, add, 13, tag, TAG, ours, back), 0);
    free_contexts();
}
END_TEST

/* mbedTLS allows the output to overlap the input in one buffer, at an earlier address. */
START_TEST(overlapping_buffers)
{
    unsigned char tag[TAG], buffer[600];
    set_key(256);
    aead_choose(true);
    for (size_t shift = 0; shift <= 40; shift++) {
        memcpy(buffer + shift, plain, 500);
        ck_assert_int_eq(mbedtls_gcm_crypt_and_tag(&our_context, MBEDTLS_GCM_ENCRYPT, 500, iv, 12,
                                                   add, 13, buffer + shift, buffer, TAG, tag),
                         0);
        ck_assert_int_eq(
            mbedtls_gcm_auth_decrypt(&our_context, 500, iv, 12, add, 13, tag, TAG, buffer, buffer),
            0);
        ck_assert(memcmp(buffer, plain, 500) == 0);
    }
    free_contexts();
}
END_TEST

/* In pieces of any size, as mbedTLS's cipher layer might pass them. */
START_TEST(in_pieces)
{
    unsigned char tag[TAG], whole[TAG];
    set_key(128);
    for (int round = 0; round < 200; round++) {
        size_t len = (size_t)(rand() % 2000), done = 0, n;
        aead_choose(false);
        ck_assert_int_eq(mbedtls_gcm_crypt_and_tag(&their_context, MBEDTLS_GCM_ENCRYPT, len, iv, 12,
                                                   add, 20, plain, theirs, TAG, whole),
                         0);
        aead_choose(true);
        ck_assert_int_eq(mbedtls_gcm_starts(&our_context, MBEDTLS_GCM_ENCRYPT, iv, 12), 0);
        ck_assert_int_eq(mbedtls_gcm_update_ad(&our_context, add, 20), 0);
        while (done < len) {
            size_t piece = 1 + (size_t)rand() % 100;
            piece = piece < len - done ? piece : len - done;
            ck_assert_int_eq(
                mbedtls_gcm_update(&our_context, plain + done, piece, ours + done, piece, &n), 0);
            ck_assert_uint_eq(n, piece);
            done += piece;
        }
        ck_assert_int_eq(mbedtls_gcm_finish(&our_context, NULL, 0, &n, tag, TAG), 0);
        ck_assert(memcmp(ours, theirs, len) == 0 && memcmp(tag, whole, TAG) == 0);
    }
    free_contexts();
}
END_TEST

START_TEST(wrong_calls)
{
    unsigned char tag[TAG];
    size_t n;
    aead_choose(true);
    mbedtls_gcm_init(&our_context);
    ck_assert_int_ne(mbedtls_gcm_setkey(&our_context, MBEDTLS_CIPHER_ID_AES, key, 100), 0);
    ck_assert_int_ne(mbedtls_gcm_setkey(&our_context, MBEDTLS_CIPHER_ID_CAMELLIA, key, 128), 0);
    mbedtls_gcm_free(&our_context);
    mbedtls_gcm_free(NULL);
    mbedtls_gcm_init(&our_context);
    ck_assert_int_eq(mbedtls_gcm_setkey(&our_context, MBEDTLS_CIPHER_ID_AES, key, 128), 0);
    ck_assert_int_eq(mbedtls_gcm_setkey(&our_context, MBEDTLS_CIPHER_ID_AES, key, 256), 0);
    ck_assert_int_ne(mbedtls_gcm_starts(&our_context, MBEDTLS_GCM_ENCRYPT, iv, 0), 0);
    ck_assert_int_eq(mbedtls_gcm_starts(&our_context, MBEDTLS_GCM_ENCRYPT, iv, 12), 0);
    ck_assert_int_ne(mbedtls_gcm_update(&our_context, plain, 16, ours, 15, &n), 0);
    ck_assert_int_ne(mbedtls_gcm_finish(&our_context, NULL, 0, &n, tag, 3), 0);
    mbedtls_gcm_free(&our_context);
}
END_TEST

SUITE()
{
    FIXTURE(setup, NULL);
    TEST(libgcrypt_is_in_use);
    TIMEOUT(240);
    LOOP(every_length_up_to_17_kib, 0, 2);
    TEST(every_other_length);
    LOOP(every_tampered_byte_is_refused, 0, 2);
    TEST(overlapping_buffers);
    TEST(in_pieces);
    TEST(wrong_calls);
}
