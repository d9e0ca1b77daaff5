/* The input is an order journal. Whatever it holds, each order in it is told of once, in the order
 * in which they began, and one that began before the time asked for is not. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "proxy/order_history.h"

#define FUZZ_SINCE 1795770000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct told {
    int64_t least_us;
    uint64_t count;
};

static void tell(void *context, const struct order_past *p)
{
    struct told *t = context;
    CHECK(p->began_us >= t->least_us);
    CHECK(p->id[0] != '\0' && p->method != NULL && p->target != NULL && p->error != NULL);
    CHECK(p->fate != ORDER_OPEN || p->ended_us == 0);
    t->least_us = p->began_us;
    t->count++;
}

static uint64_t read_with(const char *path, struct order_wish wish)
{
    char error[200];
    struct told told = {.least_us = wish.since_us ? wish.since_us : INT64_MIN};
    struct order_history *h = order_history_new(&wish);
    CHECK(order_history_read(h, path, error, sizeof error));
    order_history_each(h, tell, &told);
    order_history_free(h);
    return told.count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[40];
    int fd = memfd_create("journal", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    uint64_t all = read_with(path, (struct order_wish){0});
    CHECK(read_with(path, (struct order_wish){.undecided = true}) <= all);
    CHECK(read_with(path, (struct order_wish){.since_us = FUZZ_SINCE}) <= all);
    CHECK(read_with(path, (struct order_wish){.most = 2}) <= 2);
    close(fd);
    return 0;
}
