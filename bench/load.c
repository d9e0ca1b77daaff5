#include "bench/load.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/alloc.h"

#define TIMEOUT_S 20L

struct client {
    CURL *easy;
    char error[CURL_ERROR_SIZE];
};

struct run {
    const struct load *load;
    struct load_result *result;
    CURLM *multi;
    struct curl_slist *connect_to;
    struct client *clients;
    unsigned begun, ended;
};

static uint64_t wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t own_cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    (void)data, (void)context;
    return size * count;
}

static void open_client(struct run *r, struct client *c)
{
    const struct load *l = r->load;
    c->easy = curl_easy_init();
    CHECK(c->easy != NULL);
    curl_easy_setopt(c->easy, CURLOPT_URL, l->url);
    curl_easy_setopt(c->easy, CURLOPT_PATH_AS_IS, 1L); /* keep "https://" in the path */
    curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT, TIMEOUT_S);
    curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
    curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, (long)l->fresh);
    curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, (long)l->fresh);
    curl_easy_setopt(c->easy, CURLOPT_SSL_SESSIONID_CACHE, (long)!l->fresh);
    if (r->connect_to)
        curl_easy_setopt(c->easy, CURLOPT_CONNECT_TO, r->connect_to);
    if (l->ca_file)
        curl_easy_setopt(c->easy, CURLOPT_CAINFO, l->ca_file);
}

static void ask(struct run *r, struct client *c)
{
    if (r->begun == r->load->requests)
        return;
    r->begun++;
    c->error[0] = '\0';
    CHECK(curl_multi_add_handle(r->multi, c->easy) == CURLM_OK);
}

static void note_failure(struct run *r, const struct client *c, CURLcode code, long status)
{
    struct load_result *to = r->result;
    if (to->errors++)
        return;
    if (code == CURLE_OK)
        snprintf(to->error, sizeof to->error, "status %ld", status);
    else
        snprintf(to->error, sizeof to->error, "%s",
                 c->error[0] ? c->error : curl_easy_strerror(code));
}

static void note(struct run *r, const struct client *c, CURLcode code)
{
    long status = 0, connects = 0;
    curl_off_t took_us = 0;
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(c->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    r->result->connections += (unsigned)connects;
    if (code == CURLE_OK && status == 200)
        histogram_add(&r->result->latency, (uint64_t)took_us);
    else
        note_failure(r, c, code, status);
}

static void collect(struct run *r)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(r->multi, &left)) != NULL) {
        void *client;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &client);
        struct client *c = client;
        note(r, c, code);
        curl_multi_remove_handle(r->multi, c->easy);
        r->ended++;
        ask(r, c);
    }
}

static void go(struct run *r)
{
    int running;
    for (unsigned i = 0; i < r->load->clients; i++)
        ask(r, &r->clients[i]);
    while (r->ended < r->load->requests) {
        curl_multi_perform(r->multi, &running);
        collect(r);
        if (r->ended < r->load->requests)
            curl_multi_poll(r->multi, NULL, 0, 1000, NULL);
    }
}

static void list_connect_to(struct run *r)
{
    char entry[300];
    if (r->load->connect_to == NULL)
        return;
    snprintf(entry, sizeof entry, "::%s", r->load->connect_to);
    r->connect_to = curl_slist_append(NULL, entry);
}

void load_run(const struct load *l, struct load_result *result)
{
    struct run r = {.load = l, .result = result, .multi = curl_multi_init()};
    *result = (struct load_result){0};
    r.clients = must_calloc(l->clients, sizeof *r.clients);
    list_connect_to(&r);
    curl_multi_setopt(r.multi, CURLMOPT_MAXCONNECTS, (long)l->clients);
    uint64_t began_us = wall_us(), cpu_us = own_cpu_us();
    for (unsigned i = 0; i < l->clients; i++)
        open_client(&r, &r.clients[i]);
    go(&r);
    result->wall_us = wall_us() - began_us;
    result->client_cpu_us = own_cpu_us() - cpu_us;
    for (unsigned i = 0; i < l->clients; i++)
        curl_easy_cleanup(r.clients[i].easy);
    curl_multi_cleanup(r.multi);
    curl_slist_free_all(r.connect_to);
    free(r.clients);
}

void load_result_clear(struct load_result *r)
{
    histogram_free(&r->latency);
}
