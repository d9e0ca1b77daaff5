/* Lines that are given, taken back and given again at random, on a real file that takes what is written
 * in part, refuses it, changes its name and is given up to another life and taken back: a line that
 * counts as written is there once, whole and in order, one that was taken back is not there at all.
 * write() and pwritev2() are this program's own, so that the file can fail. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "order_file_fixture.h"
#include "proxy/order_other.h"
#include "proxy/order_writer.h"
#include "storm.h"
#include "suite.h"
#include "until.h"

#define ROUNDS 1000
#define GIVEN_MOST 4
#define LINES (ROUNDS * GIVEN_MOST)

enum fate { NEW, OUT, KEPT, DONE, GONE, TAKEN_BACK };

struct entry {
    struct order_writing writing;
    enum fate fate;
    bool is_retried;
    unsigned seen, seen_at;
};

static struct loop *loop;
static struct order_writer *writer;
static struct order_file *current, *other;
static struct entry *entries;
static struct order_writing *marks[ROUNDS];
static unsigned count, mark_count, files, of_others;
static bool is_given_up;
static unsigned last_told[2]; /* of those that do not sync, of those that do */

/* ---------------------------------------------------------------------- the disk */

static pthread_mutex_t moment = PTHREAD_MUTEX_INITIALIZER; /* other lives append at once */
static _Thread_local bool is_other;
static atomic_uint chance;
static atomic_bool fails_next;

static unsigned pick(unsigned below)
{
    uint64_t n = (uint64_t)atomic_fetch_add(&chance, 1) * UINT64_C(0x9e3779b97f4a7c15);
    n ^= n >> 29;
    n *= UINT64_C(0xbf58476d1ce4e5b9);
    return (unsigned)((n >> 33) % below);
}

