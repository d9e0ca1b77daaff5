#include "pages/caller.h"

#include <pwd.h>
#include <stdio.h>

#define ENTRY_SIZE 1024

/* Writes " (kai)", or nothing. Reads the local file only, because other sources
 * (nsswitch.conf(5)) could block the loop. */
static void add_user_name(char *to, size_t size, uid_t uid)
{
    char buffer[ENTRY_SIZE];
    struct passwd entry, *found;
    FILE *in = fopen("/etc/passwd", "re");
    *to = '\0';
    while (in && fgetpwent_r(in, &entry, buffer, sizeof buffer, &found) == 0) {
        if (found->pw_uid == uid) {
            snprintf(to, size, " (%.60s)", found->pw_name);
            break;
        }
    }
    if (in)
        fclose(in);
}

static const char *place(char text[CALLER_SIZE], const struct ingress *in)
{
    char name[80];
    const char *path = in->socket ? in->socket : "a unix socket";
    if (!in->is_unix) {
        snprintf(text, CALLER_SIZE, "%s", in->client);
    } else if (!in->has_uid) {
        snprintf(text, CALLER_SIZE, "a process on %s", path);
    } else {
        add_user_name(name, sizeof name, in->uid);
        snprintf(text, CALLER_SIZE, "uid %ju%s on %s", (uintmax_t)in->uid, name, path);
    }
    return text;
}

/* The origin of trunkline's own page is the authority that the request names. */
static bool is_own_page(const struct request *q)
{
    const struct field *site = fields_find(&q->fields, SPAN("Sec-Fetch-Site"));
    const struct field *origin = fields_find(&q->fields, SPAN("Origin"));
    const struct field *host = fields_find(&q->fields, SPAN("Host"));
    if (site)
        return span_is_nocase(site->value, SPAN("same-origin"));
    return origin && host && span_starts_nocase(origin->value, SPAN("http://")) &&
           span_is_nocase(span_from(origin->value, sizeof "http://" - 1), host->value);
}

const char *caller_text(char text[CALLER_SIZE], const struct ingress *in, const struct request *q)
{
    char where[CALLER_SIZE];
    if (!is_own_page(q))
        return place(text, in);
    snprintf(text, CALLER_SIZE, "the dashboard (%.300s)", place(where, in));
    return text;
}
