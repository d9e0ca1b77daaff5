/* What a head costs, of a request or an answer: in proportion to its bytes, with a small
 * constant, whatever is in it. The input is a recipe of at most 200 bytes for heads of
 * any size, so that what grows out of proportion is found, and found again:
 *
 *     KIND first NUL unit NUL between NUL other NUL last
 *
 * The units are repeated to fill the size, half of it each; heads of 4 KiB and of four
 * and eight times that are made. Work is counted in steps, not in time: the comparisons
 * that the compiler tells the fuzzer of (one or more for each turn of a loop), and for
 * each call of libc's that reads, writes or clears memory its length, eight bytes a step.
 * The calls are counted by wrapping them at link time (WRAPS_fuzz_work). */
#include <llhttp.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "budget/retry_after.h"
#include "cache/cache.h"
#include "front/access_line.h"
#include "http/framing.h"
#include "http/h1_write.h"
#include "http/head.h"
#include "protocol/h2_fields.h"
#include "protocol/keep_alive.h"
#include "proxy/api_key.h"
#include "proxy/credentials.h"
#include "proxy/guard.h"
#include "proxy/redact.h"
#include "proxy/rewrite.h"

#define SMALL 4096
#define RECIPE_MAX 200
#define STEPS_PER_BYTE                                                                             \
    600 /* a limit that no head reaches; the most expensive known head takes 395 */
#define STEPS_AT_LEAST 20000 /* of any head, however small */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ------------------------------------------------------------------ the counter */

static uint64_t steps;

#define WRAP_COMPARISON(name, type)                                                                \
    void __real_##name(type, type);                                                                \
    void __wrap_##name(type, type);                                                                \
    __attribute__((no_sanitize("coverage"))) void __wrap_##name(type a, type b)                    \
    {                                                                                              \
        steps++;                                                                                   \
        __real_##name(a, b);                                                                       \
    }

WRAP_COMPARISON(__sanitizer_cov_trace_cmp1, uint8_t)
WRAP_COMPARISON(__sanitizer_cov_trace_cmp2, uint16_t)
WRAP_COMPARISON(__sanitizer_cov_trace_cmp4, uint32_t)
WRAP_COMPARISON(__sanitizer_cov_trace_cmp8, uint64_t)
WRAP_COMPARISON(__sanitizer_cov_trace_const_cmp1, uint8_t)
WRAP_COMPARISON(__sanitizer_cov_trace_const_cmp2, uint16_t)
WRAP_COMPARISON(__sanitizer_cov_trace_const_cmp4, uint32_t)
WRAP_COMPARISON(__sanitizer_cov_trace_const_cmp8, uint64_t)

static void count_bytes(size_t n)
{
    steps += 1 + n / 8;
}

