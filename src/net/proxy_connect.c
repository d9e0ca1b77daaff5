#include "net/proxy_connect.h"

#include <stdio.h>

#include "net/address.h"

/* ------------------------------------------------------------------------ saying */

static void add(struct hello *h, const char *text)
{
    size_t len = strlen(text);
    CHECK(len <= sizeof h->out - h->out_len);
    memcpy(h->out + h->out_len, text, len);
    h->out_len += len;
}

/* RFC 4648 4, of at most 255 + 1 + 255 bytes. */
static void add_base64(struct hello *h, struct span s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.len; i += 3) {
        uint32_t bits = 0;
        size_t left = s.len - i < 3 ? s.len - i : 3;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < left ? (unsigned char)s.at[i + k] : 0);
        char four[5] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        add(h, four);
    }
}

static void add_login(struct hello *h, const char *user, const char *password)
{
    char login[520];
    int len = snprintf(login, sizeof login, "%s:%s", user, password);
    CHECK(len > 0 && (size_t)len < sizeof login);
    add(h, "Proxy-Authorization: Basic ");
    add_base64(h, (struct span){login, (size_t)len});
    add(h, "\r\n");
}

void proxy_connect_init(struct proxy_connect *p, const char *user, const char *password,
                        const struct hello_target *t)
{
    char authority[ADDRESS_TEXT + 256];
    bool is_ip6 = t->host && strchr(t->host, ':');
    *p = (struct proxy_connect){.has_login = user, .is_first = true};
    if (t->address)
        address_format(t->address, authority);
    else
        snprintf(authority, sizeof authority, "%s%s%s:%u", is_ip6 ? "[" : "", t->host,
                 is_ip6 ? "]" : "", t->port);
    add(&p->hello, "CONNECT ");
    add(&p->hello, authority);
    add(&p->hello, " HTTP/1.1\r\nHost: ");
    add(&p->hello, authority);
    add(&p->hello, "\r\n");
    if (user)
        add_login(&p->hello, user, password);
    add(&p->hello, "\r\n");
}

/* ----------------------------------------------------------------------- hearing */

static enum hello_step refuse(struct proxy_connect *p, enum failure why, const char *detail)
{
    p->ended = true;
    return hello_refuse(&p->hello, why, detail);
}

/* The status line as far as it has come; only digits vary (RFC 9112 4). */
static bool is_status_line(const char *line, size_t len)
{
    static const char form[] = "HTTP/1.# ### ";
    for (size_t i = 0; i < len; i++) {
        bool is_digit = line[i] >= '0' && line[i] <= '9';
        if (form[i] == '#' ? !is_digit : line[i] != form[i])
            return false;
    }
    return true;
}

static enum hello_step on_status(struct proxy_connect *p)
{
    char words[60];
    snprintf(words, sizeof words, "the proxy answered %u", p->status);
    if (p->status / 100 == 1 && p->status != 101) {
        p->is_first = true; /* an interim answer: another follows */
        return HELLO_MORE;
    }
    if (p->status / 100 == 2) {
        p->ended = true;
        return HELLO_OPEN;
    }
    if (p->status == 407)
        return refuse(p, FAILURE_PROXY_CONFIGURATION_ERROR,
                      p->has_login ? "the proxy refused the login (407)"
                                   : "the proxy wants a login (407)");
    if (p->status < 300 || p->status > 599)
        return refuse(p, FAILURE_HTTP_PROTOCOL_ERROR, words);
    return refuse(p, p->status == 504 ? FAILURE_CONNECTION_TIMEOUT : FAILURE_CONNECTION_REFUSED,
                  words);
}

static enum hello_step garbage(struct proxy_connect *p)
{
    return refuse(p, FAILURE_HTTP_PROTOCOL_ERROR, "what the proxy answered is not HTTP/1.1");
}

static enum hello_step on_line(struct proxy_connect *p)
{
    size_t len = p->line_len;
    p->line_len = 0;
    if (!p->is_first)
        return len == 0 ? on_status(p) : HELLO_MORE;
    if (len < 12)
        return garbage(p);
    p->is_first = false;
    const char *digits = p->status_line + 9;
    p->status = (unsigned)((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0'));
    return HELLO_MORE;
}

/* A lone LF ends a line too (RFC 9112 2.2), and so a CR before it is none of the line's. */
static enum hello_step on_byte(struct proxy_connect *p, char c)
{
    if (++p->head_len > PROXY_CONNECT_HEAD_MAX)
        return refuse(p, FAILURE_HTTP_PROTOCOL_ERROR, "the proxy's answer is longer than 16 KiB");
    if (c == '\0')
        return garbage(p);
    if (c == '\n')
        return on_line(p);
    if (c == '\r')
        return HELLO_MORE;
    if (p->is_first && p->line_len < sizeof p->status_line) {
        p->status_line[p->line_len] = c;
        if (!is_status_line(p->status_line, p->line_len + 1))
            return garbage(p);
    }
    p->line_len++;
    return HELLO_MORE;
}

enum hello_step proxy_connect_feed(struct proxy_connect *p, struct span data, size_t *used)
{
    enum hello_step step = HELLO_MORE;
    CHECK(!p->ended);
    for (*used = 0; *used < data.len && step == HELLO_MORE; ++*used)
        step = on_byte(p, data.at[*used]);
    return step;
}
