#include "net/socks5.h"

#include <netinet/in.h>
#include <stdio.h>

#include "net/address.h"

#define SOCKS_VERSION 5
#define NO_LOGIN 0
#define LOGIN 2
#define NO_METHOD 0xff
#define LOGIN_VERSION 1
#define CONNECT 1
#define BY_IPV4 1
#define BY_NAME 3
#define BY_IPV6 4

static void enter(struct socks5 *s, enum socks5_state to)
{
    STATE_ENTER(socks5, &s->state, to, NULL, 0);
}

/* ------------------------------------------------------------------------ saying */

static void add(struct socks5 *s, const void *bytes, size_t len)
{
    CHECK(len <= sizeof s->hello.out - s->hello.out_len);
    memcpy(s->hello.out + s->hello.out_len, bytes, len);
    s->hello.out_len += len;
}

static void add_byte(struct socks5 *s, size_t value)
{
    unsigned char byte = (unsigned char)value;
    CHECK(value <= 255);
    add(s, &byte, 1);
}

static void add_text(struct socks5 *s, const char *text)
{
    add_byte(s, strlen(text));
    add(s, text, strlen(text));
}

static void begin(struct socks5 *s, size_t version)
{
    s->hello.out_len = 0;
    s->have = 0;
    add_byte(s, version);
}

static void greet(struct socks5 *s)
{
    begin(s, SOCKS_VERSION);
    add_byte(s, s->user ? 2 : 1);
    add_byte(s, NO_LOGIN);
    if (s->user)
        add_byte(s, LOGIN);
}

static enum hello_step log_in(struct socks5 *s)
{
    enter(s, SOCKS5_LOGIN);
    begin(s, LOGIN_VERSION);
    add_text(s, s->user);
    add_text(s, s->password);
    return HELLO_WRITE;
}

static void add_address(struct socks5 *s, const struct sockaddr_storage *at)
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)at;
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)(const void *)at;
    bool is_ipv4 = at->ss_family == AF_INET;
    CHECK(is_ipv4 || at->ss_family == AF_INET6);
    add_byte(s, is_ipv4 ? BY_IPV4 : BY_IPV6);
    if (is_ipv4)
        add(s, &sin->sin_addr, sizeof sin->sin_addr);
    else
        add(s, &sin6->sin6_addr, sizeof sin6->sin6_addr);
    add(s, is_ipv4 ? &sin->sin_port : &sin6->sin6_port, sizeof sin->sin_port);
}

/* A literal is sent as the address that it is. */
static enum hello_step ask(struct socks5 *s)
{
    struct sockaddr_storage literal;
    uint16_t port = htons(s->target.port);
    enter(s, SOCKS5_ASKING);
    begin(s, SOCKS_VERSION);
    add_byte(s, CONNECT);
    add_byte(s, 0);
    if (s->target.address) {
        add_address(s, s->target.address);
    } else if (address_parse(s->target.host, &literal)) {
        address_set_port(&literal, s->target.port);
        add_address(s, &literal);
    } else {
        add_byte(s, BY_NAME);
        add_text(s, s->target.host);
        add(s, &port, sizeof port);
    }
    return HELLO_WRITE;
}

void socks5_init(struct socks5 *s, const char *user, const char *password,
                 const struct hello_target *target)
{
    *s = (struct socks5){.user = user, .password = password, .target = *target};
    greet(s);
}

/* ----------------------------------------------------------------------- hearing */

static enum hello_step refuse(struct socks5 *s, enum failure why, const char *detail)
{
    enter(s, SOCKS5_ENDED);
    return hello_refuse(&s->hello, why, detail);
}

static enum hello_step garbage(struct socks5 *s)
{
    return refuse(s, FAILURE_HTTP_PROTOCOL_ERROR, "what the proxy answered is not SOCKS5");
}

static enum hello_step on_method(struct socks5 *s)
{
    if (s->answer[1] == NO_LOGIN)
        return ask(s);
    if (s->answer[1] == LOGIN && s->user)
        return log_in(s);
    if (s->answer[1] == LOGIN || (s->answer[1] == NO_METHOD && s->user == NULL))
        return refuse(s, FAILURE_PROXY_CONFIGURATION_ERROR, "the proxy wants a login");
    if (s->answer[1] == NO_METHOD)
        return refuse(s, FAILURE_PROXY_CONFIGURATION_ERROR,
                      "the proxy takes no login by user name and password");
    return garbage(s);
}

static enum hello_step on_login(struct socks5 *s)
{
    if (s->answer[1] == 0)
        return ask(s);
    return refuse(s, FAILURE_PROXY_CONFIGURATION_ERROR, "the proxy refused the login");
}

/* RFC 1928 6. TTL expired is what proxies say whose own connecting took too long. */
static enum hello_step on_refusal(struct socks5 *s, unsigned code)
{
    static const char *const words[] = {
        NULL,
        "the proxy failed (general SOCKS server failure)",
        "the proxy's rules do not allow the connection",
        "the proxy cannot reach the network",
        "the proxy cannot reach the host, or not find its name",
        "the proxy was refused the connection",
        "the proxy got no connection in time (TTL expired)",
        "the proxy does not support CONNECT",
        "the proxy does not support this type of address",
    };
    char other[60];
    snprintf(other, sizeof other, "the proxy refused the connection (code %u)", code);
    return refuse(s, code == 6 ? FAILURE_CONNECTION_TIMEOUT : FAILURE_CONNECTION_REFUSED,
                  code < COUNT_OF(words) ? words[code] : other);
}

/* The whole length of the reply, as far as is known; 0: it is malformed. */
static size_t reply_size(const struct socks5 *s)
{
    if (s->have < 4)
        return 4 + 1;
    switch (s->answer[3]) {
    case BY_IPV4: return 10;
    case BY_NAME: return s->have < 5 ? 5 + 1 : 7 + (size_t)s->answer[4];
    case BY_IPV6: return 22;
    default: return 0;
    }
}

/* A refusal needs no more than its code: not every proxy sends the rest. */
static enum hello_step on_reply(struct socks5 *s)
{
    if (s->have >= 2 && s->answer[1] != 0)
        return on_refusal(s, s->answer[1]);
    size_t size = reply_size(s);
    if (size == 0 || (s->have >= 3 && s->answer[2] != 0))
        return garbage(s);
    if (s->have < size)
        return HELLO_MORE;
    enter(s, SOCKS5_ENDED);
    return HELLO_OPEN;
}

static enum hello_step on_answer(struct socks5 *s)
{
    if (s->have && s->answer[0] != (s->state == SOCKS5_LOGIN ? LOGIN_VERSION : SOCKS_VERSION))
        return garbage(s);
    if (s->state == SOCKS5_ASKING)
        return on_reply(s);
    if (s->have < 2)
        return HELLO_MORE;
    return s->state == SOCKS5_GREETING ? on_method(s) : on_login(s);
}

/* A byte at a time, so that nothing is taken of what comes behind. */
enum hello_step socks5_feed(struct socks5 *s, struct span data, size_t *used)
{
    enum hello_step step = HELLO_MORE;
    CHECK(s->state != SOCKS5_ENDED);
    for (*used = 0; *used < data.len && step == HELLO_MORE; ++*used) {
        CHECK(s->have < sizeof s->answer);
        s->answer[s->have++] = (unsigned char)data.at[*used];
        step = on_answer(s);
    }
    return step;
}
