#include "bench/meters.h"

#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/daemon_client.h"

static bool read_origin(const char *path, uint64_t *handshakes)
{
    uint64_t n;
    FILE *f = path ? fopen(path, "r") : NULL;
    if (f == NULL)
        return false;
    *handshakes = 0;
    while (fscanf(f, "%*s %" SCNu64 " %*u", &n) == 1)
        *handshakes += n;
    fclose(f);
    return true;
}

/* The first number is the time that a thread has run, in ns (proc(5), schedstat). */
static bool read_thread(const char *pid, const char *thread, uint64_t *ns)
{
    char path[64];
    uint64_t n;
    snprintf(path, sizeof path, "/proc/%.20s/task/%.20s/schedstat", pid, thread);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    bool good = fscanf(f, "%" SCNu64, &n) == 1;
    fclose(f);
    *ns += good ? n : 0;
    return good;
}

static bool read_cpu(const char *pid, uint64_t *ns)
{
    char path[64];
    bool any = false;
    const struct dirent *entry;
    snprintf(path, sizeof path, "/proc/%.20s/task", pid);
    DIR *threads = opendir(path);
    *ns = 0;
    while (threads && (entry = readdir(threads)) != NULL)
        if (entry->d_name[0] != '.')
            any |= read_thread(pid, entry->d_name, ns);
    if (threads)
        closedir(threads);
    return any;
}

static uint64_t sum_handshakes(json_t *stats)
{
    uint64_t sum = 0;
    size_t i;
    json_t *u;
    json_array_foreach (json_object_get(stats, "upstreams"), i, u) {
        json_t *connections = json_object_get(u, "connections");
        sum += (uint64_t)json_integer_value(json_object_get(connections, "handshakes"));
    }
    return sum;
}

static bool read_stats(const struct meters *m, struct reading *to, char pid[24], char *error,
                       size_t size)
{
    struct text page = {0};
    bool good = daemon_client_page(m->proxy, "/stats", &page, error, size);
    json_t *o = good ? json_loadb(page.at, page.len, 0, NULL) : NULL;
    json_t *number = json_object_get(o, "pid");
    if (good && !json_is_integer(number)) {
        snprintf(error, size, "the response is not trunkline's /stats");
        good = false;
    }
    snprintf(pid, 24, "%" PRId64, (int64_t)json_integer_value(number));
    to->proxy_handshakes = sum_handshakes(o);
    json_decref(o);
    text_free(&page);
    return good;
}

bool meters_read(const struct meters *m, bool first, struct reading *to, char *error, size_t size)
{
    static char pid[24]; /* of the first reading */
    *to = (struct reading){0};
    if (!first)
        to->has_cpu = read_cpu(pid, &to->cpu_ns);
    if (!read_stats(m, to, pid, error, size))
        return false;
    if (first)
        to->has_cpu = read_cpu(pid, &to->cpu_ns);
    to->has_origin = read_origin(m->counts, &to->origin_handshakes);
    return true;
}
