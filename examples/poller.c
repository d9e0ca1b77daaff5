#include "examples/poller.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define BODY_MAX (256 * 1024)

uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------- receiving */

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct poller *a = context;
    (void)size; /* 1 */
    a->too_long = a->body.len + count > BODY_MAX;
    if (a->too_long)
        return 0;
    text_add(&a->body, (struct span){data, count});
    return count;
}

/* Called once per header field; a status line begins a new head. */
static size_t on_field(char *data, size_t size, size_t count, void *context)
{
    struct poller *a = context;
    (void)size; /* 1 */
    struct span line = {data, count};
    size_t colon = span_find(line, ':');
    struct span name = span_first(line, colon), value = span_from(line, colon + 1);
    while (value.len && (value.at[value.len - 1] == '\n' || value.at[value.len - 1] == '\r'))
        value.len--;
    if (span_starts(line, SPAN("HTTP/"))) {
        a->age_s = 0;
        a->is_stale = false;
    } else if (span_is_nocase(name, SPAN("Age"))) {
        a->age_s = quote_age_s(value);
    } else if (span_is_nocase(name, SPAN("Cache-Status"))) {
        a->is_stale |= quote_is_stale(value);
    }
    return count;
}

/* -------------------------------------------------------------------- life cycle */

void poller_init(struct poller *a, struct venue *v, const char *base, unsigned timeout_ms)
{
    char timeout[64];
    struct text url = {0};
    *a = (struct poller){.venue = v, .easy = curl_easy_init()};
    CHECK(a->easy != NULL);
    text_printf(&url, "%s%s%.*s%s", base, v->kind->path, SPAN_ARG(v->symbol), v->kind->tail);
    a->url = url.at;
    snprintf(timeout, sizeof timeout, "Trunkline-Timeout: %ums", timeout_ms);
    a->fields = curl_slist_append(a->fields, timeout);
    a->fields = curl_slist_append(a->fields, "Trunkline-Client: arbscan");
    curl_easy_setopt(a->easy, CURLOPT_URL, a->url);
    curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, a->fields);
    curl_easy_setopt(a->easy, CURLOPT_PATH_AS_IS, 1L); /* keep "//" in the path */
    curl_easy_setopt(a->easy, CURLOPT_PROXY, "");      /* the URL names trunkline itself */
    curl_easy_setopt(a->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(a->easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(a->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(a->easy, CURLOPT_HEADERFUNCTION, on_field);
    curl_easy_setopt(a->easy, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(a->easy, CURLOPT_ERRORBUFFER, a->curl_error);
    curl_easy_setopt(a->easy, CURLOPT_PRIVATE, a);
}

void poller_clear(struct poller *a)
{
    curl_easy_cleanup(a->easy);
    curl_slist_free_all(a->fields);
    text_free(&a->body);
    free(a->url);
}

void poller_start(struct poller *a, CURLM *multi)
{
    a->asking = true;
    a->too_long = false;
    a->curl_error[0] = '\0';
    text_clear(&a->body);
    CHECK(curl_multi_add_handle(multi, a->easy) == CURLM_OK);
}

static void fail(struct poller *a, const char *format, ...) PRINTF_LIKE(2, 3);

static void fail(struct poller *a, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(a->venue->error, sizeof a->venue->error, format, arguments);
    va_end(arguments);
    a->venue->state = VENUE_FAILED;
}

/* Errors of trunkline's own are plain text; the first line describes the error. */
static void fail_by_status(struct poller *a, long status)
{
    struct span words = text_span(&a->body);
    words = span_first(words, span_find(words, '\n'));
    fail(a, "status %ld%s%.*s", status, words.len ? ": " : "", SPAN_ARG(words));
}

static void take_quote(struct poller *a)
{
    struct venue *v = a->venue;
    struct quote quote;
    char error[sizeof v->error];
    if (!quote_read(v->kind, v->symbol, text_span(&a->body), &quote, error, sizeof error)) {
        fail(a, "%s", error);
        return;
    }
    v->answered = true;
    v->quote = quote;
    v->stale = a->is_stale;
    v->error[0] = '\0';
    v->state = VENUE_GOOD; /* until judged */
    a->received_ms = now_ms();
    a->own_age_ms = (uint64_t)a->age_s * 1000;
}

void poller_finish(struct poller *a, CURLM *multi, CURLcode result)
{
    long status = 0;
    a->asking = false;
    curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(multi, a->easy);
    if (a->too_long)
        fail(a, "the response is too long for a ticker");
    else if (result != CURLE_OK)
        fail(a, "%s", a->curl_error[0] ? a->curl_error : curl_easy_strerror(result));
    else if (status != 200)
        fail_by_status(a, status);
    else
        take_quote(a);
}

void poller_judge(struct poller *a, uint64_t max_age_ms)
{
    struct venue *v = a->venue;
    if (v->state == VENUE_WAITING)
        return;
    v->age_ms = now_ms() - a->received_ms + a->own_age_ms;
    if (v->state != VENUE_FAILED)
        v->state = venue_judge(v, max_age_ms);
}
