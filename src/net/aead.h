/* AES-GCM for TLS, by libgcrypt in place of mbedTLS, whose own code takes 14 times as long.
 * libmbedcrypto calls its own public GCM functions (mbedtls_gcm_*) through the dynamic linker, so
 * that the definitions in aead.c, which are in the program, replace them; mbedTLS's TLS code is
 * unchanged. Built with --enable-fast-aead (the default where libgcrypt is found); without it
 * mbedTLS's own functions stay in place. There is one per process. It is stock (mbedTLS's code
 * runs) until aead_prepare() has verified that libgcrypt computes the known answers, and fast from
 * then on. */
#pragma once

#include <stdbool.h>

/* Compares libgcrypt's results with known answers (McGrew and Viega's test cases 4 and 16, with and
 * without a tampered byte, in place and not), and that mbedTLS's cipher layer calls the functions
 * of aead.c; only then do they use libgcrypt. Must be called once at start, before the first TLS
 * context is made and before a second thread is started. */
void aead_prepare(void);

/* Returns true if libgcrypt encrypts and decrypts. AES-GCM is then the fastest cipher for TLS;
 * otherwise ChaCha20-Poly1305 is. */
bool aead_is_fast(void);

/* "AES-GCM by libgcrypt 1.10.1", or "AES-GCM by mbedTLS" and why. Static. */
const char *aead_words(void);

/* For tests: chooses which code contexts that are initialized from now on belong to. A
 * context is used only while its own code is chosen. */
void aead_choose(bool fast);
