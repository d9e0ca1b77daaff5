/* SANITIZED: 1 where the program is built with AddressSanitizer (by gcc or clang), else 0. For
 * the few places that would hide something from it, or take from it what it needs. Stateless. */
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
