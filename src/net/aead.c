#include "net/aead.h"

#ifdef HAVE_FAST_AEAD

#include <dlfcn.h>
#include <gcrypt.h>
#include <mbedtls/cipher.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define MAGIC 0x67636d31
#define TAG_LEN 16

/* What a mbedtls_gcm_context holds while libgcrypt does the work. mbedTLS owns the memory but never
 * looks inside it: only the GCM functions do, and this file replaces them. */
struct gcm {
    unsigned magic; /* 0: initialized, without a key */
    bool decrypts;  /* in a piecewise operation */
    gcry_cipher_hd_t cipher;
};
_Static_assert(sizeof(struct gcm) <= sizeof(mbedtls_gcm_context), "no room in the context");

/* mbedTLS's own functions, which come next in the dynamic linker's order. */
#define STOCK_FUNCTIONS(F)                                                                         \
    F(init)                                                                                        \
    F(setkey)                                                                                      \
    F(crypt_and_tag)                                                                               \
    F(auth_decrypt)                                                                                \
    F(starts)                                                                                      \
    F(update_ad)                                                                                   \
    F(update)                                                                                      \
    F(finish)                                                                                      \
    F(free)

static struct {
#define STOCK_MEMBER(name) __typeof__(mbedtls_gcm_##name) *name;
    STOCK_FUNCTIONS(STOCK_MEMBER)
#undef STOCK_MEMBER
} stock;

static bool fast;

/* Counts the calls of the functions below by mbedTLS, but only while passes() checks that there are
 * any, before a second thread exists: later the loop and the worker call these functions at the
 * same time. */
static bool looks;
static unsigned calls;
static char words[80] = "AES-GCM by mbedTLS (libgcrypt was not tried)";

static void note_call(void)
{
    if (looks)
        calls++;
}

/* dlsym() returns data pointers; POSIX makes them the same. Runs before main(), since a
 * library's own initialization may use GCM. */
__attribute__((constructor)) static void find_stock(void)
{
    void *at;
#define STOCK_FIND(name)                                                                           \
    at = dlsym(RTLD_NEXT, "mbedtls_gcm_" #name);                                                   \
    CHECK(at != NULL);                                                                             \
    memcpy(&stock.name, &at, sizeof at);
    STOCK_FUNCTIONS(STOCK_FIND)
#undef STOCK_FIND
}

/* Of a context with a key. */
static struct gcm *gcm_of(mbedtls_gcm_context *ctx)
{
    struct gcm *g = (struct gcm *)ctx;
    CHECK(g->magic == MAGIC);
    return g;
}

/* ------------------------------------------------------------------ over libgcrypt */

static int set_key(struct gcm *g, const unsigned char *key, unsigned bits)
{
    int algorithm = bits == 128   ? GCRY_CIPHER_AES128
                    : bits == 192 ? GCRY_CIPHER_AES192
                    : bits == 256 ? GCRY_CIPHER_AES256
                                  : 0;
    if (algorithm == 0)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    if (g->magic == MAGIC)
        gcry_cipher_close(g->cipher);
    g->magic = 0;
    if (gcry_cipher_open(&g->cipher, algorithm, GCRY_CIPHER_MODE_GCM, 0) != 0)
        return MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
    g->magic = MAGIC;
    return gcry_cipher_setkey(g->cipher, key, bits / 8) == 0 ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;
}

static int begin(struct gcm *g, bool decrypts, const unsigned char *iv, size_t iv_len)
{
    g->decrypts = decrypts;
    if (iv_len == 0 || gcry_cipher_setiv(g->cipher, iv, iv_len) != 0)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    return 0;
}

static int add_data(struct gcm *g, const unsigned char *add, size_t len)
{
    if (len && gcry_cipher_authenticate(g->cipher, add, len) != 0)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    return 0;
}

/* Input and output are the same, or apart, or (mbedTLS allows it) overlap. */
static int convert(struct gcm *g, const unsigned char *input, size_t len, unsigned char *output)
{
    if (len == 0)
        return 0;
    const unsigned char *from = input == output ? NULL : input;
    if (from && input < output + len && output < input + len) {
        memmove(output, input, len);
        from = NULL;
    }
    gcry_error_t error = g->decrypts
                             ? gcry_cipher_decrypt(g->cipher, output, len, from, from ? len : 0)
                             : gcry_cipher_encrypt(g->cipher, output, len, from, from ? len : 0);
    return error == 0 ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;
}

static int take_tag(struct gcm *g, unsigned char *tag, size_t len)
{
    unsigned char whole[TAG_LEN];
    if (len < 4 || len > sizeof whole || gcry_cipher_gettag(g->cipher, whole, sizeof whole) != 0)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    memcpy(tag, whole, len);
    return 0;
}

/* ------------------------------------------- what libmbedcrypto calls in place of its own */

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
    note_call();
    if (!fast)
        stock.init(ctx);
    else
        memset(ctx, 0, sizeof *ctx);
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
                       const unsigned char *key, unsigned int keybits)
{
    note_call();
    if (!fast)
        return stock.setkey(ctx, cipher, key, keybits);
    if (cipher != MBEDTLS_CIPHER_ID_AES) /* no cipher suite of tls_context uses another one */
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    return set_key((struct gcm *)ctx, key, keybits);
}

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
    note_call();
    if (!fast)
        return stock.starts(ctx, mode, iv, iv_len);
    return begin(gcm_of(ctx), mode == MBEDTLS_GCM_DECRYPT, iv, iv_len);
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
    note_call();
    if (!fast)
        return stock.update_ad(ctx, add, add_len);
    return add_data(gcm_of(ctx), add, add_len);
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input, size_t input_length,
                       unsigned char *output, size_t output_size, size_t *output_length)
{
    note_call();
    if (!fast)
        return stock.update(ctx, input, input_length, output, output_size, output_length);
    if (output_size < input_length)
        return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
    *output_length = input_length;
    return convert(gcm_of(ctx), input, input_length, output);
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output, size_t output_size,
                       size_t *output_length, unsigned char *tag, size_t tag_len)
{
    note_call();
    if (!fast)
        return stock.finish(ctx, output, output_size, output_length, tag, tag_len);
    *output_length = 0;
    return take_tag(gcm_of(ctx), tag, tag_len);
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
                              const unsigned char *iv, size_t iv_len, const unsigned char *add,
                              size_t add_len, const unsigned char *input, unsigned char *output,
                              size_t tag_len, unsigned char *tag)
{
    note_call();
    if (!fast)
        return stock.crypt_and_tag(ctx, mode, length, iv, iv_len, add, add_len, input, output,
                                   tag_len, tag);
    struct gcm *g = gcm_of(ctx);
    int error = begin(g, mode == MBEDTLS_GCM_DECRYPT, iv, iv_len);
    error = error ? error : add_data(g, add, add_len);
    error = error ? error : convert(g, input, length, output);
    return error ? error : take_tag(g, tag, tag_len);
}