static bool is_file(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

static ssize_t refused(int error)
{
    errno = error;
    return -1;
}

/* A part is taken only where the disk is full then. */
ssize_t write(int fd, const void *data, size_t len)
{
    if (is_other || !is_file(fd))
        return syscall(SYS_write, fd, data, len);
    if (atomic_exchange(&fails_next, false))
        return refused(ENOSPC);
    if (pick(10) == 0)
        return refused(EINTR);
    if (pick(8) == 0) {
        atomic_store(&fails_next, true);
        len = pick(2) && len > 1 ? len - 1 : 1 + pick((unsigned)len);
    }
    pthread_mutex_lock(&moment);
    ssize_t n = syscall(SYS_write, fd, data, len);
    pthread_mutex_unlock(&moment);
    return n;
}

ssize_t pwritev2(int fd, const struct iovec *at, int pieces, off_t place, int flags)
{
    size_t len = at->iov_len;
    ck_assert(pieces == 1 && place == -1 && flags == RWF_NOWAIT);
    if (pick(3) == 0)
        return refused(pick(2) ? EAGAIN : ENOSPC);
    if (pick(2) == 0)
        len = pick(4) ? 1 + pick((unsigned)len) : len - 1;
    return syscall(SYS_write, fd, at->iov_base, len);
}

/* ---------------------------------------------------------------------- outcomes */

static bool is_mark(const struct order_writing *w)
{
    return w < &entries[0].writing || w > &entries[LINES - 1].writing;
}

static void on_outcome(void *owner, struct order_writing *w)
{
    (void)owner;
    ck_assert(!w->is_given && !w->is_begun);
    if (is_mark(w)) {
        ck_assert_int_eq(w->outcome, ORDER_WRITTEN);
        return;
    }
    struct entry *e = container_of(w, struct entry, writing);
    unsigned n = (unsigned)(e - entries);
    ck_assert_int_eq(e->fate, OUT);
    if (!e->is_retried) {
        ck_assert_uint_gt(n + 1, last_told[w->syncs]);
        last_told[w->syncs] = n + 1;
    }
    ck_assert(w->outcome == ORDER_WRITTEN ? w->error == 0 : w->error != 0);
    e->fate = w->outcome == ORDER_WRITTEN ? DONE : pick(2) ? KEPT : GONE;
}

static void on_other(void *owner, const struct order_other *o)
{
    (void)owner, (void)o;
}

/* ------------------------------------------------------------------------ events */

static void give_new(void)
{
    struct list given;
    list_init(&given);
    for (unsigned i = 0; i < count; i++)
        if (entries[i].fate == KEPT) {
            entries[i].fate = OUT;
            entries[i].is_retried = true;
            list_push_back(&given, &entries[i].writing.link);
        }
    order_writer_give(writer, &given);
    for (unsigned n = 1 + draw(GIVEN_MOST); n; n--) {
        struct entry *e = &entries[count];
        text_printf(&e->writing.line, "<%06u %.*s>\n", count, (int)draw(40),
                    "........................................");
        e->writing.syncs = one_in(8);
        e->fate = OUT;
        list_push_back(&given, &e->writing.link);
        count++;
    }
    order_writer_give(writer, &given);
}

static void take_back(void)
{
    for (unsigned i = count > 12 ? count - 12 : 0; i < count; i++)
        if (entries[i].fate == OUT && !entries[i].is_retried && one_in(3) &&
            order_writer_take_back(writer, &entries[i].writing))
            entries[i].fate = TAKEN_BACK;
}

static void rotate(void)
{
    char name[120];
    struct list given;
    if (is_given_up)
        return;
    snprintf(name, sizeof name, "%s.%03u", path, files++);
    ck_assert_int_eq(rename(path, name), 0);
    struct order_writing *w = NEW(struct order_writing);
    marks[mark_count++] = w;
    w->switch_to = current = opened(LIFE);
    list_init(&given);
    list_push_back(&given, &w->link);
    order_writer_give(writer, &given);
}

static void others_append(void)
{
    char line[40];
    snprintf(line, sizeof line, "{%06u}\n", of_others++);
    is_other = true;
    pthread_mutex_lock(&moment);
    append(other, line);
    pthread_mutex_unlock(&moment);
    is_other = false;
}

static void change_hands(void)
{
    char error[200];
    if (other == NULL) {
        order_file_give_up(current);
        other = opened(OTHER);
        is_given_up = true;
    } else {
        order_file_close(other);
        other = NULL;
        ck_assert(order_file_take_back(current, error, sizeof error));
        is_given_up = false;
    }
}

static void happen(void)
{
    switch (draw(40)) {
    case 0: rotate(); break;
    case 1: change_hands(); break;
    case 2:
    case 3:
        if (other)
            others_append();
        break;
    default: give_new();
    }
    if (one_in(3))
        take_back();
    if (one_in(2))
        loop_turn(loop, false);
    if (one_in(10))
        UNTIL(order_writer_count(writer) == 0);
}

/* ------------------------------------------------------------------------- checks */

static unsigned place;

static void take_line(struct span s)
{
    unsigned n, lines_of_others;
    char line[100];
    snprintf(line, sizeof line, "%.*s", (int)s.len, s.at);
    if (sscanf(line, "{%u}", &lines_of_others) == 1)
        return;
    if (sscanf(line, "<%06u ", &n) != 1 || n >= count || strlen(line) < 8)
        return;
    ck_assert_msg(entries[n].fate != TAKEN_BACK, "taken back: %s", line);
    struct text *whole = &entries[n].writing.line;
    if (s.len + 1 == whole->len && memcmp(s.at, whole->at, s.len) == 0) {
        entries[n].seen++;
        entries[n].seen_at = place++;
    }
}

static void read_file(const char *name)
{
    FILE *f = fopen(name, "r");
    ck_assert_ptr_nonnull(f);
    static char all[LINES * 60];
    struct span s = {all, fread(all, 1, sizeof all, f)};
    fclose(f);
    for (size_t end; s.len; s = span_from(s, end + 1)) {
        end = span_find(s, '\n');
        take_line(span_first(s, end));
    }
}

static void check_files(void)
{
    char name[120];
    unsigned at = 0, tally[6] = {0}, retried = 0;
    place = 1;
    for (unsigned i = 0; i < files; i++) {
        snprintf(name, sizeof name, "%s.%03u", path, i);
        read_file(name);
    }
    read_file(path);
    for (unsigned i = 0; i < count; i++) {
        struct entry *e = &entries[i];
        tally[e->fate]++;
        retried += e->is_retried;
        ck_assert_msg(e->seen == (e->fate == DONE), "line %u, fate %d, retried %d: %u times", i,
                      e->fate, e->is_retried, e->seen);
        if (e->fate != DONE || e->is_retried)
            continue;
        ck_assert_msg(e->seen_at > at, "line %u is not in order", i);
        at = e->seen_at;
    }
    if (getenv("STORM_TALK"))
        fprintf(stderr, "lines %u written %u lost %u taken back %u retried %u files %u others %u\n",
                count, tally[DONE], tally[GONE] + tally[KEPT], tally[TAKEN_BACK], retried, files,
                of_others);
}

START_TEST(each_line_is_there_once_or_not_at_all)
{
    static const struct order_writer_events events = {on_outcome, on_other};
    storm_seed(_i);
    begin_folder();
    atomic_store(&chance, draw(1 << 30));
    entries = must_calloc(LINES, sizeof *entries);
    count = mark_count = files = of_others = 0;
    last_told[0] = last_told[1] = 0;
    other = NULL;
    is_given_up = false;
    loop = loop_new();
    current = opened(LIFE);
    writer = order_writer_new(loop, current, &events, NULL);
    order_writer_allow(writer, true);
    storm(ROUNDS, happen, NULL);
    order_writer_free(writer);
    order_file_close(other);
    loop_run(loop);
    loop_free(loop);
    check_files();
    for (unsigned i = 0; i < count; i++)
        text_free(&entries[i].writing.line);
    for (unsigned i = 0; i < mark_count; i++)
        free(marks[i]);
    free(entries);
    end_folder();
}
END_TEST

SUITE()
{
    TIMEOUT(120);
    STORM(each_line_is_there_once_or_not_at_all, 12);
}