static size_t alike(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

void *__real___asan_memcpy(void *, const void *, size_t);
void *__real___asan_memmove(void *, const void *, size_t);
void *__real___asan_memset(void *, int, size_t);
void *__real_calloc(size_t, size_t);
void *__real_memchr(const void *, int, size_t);
int __real_memcmp(const void *, const void *, size_t);
int __real_strncasecmp(const char *, const char *, size_t);
int __real_vsnprintf(char *, size_t, const char *, va_list);
void *__wrap___asan_memcpy(void *, const void *, size_t);
void *__wrap___asan_memmove(void *, const void *, size_t);
void *__wrap___asan_memset(void *, int, size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_memchr(const void *, int, size_t);
int __wrap_memcmp(const void *, const void *, size_t);
int __wrap_strncasecmp(const char *, const char *, size_t);
int __wrap_vsnprintf(char *, size_t, const char *, va_list);

void *__wrap___asan_memcpy(void *to, const void *from, size_t n)
{
    count_bytes(n);
    return __real___asan_memcpy(to, from, n);
}

void *__wrap___asan_memmove(void *to, const void *from, size_t n)
{
    count_bytes(n);
    return __real___asan_memmove(to, from, n);
}

void *__wrap___asan_memset(void *to, int byte, size_t n)
{
    count_bytes(n);
    return __real___asan_memset(to, byte, n);
}

void *__wrap_calloc(size_t count, size_t size)
{
    count_bytes(count * size);
    return __real_calloc(count, size);
}

/* The following functions stop when they find what they search for. */
void *__wrap_memchr(const void *s, int byte, size_t n)
{
    void *found = __real_memchr(s, byte, n);
    count_bytes(found ? (size_t)((const char *)found - (const char *)s) : n);
    return found;
}

int __wrap_memcmp(const void *a, const void *b, size_t n)
{
    count_bytes(alike(a, b, n));
    return __real_memcmp(a, b, n);
}

int __wrap_strncasecmp(const char *a, const char *b, size_t n)
{
    int order = __real_strncasecmp(a, b, n);
    count_bytes(order ? alike(a, b, n) : n);
    return order;
}

int __wrap_vsnprintf(char *to, size_t size, const char *format, va_list arguments)
{
    int n = __real_vsnprintf(to, size, format, arguments);
    count_bytes(n > 0 ? (size_t)n : 0);
    return n;
}

/* -------------------------------------------------------------------- one head */

enum kind { TARGET, REQUEST, ANSWER, KINDS };

/* Gathers the head as the parsers of client and h1_conn do. */
struct parsed {
    llhttp_t parser;
    struct head head;
    bool whole;
};

static int on_text(llhttp_t *p, const char *at, size_t len)
{
    struct parsed *m = p->data;
    return head_add(&m->head, at, len) ? 0 : -1;
}

static int on_cut(llhttp_t *p)
{
    struct parsed *m = p->data;
    head_cut(&m->head);
    return 0;
}

static int on_complete(llhttp_t *p)
{
    struct parsed *m = p->data;
    m->whole = true;
    return HPE_PAUSED;
}

static bool parse(struct parsed *m, struct arena *arena, llhttp_type_t type, struct span text)
{
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_method = settings.on_url = settings.on_status = on_text;
    settings.on_header_field = settings.on_header_value = on_text;
    settings.on_method_complete = settings.on_url_complete = settings.on_status_complete = on_cut;
    settings.on_header_field_complete = settings.on_header_value_complete = on_cut;
    settings.on_headers_complete = on_complete;
    llhttp_init(&m->parser, type, &settings);
    m->parser.data = m;
    m->whole = false;
    head_start(&m->head, arena, 16 * SMALL);
    llhttp_execute(&m->parser, text.at, text.len);
    return m->whole;
}

static const struct config *config;
static const struct ingress ingress = {
    .is_loopback = true, .port = 8642, .client = "127.0.0.1:9", .address = "127.0.0.1"};

static void complain(void *context, const char *message)
{
    (void)context;
    fprintf(stderr, "%s\n", message);
}

static void configure(void)
{
    static const char text[] = "defaults { fresh = 1s\nstale_if_error = 1s\ncoalesce = yes\n"
                               "error_prefix = \"{\"\n}\n"
                               "upstream a {\nurl = \"https://exchange.test\"\n"
                               "preset = binance\nshareable_headers = {\"a*\", \"c*\", \"h*\", "
                               "\"i*\", \"p*\", \"v*\"}\n}\n"
                               "upstream b {\nurl = \"https://b.test\"\n}\n";
    if (config == NULL)
        config = config_parse("work.conf", text, strlen(text), complain, NULL);
    CHECK(config != NULL);
}

static void write_request(struct arena *a, const struct request *q, const struct fields *to)
{
    struct text out = {0};
    struct conn_request r = {.method = q->method,
                             .target = SPAN("/"),
                             .authority = SPAN("exchange.test"),
                             .fields = *to,
                             .framing = FRAMING_NONE};
    size_t count;
    h1_write_request(&out, r.method, r.target, r.authority, to, FRAMING_NONE, 0);
    h2_request_fields(a, &r, true, &count);
    text_free(&out);
}

static void log_line(const struct request *q, const struct route *r)
{
    static const struct timespec at;
    struct text target = {0}, line = {0};
    if (r->kind == ROUTE_UPSTREAM)
        redact_target(&target, &config->upstreams[0]->credential_params, q->target);
    else
        redact_unrouted(&target, &config->upstreams[0]->credential_params, q->target);
    struct record record = {.client = "127.0.0.1:9",
                            .bot = "bot",
                            .method = q->method,
                            .upstream = "a",
                            .target = text_span(&target)};
    access_line(&line, LOG_FORMAT_LOGFMT, &at, &record);
    access_line(&line, LOG_FORMAT_JSON, &at, &record);
    text_free(&line);
    text_free(&target);
}

/* Everything that desk, proxy and transaction evaluate in a request's head. */
static void take_request(struct arena *a, struct request *q, struct route *r)
{
    const struct upstream_config *u = config->upstreams[0];
    struct verdict why;
    uint64_t ms;
    (void)!framing_of_request(q, &why);
    route_request(config, &ingress, q, r);
    (void)!guard_request(config, &ingress, q, r, &why);
    log_line(q, r);
    bool is_private = request_is_private(u, &q->fields, q->target);
    struct rewrite relay = {config, u, &ingress, q, r, is_private};
    (void)!rewrite_timeout(q, &ms, &why);
    rewrite_ends_here(q);
    rewrite_trace(&relay);
    request_api_key(u, &q->fields, q->target);
    (void)cache_policy_of(u, q, is_private);
    struct fields to = rewrite_request(&relay);
    write_request(a, q, &to);
}

/* Everything that is evaluated in a response's head, for a request with the same fields. */
static void take_answer(struct arena *a, struct request *q, const struct route *r,
                        struct response *from)
{
    static const struct timing timing;
    static const struct cache_status note;
    struct verdict why;
    struct text out = {0};
    (void)!framing_of_response(from, false, &why);
    keep_alive_rest_ms(&from->fields);
    struct cache_policy policy = cache_policy_of(config->upstreams[0], q, false);
    policy.fields = &q->fields;
    policy.is_conditional = true;
    if (cache_policy_stores(from)) {
        struct stored_response *s = stored_response_new(from, &q->fields, 0, 0);
        stored_response_fits(s, &q->fields);
        stored_response_head(s, &policy, 0, a);
        stored_response_unref(s);
    }
    struct rewrite relay = {config, config->upstreams[0], &ingress, q, r, false};
    struct response to = rewrite_response(&relay, from, &timing, &note);
    h1_write_response(&out, &to, FRAMING_NONE, (struct h1_connection){0});
    rewrite_switch(a, from);
    rewrite_trailers(a, &from->fields);
    text_free(&out);
}

static void ask_for(struct arena *a, struct request *q, struct route *r, size_t path_len)
{
    char *target = arena_alloc(a, path_len + 3);
    memset(target, 'x', path_len + 3);
    memcpy(target, "/a/", 3);
    q->method = SPAN("GET");
    q->target = (struct span){target, path_len + 3};
    route_request(config, &ingress, q, r);
}

static uint64_t cost(enum kind kind, struct span text)
{
    struct arena *a = arena_new();
    struct parsed m;
    struct route route;
    struct request q = {.arena = a, .minor = 1};
    steps = 0;
    if (kind == ANSWER && parse(&m, a, HTTP_RESPONSE, text)) {
        struct response r = {.status = m.parser.status_code, .reason = head_reason(&m.head, 0)};
        r.fields = q.fields = head_fields(&m.head, 1);
        ask_for(a, &q, &route, text.len / 2);
        take_answer(a, &q, &route, &r);
    } else if (kind != ANSWER && parse(&m, a, HTTP_REQUEST, text)) {
        q.method = head_piece(&m.head, 0);
        q.target = head_piece(&m.head, 1);
        q.fields = head_fields(&m.head, 2);
        take_request(a, &q, &route);
    }
    arena_free(a);
    return steps;
}

/* -------------------------------------------------------------------- its recipe */

struct recipe {
    enum kind kind;
    struct span first, unit, between, other, last;
};

static struct span next_part(struct span *rest)
{
    size_t end = span_find(*rest, '\0');
    struct span part = span_first(*rest, end);
    *rest = span_from(*rest, end + 1);
    return part;
}

static void fill(struct text *to, struct span unit, size_t bytes)
{
    for (size_t n = 0; unit.len && n + unit.len <= bytes; n += unit.len)
        text_add(to, unit);
}

static uint64_t cost_at(const struct recipe *r, size_t bytes)
{
    static const char *const begins[KINDS] = {"GET /", "GET /a/x HTTP/1.1\r\nHost: localhost\r\n",
                                              "HTTP/1.1 200 OK\r\n"};
    static const char *const ends[KINDS] = {" HTTP/1.1\r\nHost: localhost\r\n\r\n", "\r\n\r\n",
                                            "\r\n\r\n"};
    struct text text = {0};
    size_t units = r->other.len ? 2 : 1;
    text_add_str(&text, begins[r->kind]);
    text_add(&text, r->first);
    fill(&text, r->unit, bytes / units);
    text_add(&text, r->between);
    fill(&text, r->other, bytes / units);
    text_add(&text, r->last);
    text_add_str(&text, ends[r->kind]);
    uint64_t spent = cost(r->kind, text_span(&text));
    text_free(&text);
    return spent;
}

static void check_bound(uint64_t spent, size_t bytes)
{
    if (getenv("FUZZ_WORK_VERBOSE"))
        fprintf(stderr, "%zu bytes: %llu steps, %.1f a byte\n", bytes, (unsigned long long)spent,
                (double)spent / (double)bytes);
    CHECK(spent <= STEPS_AT_LEAST + STEPS_PER_BYTE * bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > RECIPE_MAX)
        return 0;
    configure();
    struct span rest = {(const char *)data + 1, size - 1};
    struct recipe r = {.kind = data[0] % KINDS, .first = next_part(&rest)};
    r.unit = next_part(&rest);
    r.between = next_part(&rest);
    r.other = next_part(&rest);
    r.last = rest;
    check_bound(cost_at(&r, SMALL), SMALL);
    uint64_t half = cost_at(&r, 4 * SMALL), whole = cost_at(&r, 8 * SMALL);
    check_bound(half, 4 * SMALL);
    check_bound(whole, 8 * SMALL);
    CHECK(whole <= STEPS_AT_LEAST + half * 5 / 2);
    return 0;
}
