/* An epoll instance of its own, level-triggered, that nothing waits on: its list of readable
 * descriptors is the answer. */
#include "net/look.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"

#define UNREAD_MOST 1024
#define WORD_BITS 64

struct look {
    int epoll;
    bool is_whole; /* the last answer names all that had something unread */
    uint64_t number, at_us;
    struct epoll_event unread[UNREAD_MOST];
    size_t count;
    uint64_t *bits; /* the same as a set: bit n is descriptor n */
    size_t words;
};

static void mark(struct look *k, int fd)
{
    size_t word = (size_t)fd / WORD_BITS;
    if (word >= k->words) {
        size_t words = 2 * word + 1;
        k->bits = must_realloc(k->bits, words * sizeof *k->bits);
        memset(k->bits + k->words, 0, (words - k->words) * sizeof *k->bits);
        k->words = words;
    }
    k->bits[word] |= UINT64_C(1) << fd % WORD_BITS;
}

static bool is_marked(const struct look *k, int fd)
{
    size_t word = (size_t)fd / WORD_BITS;
    return word < k->words && k->bits[word] >> fd % WORD_BITS & 1;
}

static void ask(struct look *k, uint64_t now_us)
{
    for (size_t i = 0; i < k->count; i++)
        k->bits[(size_t)k->unread[i].data.fd / WORD_BITS] = 0;
    int n = epoll_wait(k->epoll, k->unread, UNREAD_MOST, 0);
    k->is_whole = n >= 0 && n < UNREAD_MOST;
    k->count = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < k->count; i++)
        mark(k, k->unread[i].data.fd);
    k->at_us = now_us;
    k->number++;
}

bool look_is_quiet(struct look *k, int fd, uint64_t now_us, uint64_t within_us, uint64_t seen)
{
    if (k->number <= seen || now_us - k->at_us > within_us)
        ask(k, now_us);
    return k->is_whole && !is_marked(k, fd);
}

uint64_t look_number(const struct look *k)
{
    return k->number;
}

bool look_add(struct look *k, int fd)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
    return epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

struct look *look_new(void)
{
    struct look *k = NEW(struct look);
    k->epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(k->epoll >= 0);
    return k;
}

void look_free(struct look *k)
{
    close(k->epoll);
    free(k->bits);
    free(k);
}
