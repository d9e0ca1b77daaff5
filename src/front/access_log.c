#include "front/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "front/access_line.h"

#define ACCESS_LOG_MAGIC 0x6163636cu
#define FLUSH_MS 50
#define FLUSH_SIZE (32 * 1024)
#define WAITING_MAX (1024 * 1024)
#define LAST_WORDS_MS 1000 /* how long a full pipe may delay the daemon's exit */

struct access_log {
    unsigned magic;
    struct loop *loop;
    struct worker *worker;
    enum config_log_format format;
    char *path; /* NULL: stderr, or off */
    int fd;     /* where further lines go; -1: off */
    struct text waiting;
    struct deadline flush;
    uint64_t dropped; /* lines, since writing last fell behind */
    bool closing;

    /* One write at a time. While `writing_fd` is set, these lines belong to the worker's job,
     * under the lock. */
    struct job job;
    uv_mutex_t lock;
    int writing_fd; /* -1: none under way */
    struct text writing;
    size_t written; /* of it */
    int error;      /* errno of the last write; 0: it went well */

    /* The end of the file is looked at before the next write, or the one that is under way: a full disk or the end of
     * another process may have cut its last line off. */
    bool looks, writing_looks;
};

/* A file is opened for reading, too, so that its end can be looked at. O_NONBLOCK: the daemon does not wait for a
 * reader of a FIFO. */
static int open_path(const char *path)
{
    int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct stat about;
    bool is_file = stat(path, &about) != 0 || S_ISREG(about.st_mode);
    int fd = is_file ? open(path, flags | O_RDWR, 0640) : -1;
    return fd >= 0 ? fd : open(path, flags | O_WRONLY, 0640);
}

/* How many bytes one write() may take without blocking, once poll() has reported room:
 * PIPE_BUF for a pipe or a terminal (pipe(7)). */
static size_t piece_size(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISREG(about.st_mode) ? SIZE_MAX : PIPE_BUF;
}

/* Writes what it can; a pipe that is not read is waited for up to `wait_ms`. The rest
 * stays. Returns an errno, or 0. */
