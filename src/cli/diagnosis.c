#include "cli/diagnosis.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/duration.h"
#include "http/origin_clock.h"

#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)
#define WEIGHT_TENTHS 8 /* from this share on, public requests are held */

struct diagnosis {
    const struct upstream_config *upstream;
    const struct checkup_facts *facts;
    struct text rows, findings;
};

#define ROW(d, name, ...) row(d, name), text_printf(&(d)->rows, __VA_ARGS__)
#define FIND(d, ...)                                                                               \
    text_add_str(&(d)->findings, "  ! "), text_printf(&(d)->findings, __VA_ARGS__),                \
        text_add_str(&(d)->findings, "\n")

static void row(struct diagnosis *d, const char *name)
{
    text_printf(&d->rows, "%s  %-11s ", d->rows.len ? "\n" : "", name);
}

static double ms(uint64_t us)
{
    return (double)us / 1000;
}

/* ------------------------------------------------------------------ connecting */

static const char *in_plain_words(enum failure why)
{
    switch (why) {
    case FAILURE_DNS_ERROR: return "its name cannot be resolved";
    case FAILURE_DNS_TIMEOUT: return "the name servers do not answer";
    case FAILURE_CONNECTION_REFUSED: return "it refuses connections";
    case FAILURE_CONNECTION_TIMEOUT: return "it does not connect in time";
    case FAILURE_CONNECTION_TERMINATED: return "it closed the connection";
    case FAILURE_PROXY_CONFIGURATION_ERROR: return "the proxy of this exit wants another login";
    case FAILURE_TLS_CERTIFICATE_ERROR: return "its certificate is not trusted";
    case FAILURE_TLS_PROTOCOL_ERROR: return "the TLS handshake failed";
    case FAILURE_HTTP_RESPONSE_TIMEOUT: return "it accepts connections but does not respond";
    default: return "its response is not valid";
    }
}

static void look_at_failure(struct diagnosis *d)
{
    const struct upstream_config *u = d->upstream;
    enum failure why = d->facts->failure;
    if (why == FAILURE_TLS_CERTIFICATE_ERROR)
        FIND(d, "%s as %s: %s", in_plain_words(why), u->tls_name ? u->tls_name : u->host,
             d->facts->detail);
    else if (why != FAILURE_NONE)
        FIND(d, "%s: %s", in_plain_words(why), d->facts->detail);
}

static void look_at_addresses(struct diagnosis *d)
{
    const struct checkup_facts *f = d->facts;
    if (*f->addresses == '\0')
        return;
    ROW(d, "addresses", "%s", f->addresses);
    if (d->upstream->connect_to.len)
        text_add_str(&d->rows, " (connect_to)");
    else if (f->dns_us)
        text_printf(&d->rows, " (resolved in %.1f ms)", ms(f->dns_us));
}

/* Half of the limit is a problem: on a busier day it will be exceeded. */
static void look_at_pace(struct diagnosis *d, const char *what, uint64_t us, const char *directive,
                         uint64_t limit_ms)
{
    char limit[DURATION_TEXT_SIZE];
    if (limit_ms && us / 1000 > limit_ms / 2)
        FIND(d, "%s took %.0f ms, more than half of %s (%s)", what, ms(us), directive,
             duration_text(limit, limit_ms));
}

static void look_at_connecting(struct diagnosis *d)
{
    const struct checkup_facts *f = d->facts;
    ROW(d, "round trip", "%.1f ms (TCP connect)", ms(f->connect_us));
    if (*f->peer)
        text_printf(&d->rows, " to %s", f->peer);
    look_at_pace(d, "the TCP connect", f->connect_us, "connect_timeout",
                 d->upstream->connect_timeout);
}

/* -------------------------------------------------------------------------- TLS */

/* "30 days"; shortly before the end "47 hours". */
static const char *left_text(int64_t seconds, char out[32])
{
    bool near = seconds < 2 * DAY_S;
    snprintf(out, 32, "%" PRId64 " %s", seconds / (near ? HOUR_S : DAY_S), near ? "hours" : "days");
    return out;
}

static void look_at_certificate(struct diagnosis *d)
{
    char text[32];
    const struct checkup_facts *f = d->facts;
    int64_t left_s = f->valid_until_s - f->asked_ms / 1000;
    int64_t life_s = f->valid_until_s - f->valid_from_s;
    if (left_s < 0) {
        ROW(d, "certificate", "expired");
        FIND(d, "its certificate expired %s ago", left_text(-left_s, text));
        return;
    }
    ROW(d, "certificate", "%s left", left_text(left_s, text));
    if (left_s < DIAGNOSIS_CERT_DAYS * DAY_S && left_s < life_s / 3)
        FIND(d, "its certificate expires in %s", left_text(left_s, text));
}