/* Whatever the error, no unauthenticated byte is left in the output. */
int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv,
                             size_t iv_len, const unsigned char *add, size_t add_len,
                             const unsigned char *tag, size_t tag_len, const unsigned char *input,
                             unsigned char *output)
{
    note_call();
    if (!fast)
        return stock.auth_decrypt(ctx, length, iv, iv_len, add, add_len, tag, tag_len, input,
                                  output);
    struct gcm *g = gcm_of(ctx);
    unsigned char right[TAG_LEN];
    int error = begin(g, true, iv, iv_len);
    error = error ? error : add_data(g, add, add_len);
    error = error ? error : convert(g, input, length, output);
    error = error ? error : take_tag(g, right, tag_len);
    if (error == 0 && mbedtls_ct_memcmp(right, tag, tag_len) != 0)
        error = MBEDTLS_ERR_GCM_AUTH_FAILED;
    if (error && length)
        mbedtls_platform_zeroize(output, length);
    return error;
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
    note_call();
    if (ctx == NULL)
        return;
    if (!fast) {
        stock.free(ctx);
        return;
    }
    struct gcm *g = (struct gcm *)ctx;
    if (g->magic == MAGIC)
        gcry_cipher_close(g->cipher); /* which wipes the key */
    mbedtls_platform_zeroize(ctx, sizeof *ctx);
}

/* ------------------------------------------------------------------- known answers */

#define PLAIN_LEN 60
static const unsigned char known_key[32] =
    "\xfe\xff\xe9\x92\x86\x65\x73\x1c\x6d\x6a\x8f\x94\x67\x30\x83\x08"
    "\xfe\xff\xe9\x92\x86\x65\x73\x1c\x6d\x6a\x8f\x94\x67\x30\x83\x08";
static const unsigned char known_iv[] = "\xca\xfe\xba\xbe\xfa\xce\xdb\xad\xde\xca\xf8\x88";
static const unsigned char known_add[] = "\xfe\xed\xfa\xce\xde\xad\xbe\xef\xfe\xed\xfa\xce\xde\xad"
                                         "\xbe\xef\xab\xad\xda\xd2";
static const unsigned char known_plain[] =
    "\xd9\x31\x32\x25\xf8\x84\x06\xe5\xa5\x59\x09\xc5\xaf\xf5\x26\x9a\x86\xa7\xa9\x53\x15\x34\xf7"
    "\xda\x2e\x4c\x30\x3d\x8a\x31\x8a\x72\x1c\x3c\x0c\x95\x95\x68\x09\x53\x2f\xcf\x0e\x24\x49\xa6"
    "\xb5\x25\xb1\x6a\xed\xf5\xaa\x0d\xe6\x57\xba\x63\x7b\x39";