static int write_lines(int fd, const struct text *lines, size_t *written, int wait_ms)
{
    size_t most = piece_size(fd);
    while (*written < lines->len) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (poll(&room, 1, wait_ms) < 1)
            return 0;
        struct span piece = span_first(span_from(text_span(lines), *written), most);
        ssize_t n = write(fd, piece.at, piece.len);
        if (n >= 0)
            *written += (size_t)n;
        else if (errno == EAGAIN)
            return 0;
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* Ends the last line of a file that was cut off, so that it does not take the next one along. Returns an errno, or 0;
 * what cannot be read counts as ended. */
static int end_last_line(int fd)
{
    struct stat about;
    char last;
    bool is_file = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0;
    if (!is_file || pread(fd, &last, 1, about.st_size - 1) != 1 || last == '\n')
        return 0;
    return write(fd, "\n", 1) == 1 ? 0 : errno;
}

/* `looks`: at the end of the file, before the first of these lines. */
static int write_below(int fd, bool looks, const struct text *lines, size_t *written, int wait_ms)
{
    int error = looks && *written == 0 ? end_last_line(fd) : 0;
    return error ? error : write_lines(fd, lines, written, wait_ms);
}

static void job_work(struct job *j)
{
    struct access_log *a = container_of(j, struct access_log, job);
    uv_mutex_lock(&a->lock);
    a->error = write_below(a->writing_fd, a->writing_looks, &a->writing, &a->written, 0);
    uv_mutex_unlock(&a->lock);
}

static void free_memory(struct access_log *a)
{
    if (a->path)
        close(a->fd);
    uv_mutex_destroy(&a->lock);
    text_free(&a->waiting);
    text_free(&a->writing);
    free(a->path);
    a->magic = 0;
    free(a);
}

static uint64_t count_lines(struct span s)
{
    uint64_t lines = 0;
    for (size_t end; (end = span_find(s, '\n')) < s.len; s = span_from(s, end + 1))
        lines++;
    return lines;
}

/* Lines that cannot be written are dropped, so that they do not fill the memory. */
static void give_up_on_error(struct access_log *a)
{
    if (a->error == 0)
        return;
    if (a->dropped == 0)
        LOG(ERROR, "access log", "cannot write: %s; lines are lost", strerror(a->error));
    a->dropped += count_lines(span_from(text_span(&a->writing), a->written));
    a->looks = true;
    a->written = a->writing.len;
    a->error = 0;
}

static size_t unwritten(const struct access_log *a)
{
    return a->waiting.len + (a->writing.len - a->written);
}

static void note_recovery(struct access_log *a)
{
    if (a->dropped == 0 || unwritten(a) >= FLUSH_SIZE)
        return;
    LOG(WARN, "access log", "writing again; %llu lines were lost", (unsigned long long)a->dropped);
    a->dropped = 0;
}

/* What the last write left over goes first. */
static void submit(struct access_log *a)
{
    if (a->written == a->writing.len) {
        struct text spare = a->writing;
        text_clear(&spare);
        a->writing = a->waiting;
        a->waiting = spare;
        a->written = 0;
    }
    deadline_stop(&a->flush);
    a->writing_fd = a->fd;
    a->writing_looks = a->looks && a->written == 0;
    a->looks = a->looks && !a->writing_looks;
    worker_submit(a->worker, &a->job);
}

static void release_descriptor(struct access_log *a)
{
    if (a->writing_fd != a->fd)
        close(a->writing_fd);
    a->writing_fd = -1;
}

static void job_done(struct job *j)
{
    struct access_log *a = container_of(j, struct access_log, job);
    MAGIC_CHECK(a, ACCESS_LOG_MAGIC);
    release_descriptor(a);
    if (a->closing) {
        free_memory(a);
        return;
    }
    bool failed = a->error != 0, stuck = !failed && a->written < a->writing.len;
    give_up_on_error(a);
    if (!failed)
        note_recovery(a);
    if (a->waiting.len >= FLUSH_SIZE && !failed && !stuck)
        submit(a);
    else if (unwritten(a) > 0)
        deadline_in(&a->flush, FLUSH_MS);
}

static void flush_expired(struct deadline *d)
{
    struct access_log *a = container_of(d, struct access_log, flush);
    MAGIC_CHECK(a, ACCESS_LOG_MAGIC);
    submit(a);
}

/* An existing file must open; otherwise its folder must allow creating it. Returns an
 * errno, or 0. */
static int open_error(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0)
        return close(fd), 0;
    if (errno != ENOENT)
        return errno;
    snprintf(folder, sizeof folder, "%.*s/", (int)(slash ? slash - path : 0), path);
    return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

bool access_log_can_open(const char *where, char *error, size_t size)
{
    bool is_file = strcmp(where, "off") != 0 && strcmp(where, "stderr") != 0;
    int why = is_file ? open_error(where) : 0;
    if (why)
        snprintf(error, size, "%s: %s", where, strerror(why));
    return why == 0;
}

struct access_log *access_log_new(struct loop *loop, struct worker *worker, const char *where,
                                  enum config_log_format format, char *error, size_t size)
{
    bool off = strcmp(where, "off") == 0, is_file = !off && strcmp(where, "stderr") != 0;
    int fd = off ? -1 : is_file ? open_path(where) : STDERR_FILENO;
    if (is_file && fd < 0) {
        snprintf(error, size, "%s: %s", where, strerror(errno));
        return NULL;
    }
    struct access_log *a = NEW(struct access_log);
    MAGIC_INIT(a, ACCESS_LOG_MAGIC);
    a->loop = loop;
    a->worker = worker;
    a->format = format;
    a->path = is_file ? must_strdup(where) : NULL;
    a->fd = fd;
    a->looks = is_file;
    a->writing_fd = -1;
    a->job = (struct job){.work = job_work, .done = job_done};
    deadline_init(&a->flush, loop, flush_expired);
    CHECK(uv_mutex_init(&a->lock) == 0);
    return a;
}

bool access_log_is_on(const struct access_log *a)
{
    return a->fd >= 0;
}

/* Called often while writing is behind: counted each time, logged once. */
static void drop(struct access_log *a)
{
    if (a->dropped++ == 0)
        LOG(WARN, "access log", "more than 1 MiB waits to be written; lines are lost");
}

void access_log_write(struct access_log *a, const struct record *r)
{
    if (a->fd < 0)
        return;
    if (a->waiting.len + a->writing.len > WAITING_MAX) {
        drop(a);
        return;
    }
    struct timespec now = loop_wall(a->loop);
    access_line(&a->waiting, a->format, &now, r);
    if (a->writing_fd >= 0)
        return;
    if (a->waiting.len >= FLUSH_SIZE && a->written == a->writing.len)
        submit(a);
    else if (!deadline_is_set(&a->flush))
        deadline_in(&a->flush, FLUSH_MS);
}

void access_log_reopen(struct access_log *a)
{
    if (a->path == NULL)
        return;
    int fd = open_path(a->path);
    if (fd < 0) {
        LOG(ERROR, "access log", "cannot reopen %s: %s; the old file stays", a->path,
            strerror(errno));
        return;
    }
    if (a->fd != a->writing_fd)
        close(a->fd);
    a->fd = fd;
    a->looks = true;
}

static void write_the_rest(struct access_log *a)
{
    int fd = a->writing_fd >= 0 ? a->writing_fd : a->fd;
    int error = write_below(fd, a->writing_looks, &a->writing, &a->written, LAST_WORDS_MS);
    size_t none = 0;
    if (error == 0 && a->written == a->writing.len)
        error = write_below(a->fd, a->looks, &a->waiting, &none, LAST_WORDS_MS);
    if (error)
        LOG(ERROR, "access log", "cannot write: %s; lines are lost", strerror(error));
}

void access_log_free(struct access_log *a)
{
    MAGIC_CHECK(a, ACCESS_LOG_MAGIC);
    deadline_stop(&a->flush);
    bool idle = a->writing_fd < 0 || worker_forget(a->worker, &a->job);
    uv_mutex_lock(&a->lock);
    if (a->fd >= 0)
        write_the_rest(a);
    uv_mutex_unlock(&a->lock);
    a->closing = true;
    if (!idle)
        return; /* job_done() frees */
    if (a->writing_fd >= 0)
        release_descriptor(a);
    free_memory(a);
}