static void look_at_tls(struct diagnosis *d)
{
    const struct checkup_facts *f = d->facts;
    if (!f->secure) {
        ROW(d, "TLS", "none: the url is http");
        return;
    }
    ROW(d, "TLS", "%s, ALPN %s, handshake %.1f ms%s", f->tls_version, *f->alpn ? f->alpn : "none",
        ms(f->tls_us), d->upstream->tls_verify ? "" : ", not verified (tls_verify = no)");
    look_at_certificate(d);
    look_at_pace(d, "the TLS handshake", f->tls_us, "tls_timeout", d->upstream->tls_timeout);
}

/* --------------------------------------------------------------------- its answer */

/* 451 means: not from this country. 403 and 404 are proper responses to "/". */
static bool is_bad_status(const struct checkup_facts *f)
{
    if (f->known_path)
        return f->status >= 300;
    return f->status >= 500 || f->status == 429 || f->status == 418 || f->status == 451;
}

static void look_at_answer(struct diagnosis *d)
{
    const struct checkup_facts *f = d->facts;
    ROW(d, "answer", "GET %s: %u in %.1f ms", f->path, f->status, ms(f->answer_us));
    if (is_bad_status(f))
        FIND(d, "it answered GET %s with status %u", f->path, f->status);
}

/* One response bounds the difference to an interval. The clock is off if all of it says so. */
static void look_at_clock(struct diagnosis *d)
{
    const struct checkup_facts *f = d->facts;
    struct origin_clock clock = {0};
    uint64_t answered_us = (uint64_t)f->answered_ms * 1000;
    if (!f->has_date) {
        ROW(d, "clock", "unknown: the answer has no Date, or comes from a cache");
        return;
    }
    origin_clock_add(&clock, f->date_s, (uint64_t)f->asked_ms * 1000, answered_us);
    struct origin_clock_view v = origin_clock_view(&clock, answered_us, (int64_t)answered_us);
    double off = (double)v.offset_us / 1e6, distance = off < 0 ? -off : off;
    double error = (double)v.error_us / 1e6;
    int64_t surely_us = origin_clock_surely_off(&v);
    if (surely_us == 0)
        ROW(d, "clock", "agrees with ours, within %.1f s", distance + error);
    else
        ROW(d, "clock", "ours is %.1f s %s, give or take %.1f s", distance,
            off < 0 ? "behind" : "ahead", error);
    if (surely_us > DIAGNOSIS_SKEW_MS * 1000)
        FIND(d, "our clock and the exchange's differ by %.1f s: signed requests will be refused",
             distance);
}

static void look_at_weight(struct diagnosis *d)
{
    const struct upstream_config *u = d->upstream;
    const struct checkup_facts *f = d->facts;
    if (u->weight_header == NULL)
        return;
    if (!f->has_weight) {
        ROW(d, "weight", "unknown: the answer has no %s", u->weight_header);
        return;
    }
    ROW(d, "weight", "%" PRId64, f->weight);
    if (u->weight_limit)
        text_printf(&d->rows, " of %u", u->weight_limit);
    text_add_str(&d->rows, " used");
    if (u->weight_limit && f->weight * 10 >= (int64_t)u->weight_limit * WEIGHT_TENTHS)
        FIND(d, "%" PRId64 " of the weight of %u are used up: public requests are held", f->weight,
             u->weight_limit);
}

bool diagnose(const struct upstream_config *u, const struct checkup_facts *f, struct text *page)
{
    struct diagnosis d = {.upstream = u, .facts = f};
    look_at_failure(&d);
    look_at_addresses(&d);
    if (f->connected) {
        look_at_connecting(&d);
        look_at_tls(&d);
    }
    if (f->status) {
        look_at_answer(&d);
        look_at_clock(&d);
        look_at_weight(&d);
    }
    bool well = d.findings.len == 0;
    text_printf(page, "%s  %s%s%s  %s\n", u->name, u->url, f->exit ? "  exit " : "",
                f->exit ? f->exit : "", well ? "well" : "not well");
    text_add(page, text_span(&d.findings));
    text_add(page, text_span(&d.rows));
    text_add_str(page, d.rows.len ? "\n" : "");
    text_free(&d.rows);
    text_free(&d.findings);
    return well;
}
