#include "net/chain.h"

#include <mbedtls/oid.h>

#include "base/rare.h"
#include "net/name_constraints.h"

#define TRIES_MAX 8    /* paths given to mbedTLS: each costs signature checks */
#define STEPS_MAX 200  /* steps of the search for paths */
#define WORK_MAX 50000 /* names compared with constraints */

/* ---------------------------------------------------------------- one path */

void chain_note(struct chain *c, const mbedtls_x509_crt *cert, int depth, uint32_t flags)
{
    CHECK(depth >= 0 && depth < CHAIN_MAX);
    if (c->len == 0)
        c->len = (size_t)depth + 1;
    c->path[depth] = cert;
    c->flags |= flags;
}

/* The whole path is verified, so it is valid until the first of its certificates expires. */
static void note_validity(struct chain *c)
{
    for (size_t i = 0; i < c->len; i++) {
        int64_t until_s = x509_seconds(&c->path[i]->valid_to);
        if (i > 0 && until_s >= c->valid_until_s)
            continue;
        c->valid_until_s = until_s;
        c->valid_from_s = x509_seconds(&c->path[i]->valid_from);
    }
}

static struct span bytes(const mbedtls_x509_buf *b)
{
    return (struct span){(const char *)b->p, b->len};
}

static bool is_self_issued(const mbedtls_x509_crt *cert)
{
    return span_is(bytes(&cert->issuer_raw), bytes(&cert->subject_raw));
}

/* RFC 6125 6.4.4: the CN does not count as a name. IP addresses are not passed to mbedTLS as the
 * expected name (it would send them as SNI), so they are compared here, byte for byte (RFC 2818
 * 3.1). */
