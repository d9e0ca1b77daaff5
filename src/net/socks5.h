/* The client's side of SOCKS5 (RFC 1928) with its login by user name and password (RFC 1929): a
 * state machine over bytes, which asks for one connection. Embedded in the code that has the stream.
 * States: greeting (which methods there are), login, asking, ended. */
#pragma once

#include "base/state.h"
#include "net/hello.h"

#define SOCKS5_STATES(S)                                                                           \
    S(SOCKS5_GREETING, "greeting", TO(SOCKS5_LOGIN) | TO(SOCKS5_ASKING) | TO(SOCKS5_ENDED))        \
    S(SOCKS5_LOGIN, "login", TO(SOCKS5_ASKING) | TO(SOCKS5_ENDED))                                 \
    S(SOCKS5_ASKING, "asking", TO(SOCKS5_ENDED))                                                   \
    S(SOCKS5_ENDED, "ended", 0)
STATE_TYPE(socks5, SOCKS5_STATES)

struct socks5 {
    struct hello hello;
    enum socks5_state state;
    const char *user, *password; /* NULL: none */
    struct hello_target target;
    unsigned char answer[262]; /* to the last message, so far: RFC 1928 6 */
    size_t have;
};

/* Everything is borrowed until it has ended. hello.out is what to send first. User and password are
 * at most 255 bytes each. */
void socks5_init(struct socks5 *, const char *user, const char *password,
                 const struct hello_target *);

/* Bytes came. Takes what is the proxy's, `used` bytes; what is left after HELLO_OPEN is from beyond
 * it. After HELLO_WRITE it is to be called again with the rest. */
enum hello_step socks5_feed(struct socks5 *, struct span data, size_t *used) MUST_CHECK;
