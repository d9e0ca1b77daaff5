#include "fake_dns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ROWS_MAX 2048
#define TYPE_A 1
#define TYPE_AAAA 28

struct row {
    char name[64], addresses[200];
    unsigned ttl, asked;
    enum fake_reply reply;
};

struct fake_dns {
    uv_udp_t udp;
    char servers[32], buffer[1500];
    struct row rows[ROWS_MAX];
    size_t count;
};

struct packet {
    unsigned char at[1500];
    size_t len;
};

static struct row *find(const struct fake_dns *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcasecmp(f->rows[i].name, name) == 0)
            return (struct row *)&f->rows[i];
    return NULL;
}

static void put16(struct packet *p, unsigned value)
{
    p->at[p->len++] = (unsigned char)(value >> 8);
    p->at[p->len++] = (unsigned char)value;
}

/* Writes the question's name with dots; returns the position of its type. */
static size_t read_name(const unsigned char *query, size_t len, char name[256])
{
    size_t at = 12, n = 0;
    while (at < len && query[at]) {
        size_t label = query[at++];
        CHECK(at + label < len && n + label + 1 < 256);
        memcpy(name + n, query + at, label);
        n += label;
        name[n++] = '.';
        at += label;
    }
    name[n ? n - 1 : 0] = '\0';
    return at + 1;
}

static unsigned add_answers(struct packet *p, const struct row *row, unsigned type)
{
    char list[200], *rest = list, *one;
    unsigned count = 0;
    snprintf(list, sizeof list, "%s", row->addresses);
    while ((one = strsep(&rest, ","))) {
        unsigned char ip[16];
        int family = strchr(one, ':') ? AF_INET6 : AF_INET;
        if (*one == '\0' || (family == AF_INET) != (type == TYPE_A))
            continue;
        CHECK(inet_pton(family, one, ip) == 1);
        unsigned size = family == AF_INET ? 4 : 16;
        put16(p, 0xc00c); /* the question's name */
        put16(p, type);
        put16(p, 1);
        put16(p, row->ttl >> 16);
        put16(p, row->ttl & 0xffff);
        put16(p, size);
        memcpy(p->at + p->len, ip, size);
        p->len += size;
        count++;
    }
    return count;
}

/* How a question of that type is answered: one of the first four. */
static enum fake_reply reply_to(enum fake_reply reply, bool is_a)
{
    switch (reply) {
    case FAKE_ONLY_A: return is_a ? FAKE_ANSWER : FAKE_SILENCE;
    case FAKE_ONLY_AAAA: return is_a ? FAKE_SILENCE : FAKE_ANSWER;
    case FAKE_ONLY_A_NXDOMAIN: return is_a ? FAKE_NXDOMAIN : FAKE_SILENCE;
    case FAKE_ONLY_AAAA_NXDOMAIN: return is_a ? FAKE_SILENCE : FAKE_NXDOMAIN;
    case FAKE_A_NXDOMAIN_AAAA_SERVFAIL: return is_a ? FAKE_NXDOMAIN : FAKE_SERVFAIL;
    case FAKE_AAAA_SERVFAIL: return is_a ? FAKE_ANSWER : FAKE_SERVFAIL;
    case FAKE_AAAA_NXDOMAIN: return is_a ? FAKE_ANSWER : FAKE_NXDOMAIN;
    default: return reply;
    }
}

static void answer(struct fake_dns *f, const unsigned char *query, size_t len,
                   const struct sockaddr *peer)
{
    char name[256];
    size_t type_at = read_name(query, len, name);
    unsigned type = (unsigned)(query[type_at] << 8 | query[type_at + 1]), rcode = 3, count = 0;
    struct packet p = {.len = type_at + 4};
    struct row *row = find(f, name);
    if (row && type == TYPE_A)
        row->asked++;
    enum fake_reply reply = row ? reply_to(row->reply, type == TYPE_A) : FAKE_NXDOMAIN;
    if (reply == FAKE_SILENCE)
        return;
    memcpy(p.at, query, p.len);
    if (reply != FAKE_NXDOMAIN)
        rcode = reply == FAKE_SERVFAIL ? 2 : 0;
    if (reply == FAKE_ANSWER)
        count = add_answers(&p, row, type);
    p.at[2] = 0x81; /* response, recursion desired */
    p.at[3] = (unsigned char)(0x80 | rcode);
    p.at[6] = 0;
    p.at[7] = (unsigned char)count;
    memset(p.at + 8, 0, 4);
    uv_buf_t piece = uv_buf_init((char *)p.at, (unsigned)p.len);
    CHECK(uv_udp_try_send(&f->udp, &piece, 1, peer) == (int)p.len);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct fake_dns *f = handle->data;
    (void)size;
    *out = uv_buf_init(f->buffer, sizeof f->buffer);
}

static void on_query(uv_udp_t *handle, ssize_t len, const uv_buf_t *in, const struct sockaddr *peer,
                     unsigned flags)
{
    (void)flags;
    if (len > 12 && peer)
        answer(handle->data, (const unsigned char *)in->base, (size_t)len, peer);
}

struct fake_dns *fake_dns_new(struct loop *loop)
{
    struct fake_dns *f = NEW(struct fake_dns);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof at;
    f->udp.data = f;
    CHECK(uv_udp_init(loop_uv(loop), &f->udp) == 0);
    CHECK(uv_udp_bind(&f->udp, (struct sockaddr *)&at, 0) == 0);
    CHECK(uv_udp_getsockname(&f->udp, (struct sockaddr *)&at, &len) == 0);
    CHECK(uv_udp_recv_start(&f->udp, on_alloc, on_query) == 0);
    snprintf(f->servers, sizeof f->servers, "127.0.0.1:%u", ntohs(at.sin_port));
    return f;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void fake_dns_free(struct fake_dns *f)
{
    uv_close((uv_handle_t *)&f->udp, on_closed);
}

const char *fake_dns_servers(const struct fake_dns *f)
{
    return f->servers;
}

void fake_dns_set(struct fake_dns *f, const char *name, const char *addresses, unsigned ttl)
{
    struct row *row = find(f, name);
    if (row == NULL) {
        CHECK(f->count < ROWS_MAX);
        row = &f->rows[f->count++];
        snprintf(row->name, sizeof row->name, "%s", name);
    }
    row->reply = FAKE_ANSWER;
    row->ttl = ttl;
    snprintf(row->addresses, sizeof row->addresses, "%s", addresses);
}

void fake_dns_reply(struct fake_dns *f, const char *name, enum fake_reply reply)
{
    struct row *row = find(f, name);
    CHECK(row != NULL);
    row->reply = reply;
}

unsigned fake_dns_asked(const struct fake_dns *f, const char *name)
{
    const struct row *row = find(f, name);
    return row ? row->asked : 0;
}
