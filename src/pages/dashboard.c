#include "pages/dashboard.h"

#include <mbedtls/base64.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

extern const char dashboard_html[]; /* made by scripts/embed */

struct hash {
    char base64[48];
};

struct span dashboard_page(void)
{
    return span_of(dashboard_html);
}

/* The text of the page's only element of that name, which is what browsers hash. */
static struct span element(const char *open, const char *close)
{
    const char *start = strstr(dashboard_html, open);
    CHECK(start != NULL);
    start += strlen(open);
    const char *end = strstr(start, close);
    CHECK(end != NULL && strstr(end, open) == NULL);
    return (struct span){start, (size_t)(end - start)};
}

static struct hash hash(struct span text)
{
    unsigned char digest[32];
    struct hash h = {{0}};
    size_t len;
    CHECK(mbedtls_sha256((const unsigned char *)text.at, text.len, digest, 0) == 0);
    CHECK(mbedtls_base64_encode((unsigned char *)h.base64, sizeof h.base64, &len, digest,
                                sizeof digest) == 0);
    return h;
}

struct span dashboard_policy(struct arena *arena)
{
    char words[500];
    struct hash script = hash(element("<script>", "</script>"));
    struct hash style = hash(element("<style>", "</style>"));
    int len = snprintf(words, sizeof words,
                       "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; "
                       "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                       "frame-ancestors 'none'; require-trusted-types-for 'script'",
                       script.base64, style.base64);
    CHECK(len > 0 && (size_t)len < sizeof words);
    return arena_span(arena, (struct span){words, (size_t)len});
}
