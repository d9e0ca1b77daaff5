/* AES-GCM for TLS, by libgcrypt in the place of mbedTLS, which takes 14 times as long for
 * it. libmbedcrypto calls its own public GCM functions (mbedtls_gcm_*) through the dynamic
 * linker, so that the definitions in aead.c, which are in the program, replace them; the
 * caller in mbedTLS notices nothing. Built with --enable-fast-aead (the default where
 * libgcrypt is found); without it mbedTLS's own functions stay in place.
 * One per process. Stock (mbedTLS's code runs) until aead_prepare() finds that libgcrypt
 * computes the known answers, then fast. */
#pragma once

#include <stdbool.h>

/* Compares libgcrypt's results with known answers (McGrew and Viega's test cases 4 and 16,
 * with and without a tampered byte, in place and not), and that mbedTLS's cipher layer calls
 * the functions of aead.c; only then they use libgcrypt. To be called once at start, before
 * the first TLS context and the second thread. */
void aead_prepare(void);

/* Does libgcrypt encrypt and decrypt? AES-GCM is then the fastest that TLS can use, else
 * ChaCha20-Poly1305 is. */
bool aead_is_fast(void);

/* "AES-GCM by libgcrypt 1.10.1", or "AES-GCM by mbedTLS" and why. Static. */
const char *aead_words(void);

/* For tests: chooses which code contexts that are initialized from now on belong to. A
 * context is used only while its own code is chosen. */
void aead_choose(bool fast);
