/* The client's side of HTTP's CONNECT (RFC 9110 9.3.6) to another proxy, with Basic credentials (RFC
 * 7617): a state machine over bytes, which asks for one connection. Embedded in the code that has
 * the stream. It awaits a head, or has ended. */
#pragma once

#include "net/hello.h"

#define PROXY_CONNECT_HEAD_MAX 16384 /* bytes of all heads, interim ones too */

struct proxy_connect {
    struct hello hello;
    bool has_login, ended;
    size_t head_len; /* of all heads so far */
    size_t line_len; /* of the present line so far, without its end */
    bool is_first;   /* that is a status line, of which the beginning is kept */
    char status_line[13];
    unsigned status;
};

/* Everything is borrowed for the call. hello.out is what to send. */
void proxy_connect_init(struct proxy_connect *, const char *user, const char *password,
                        const struct hello_target *);

/* As socks5_feed(); never HELLO_WRITE. */
enum hello_step proxy_connect_feed(struct proxy_connect *, struct span data,
                                   size_t *used) MUST_CHECK;
