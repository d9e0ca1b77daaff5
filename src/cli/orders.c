#include "cli/orders.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/alloc.h"
#include "cli/orders_table.h"
#include "proxy/order_files.h"
#include "proxy/order_history.h"

#define SECOND_US 1000000

bool orders_since(const char *since, int64_t *us)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}};
    char *end;
    if (*since < '0' || *since > '9')
        return false;
    errno = 0;
    long long n = strtoll(since, &end, 10);
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (strcmp(end, units[i].unit) == 0 && errno == 0 && n <= 100LL * 366 * 24 * 3600) {
            *us = (int64_t)n * units[i].seconds * SECOND_US;
            return true;
        }
    return false;
}

static struct order_wish wish_of(const struct orders_options *o)
{
    struct order_wish wish = {.upstream = o->upstream, .undecided = o->open || o->unknown};
    struct timespec now;
    int64_t before_us;
    if (o->since && orders_since(o->since, &before_us)) {
        clock_gettime(CLOCK_REALTIME, &now);
        wish.since_us = (int64_t)now.tv_sec * SECOND_US - before_us;
    }
    return wish;
}

/* -------------------------------------------------------------------------------- files */

static bool read_one(struct order_history *h, const char *path)
{
    char error[300];
    if (order_files_is_compressed(path))
        snprintf(error, sizeof error, "%s: it is compressed, and has to be unpacked first", path);
    else if (order_history_read(h, path, error, sizeof error))
        return true;
    fprintf(stderr, "trunkline: %s\n", error);
    return false;
}

/* The oldest first, whatever the order of the arguments: orders.journal* has the newest first. */
static int read_all(struct order_history *h, char *const *files, size_t count)
{
    char **sorted = must_calloc(count + 1, sizeof *sorted);
    int exit_code = EX_OK;
    memcpy(sorted, files, count * sizeof *sorted);
    order_files_sort(sorted, count);
    for (size_t i = 0; i < count; i++)
        if (!read_one(h, sorted[i]))
            exit_code = EX_NOINPUT;
    free(sorted);
    return exit_code;
}

/* ------------------------------------------------------------------------------ printing */

struct output {
    const struct orders_options *options;
    struct orders_table *table;
    struct text text;
};

static void tell(void *context, const struct order_past *p)
{
    struct output *out = context;
    const struct orders_options *o = out->options;
    if ((o->open || o->unknown) && !(o->open && p->fate == ORDER_OPEN) &&
        !(o->unknown && p->fate == ORDER_UNKNOWN))
        return;
    if (o->json)
        orders_json_add(&out->text, p);
    else
        orders_table_add(out->table, p);
}

static void print(struct order_history *h, const struct orders_options *o)
{
    struct output out = {.options = o, .table = orders_table_new()};
    order_history_each(h, tell, &out);
    if (!o->json)
        orders_table_print(out.table, &out.text);
    if (out.text.len)
        fwrite(out.text.at, 1, out.text.len, stdout);
    text_free(&out.text);
    orders_table_free(out.table);
}

int orders_run(const struct orders_options *o, char *const *files, size_t count)
{
    const struct order_wish wish = wish_of(o);
    struct order_history *h = order_history_new(&wish);
    int exit_code = read_all(h, files, count);
    uint64_t foreign = order_history_foreign(h);
    if (foreign)
        fprintf(stderr,
                "trunkline: lines that are no lines of a journal, or were cut off: %" PRIu64 "\n",
                foreign);
    print(h, o);
    order_history_free(h);
    return exit_code;
}

int orders_run_on(const struct orders_options *o, const char *journal)
{
    struct order_files found;
    order_files_find(&found, journal);
    char **files = must_calloc(found.count + 1, sizeof *files);
    size_t count = 0;
    if (found.count == 0 || strcmp(found.at[0], journal) != 0)
        files[count++] = (char *)(uintptr_t)journal; /* opening it reports that it is missing */
    for (size_t i = 0; i < found.count; i++) {
        if (order_files_is_compressed(found.at[i]))
            fprintf(stderr, "trunkline: %s: left out, it is compressed\n", found.at[i]);
        else
            files[count++] = found.at[i];
    }
    int exit_code = orders_run(o, files, count);
    free(files);
    order_files_clear(&found);
    return exit_code;
}