static bool is_named(const mbedtls_x509_crt *leaf, const struct chain_peer *peer)
{
    if (peer->host)
        return mbedtls_x509_crt_has_ext_type(leaf, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME);
    struct span ip = {(const char *)peer->ip, peer->ip_len};
    for (const mbedtls_x509_sequence *n = &leaf->subject_alt_names; n; n = n->next)
        if ((n->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS &&
            span_is(bytes(&n->buf), ip))
            return true;
    return false;
}

/* Checks the certificates below an issuer, one after the other, against its constraints. */
struct inquiry {
    struct span constraints;
    size_t work;
};

static bool admits(struct inquiry *q, int kind, struct span value)
{
    struct general_name name = {kind, value};
    return name_constraints_admit(q->constraints, &name, &q->work);
}

/* All of its names, RFC 5280 6.1.3 (b) and (c). An empty subject, whose DER is two bytes, is not a
 * name. */
static bool admits_cert(struct inquiry *q, const mbedtls_x509_crt *cert)
{
    if (cert->subject_raw.len > 2 && !admits(q, NAME_DIRECTORY, bytes(&cert->subject_raw)))
        return false;
    for (const mbedtls_x509_sequence *n = &cert->subject_alt_names; n; n = n->next)
        if (n->buf.p && !admits(q, n->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK, bytes(&n->buf)))
            return false;
    return true;
}

/* The requested name is checked as well: a wildcard may cover an excluded name. */
static bool admits_peer(struct inquiry *q, const struct chain_peer *peer)
{
    struct span ip = {(const char *)peer->ip, peer->ip_len};
    return peer->host ? admits(q, NAME_DNS, span_of(peer->host)) : admits(q, NAME_ADDRESS, ip);
}

/* Constraints do not apply to self-issued intermediates (used when a CA changes its key). */
static bool keeps_constraints(const struct chain *c, size_t issuer, const struct chain_peer *peer)
{
    struct inquiry q = {.work = WORK_MAX};
    if (!x509_extension(c->path[issuer],
                        (struct span){MBEDTLS_OID_NAME_CONSTRAINTS,
                                      MBEDTLS_OID_SIZE(MBEDTLS_OID_NAME_CONSTRAINTS)},
                        &q.constraints))
        return false;
    if (q.constraints.at == NULL)
        return true;
    for (size_t i = 0; i < issuer; i++)
        if ((i == 0 || !is_self_issued(c->path[i])) && !admits_cert(&q, c->path[i]))
            return false;
    return admits_peer(&q, peer);
}

static bool is_for_servers(const mbedtls_x509_crt *cert)
{
    return mbedtls_x509_crt_check_extended_key_usage(
               cert, MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) == 0;
}

/* The checks that mbedTLS leaves out. They cover all issuers, including the anchor. */
static uint32_t hold(struct chain *c, const struct chain_peer *peer)
{
    uint32_t flags = c->flags;
    c->why = NULL;
    note_validity(c);
    if (!is_named(c->path[0], peer))
        flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    for (size_t i = 1; i < c->len; i++) {
        if (!is_for_servers(c->path[i]))
            c->why = "an issuer in its chain may not vouch for servers (extended key usage)";
        else if (!keeps_constraints(c, i, peer))
            c->why = "an issuer in its chain may not vouch for these names (name constraints)";
        else
            continue;
        return flags | MBEDTLS_X509_BADCERT_OTHER;
    }
    return flags;
}

/* ------------------------------------------------------------ any other path */

struct search {
    mbedtls_x509_crt *shown[X509_SHOWN_MAX];
    size_t shown_count;
    bool taken[X509_SHOWN_MAX];
    mbedtls_x509_crt path[CHAIN_MAX]; /* copies that share all but `next` */
    size_t len;
    unsigned steps, tries;
    const struct chain_peer *peer;
    mbedtls_x509_crt *anchors;
    struct chain *best; /* the result, if nothing better is found */
    uint32_t flags;     /* of `best`; 0: found */
};

static int on_verify(void *context, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    chain_note(context, cert, depth, *flags);
    *flags = 0;
    return 0;
}

/* A failed path that reaches an anchor is the better result, since its error says what is wrong. */
static bool is_better(const struct search *s, uint32_t flags)
{
    return flags == 0 || (s->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED &&
                          !(flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED));
}

static void try_path(struct search *s)
{
    struct chain c = {0};
    uint32_t flags;
    for (size_t i = 0; i < s->len; i++)
        s->path[i].next = i + 1 < s->len ? &s->path[i + 1] : NULL;
    s->tries++;
    int error = mbedtls_x509_crt_verify_with_profile(&s->path[0], s->anchors, NULL,
                                                     &mbedtls_x509_crt_profile_default,
                                                     s->peer->host, &flags, on_verify, &c);
    if (error || c.len == 0)
        return;
    flags = hold(&c, s->peer);
    if (!is_better(s, flags))
        return;
    s->flags = flags;
    s->best->why = c.why;
    s->best->valid_from_s = c.valid_from_s;
    s->best->valid_until_s = c.valid_until_s;
}

/* Issuers are matched by name, and by key identifier where both certificates have one (RFC 5280
 * 4.2.1.1): checking signatures costs more. */
static bool is_issued_by(const mbedtls_x509_crt *cert, const mbedtls_x509_crt *issuer)
{
    struct span wanted = bytes(&cert->authority_key_id.keyIdentifier);
    struct span key = bytes(&issuer->subject_key_id);
    return span_is(bytes(&cert->issuer_raw), bytes(&issuer->subject_raw)) &&
           (wanted.len == 0 || key.len == 0 || span_is(wanted, key));
}

static bool is_below_anchor(const struct search *s, const mbedtls_x509_crt *cert)
{
    for (const mbedtls_x509_crt *a = s->anchors; a && a->raw.len; a = a->next)
        if (is_issued_by(cert, a))
            return true;
    return false;
}

static bool is_done(const struct search *s)
{
    return s->flags == 0 || s->tries == TRIES_MAX || s->steps == STEPS_MAX;
}

/* Depth-first search: the next certificate is one that may have issued the last one. */
static void extend(struct search *s, const mbedtls_x509_crt *last)
{
    if (is_done(s) || s->len == CHAIN_MAX)
        return;
    s->steps++;
    s->path[s->len++] = *last;
    if (is_below_anchor(s, last))
        try_path(s);
    for (size_t i = 0; i < s->shown_count; i++) {
        if (s->taken[i] || !is_issued_by(last, s->shown[i]))
            continue;
        s->taken[i] = true;
        extend(s, s->shown[i]);
        s->taken[i] = false;
    }
    s->len--;
}

static uint32_t search(struct chain *c, uint32_t flags, const struct chain_peer *peer,
                       mbedtls_x509_crt *anchors)
{
    struct search s = {.peer = peer, .anchors = anchors, .best = c, .flags = flags};
    const mbedtls_x509_crt *leaf = c->path[0];
    for (mbedtls_x509_crt *at = leaf->next; at && s.shown_count < X509_SHOWN_MAX; at = at->next)
        s.shown[s.shown_count++] = at;
    rare_note(RARE_CHAIN_OTHER_ORDER);
    extend(&s, leaf);
    return s.flags;
}

/* Usually the path that mbedTLS found, with the certificates in the order in which they were sent,
 * is the right one. If the leaf has a different name, no other path can help. */
uint32_t chain_judge(struct chain *c, const struct chain_peer *peer, mbedtls_x509_crt *anchors)
{
    CHECK(c->len > 0);
    uint32_t flags = hold(c, peer);
    bool others_may_do = (flags & ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0;
    return others_may_do ? search(c, flags, peer, anchors) : flags;
}
