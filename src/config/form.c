#include "config/form.h"

#include <string.h>

#include "base/text.h"
#include "config/host.h"
#include "config/order_path.h"
#include "config/preset.h"
#include "config/settings.h"

static bool take(struct arena *a, const char *text, const char **value)
{
    *value = arena_span(a, span_of(text)).at;
    return true;
}

bool form_origin(struct arena *a, const char *text, const char **value, const char **why)
{
    struct host_origin ignored;
    return host_origin_read(a, text, &ignored, why) && take(a, text, value);
}

bool form_preset(struct arena *a, const char *text, const char **value, const char **why)
{
    if (preset_find(text))
        return take(a, text, value);
    *why = "must be one of";
    for (const struct preset *p = presets; p->name; p++)
        *why = arena_printf(a, "%s %s", *why, p->name);
    return false;
}

bool form_host(struct arena *a, const char *text, const char **value, const char **why)
{
    (void)why;
    *value = host_read(a, span_of(text));
    return *value != NULL;
}

static bool is_token(const char *text)
{
    return *text && text[strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

bool form_header(struct arena *a, const char *text, const char **value, const char **why)
{
    (void)why;
    return is_token(text) && take(a, text, value);
}

bool form_header_pattern(struct arena *a, const char *text, const char **value, const char **why)
{
    (void)why;
    return is_token(text) && *text != '*' && take(a, text, value);
}

bool form_parameter(struct arena *a, const char *text, const char **value, const char **why)
{
    (void)why;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("&=#", *p))
            return false;
    return *text != '\0' && take(a, text, value);
}

bool form_body_prefix(struct arena *a, const char *text, const char **value, const char **why)
{
    (void)why;
    return *text != '\0' && strlen(text) <= ERROR_PREFIX_MAX && take(a, text, value);
}

bool form_log_target(struct arena *a, const char *text, const char **value, const char **why)
{
    (void)why;
    return (strcmp(text, "off") == 0 || strcmp(text, "stderr") == 0 || strchr(text, '/')) &&
           take(a, text, value);
}

/* Values of parameters with such names are redacted in targets (contract 11), so they are not shown
 * as order ids either. */
bool form_order_id(struct arena *a, const char *text, const char **value, const char **why)
{
    static const char *const secret[] = {"key",  "sig",  "token", "secret", "pass",
                                         "auth", "hmac", "jwt",   "session"};
    (void)why;
    for (size_t i = 0; i < COUNT_OF(secret); i++)
        if (strcasestr(text, secret[i]))
            return false;
    return *text != '\0' && take(a, text, value);
}

bool form_order_path(struct arena *a, const char *text, const char **value, const char **why)
{
    struct order_path p = order_path_parse(span_of(text));
    *why = order_path_wrong(&p);
    if (*why)
        return false;
    *value = p.method.len ? arena_printf(a, "%.*s %.*s", SPAN_ARG(p.method), SPAN_ARG(p.prefix))
                          : arena_span(a, p.prefix).at;
    return true;
}

bool form_budget_key(struct arena *a, const char *text, const char **value, const char **why)
{
    (void)why;
    size_t len = strlen(text);
    return len > 0 && len <= BUDGET_KEY_MAX &&
           text[strspn(text, "._:/-0123456789abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0' &&
           take(a, text, value);
}

bool form_off_or_path(struct arena *a, const char *text, const char **value, const char **why)
{
    (void)why;
    return (strcmp(text, "off") == 0 || strchr(text, '/')) && take(a, text, value);
}