static const struct known {
    unsigned bits;
    const char *cipher, *tag;
} known[] = {
    {128,
     "\x42\x83\x1e\xc2\x21\x77\x74\x24\x4b\x72\x21\xb7\x84\xd0\xd4\x9c\xe3\xaa\x21\x2f\x2c\x02\xa4"
     "\xe0\x35\xc1\x7e\x23\x29\xac\xa1\x2e\x21\xd5\x14\xb2\x54\x66\x93\x1c\x7d\x8f\x6a\x5a\xac\x84"
     "\xaa\x05\x1b\xa3\x0b\x39\x6a\x0a\xac\x97\x3d\x58\xe0\x91",
     "\x5b\xc9\x4f\xbc\x32\x21\xa5\xdb\x94\xfa\xe9\x5a\xe7\x12\x1a\x47"},
    {256,
     "\x52\x2d\xc1\xf0\x99\x56\x7d\x07\xf4\x7f\x37\xa3\x2a\x84\x42\x7d\x64\x3a\x8c\xdc\xbf\xe5\xc0"
     "\xc9\x75\x98\xa2\xbd\x25\x55\xd1\xaa\x8c\xb0\x8e\x48\x59\x0d\xbb\x3d\xa7\xb0\x8b\x10\x56\x82"
     "\x88\x38\xc5\xf6\x1e\x63\x93\xba\x7a\x0a\xbc\xc9\xf6\x62",
     "\x76\xfc\x6e\xce\x0f\x4e\x17\x68\xcd\xdf\x88\x53\xbb\x2d\x55\x1b"},
};

/* Encrypts and decrypts through mbedTLS's cipher layer, as its TLS does, and sees that this calls the
 * functions above. */
static bool passes(const struct known *k)
{
    mbedtls_cipher_context_t c;
    mbedtls_cipher_type_t type =
        k->bits == 128 ? MBEDTLS_CIPHER_AES_128_GCM : MBEDTLS_CIPHER_AES_256_GCM;
    unsigned char buffer[PLAIN_LEN + TAG_LEN], back[PLAIN_LEN], spoilt[sizeof buffer];
    size_t len = 0, again = 0;
    looks = true;
    calls = 0;
    mbedtls_cipher_init(&c);
    bool good = mbedtls_cipher_setup(&c, mbedtls_cipher_info_from_type(type)) == 0 &&
                mbedtls_cipher_setkey(&c, known_key, (int)k->bits, MBEDTLS_ENCRYPT) == 0;
    memcpy(buffer, known_plain, PLAIN_LEN);
    good = good &&
           mbedtls_cipher_auth_encrypt_ext(&c, known_iv, sizeof known_iv - 1, known_add,
                                           sizeof known_add - 1, buffer, PLAIN_LEN, buffer,
                                           sizeof buffer, &len, TAG_LEN) == 0 &&
           len == sizeof buffer && memcmp(buffer, k->cipher, PLAIN_LEN) == 0 &&
           memcmp(buffer + PLAIN_LEN, k->tag, TAG_LEN) == 0;
    memcpy(spoilt, buffer, sizeof spoilt);
    spoilt[7] ^= 1;
    good = good && mbedtls_cipher_setkey(&c, known_key, (int)k->bits, MBEDTLS_DECRYPT) == 0 &&
           mbedtls_cipher_auth_decrypt_ext(&c, known_iv, sizeof known_iv - 1, known_add,
                                           sizeof known_add - 1, buffer, sizeof buffer, back,
                                           sizeof back, &again, TAG_LEN) == 0 &&
           again == PLAIN_LEN && memcmp(back, known_plain, PLAIN_LEN) == 0 &&
           mbedtls_cipher_auth_decrypt_ext(&c, known_iv, sizeof known_iv - 1, known_add,
                                           sizeof known_add - 1, spoilt, sizeof spoilt, back,
                                           sizeof back, &again, TAG_LEN) != 0;
    mbedtls_cipher_free(&c);
    looks = false;
    return good && calls > 0;
}

void aead_prepare(void)
{
    if (gcry_check_version(GCRYPT_VERSION) == NULL) {
        snprintf(words, sizeof words, "AES-GCM by mbedTLS (libgcrypt is older than %s)",
                 GCRYPT_VERSION);
        return;
    }
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    fast = true;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        fast = fast && passes(&known[i]);
    if (fast)
        snprintf(words, sizeof words, "AES-GCM by libgcrypt %s", gcry_check_version(NULL));
    else
        snprintf(words, sizeof words, "AES-GCM by mbedTLS (libgcrypt failed its known answers)");
}

void aead_choose(bool to_fast)
{
    fast = to_fast;
}

bool aead_is_fast(void)
{
    return fast;
}

const char *aead_words(void)
{
    return words;
}

#else

void aead_prepare(void)
{
}

void aead_choose(bool to_fast)
{
    (void)to_fast;
}

bool aead_is_fast(void)
{
    return false;
}

const char *aead_words(void)
{
    return "AES-GCM by mbedTLS (built without --enable-fast-aead)";
}

#endif
