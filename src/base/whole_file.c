#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_TRIES 20
#define LOCK_PAUSE_US 5000
#define ASIDE_MOST 1000 /* files of one name and second */

/* ------------------------------------------------------------------- reading */

static struct file_mark mark_of(const struct stat *st)
{
    return (struct file_mark){st->st_dev, st->st_ino, st->st_size, st->st_ctim, st->st_mtim};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_mark(const struct file_mark *a, const struct file_mark *b)
{
    return a->device == b->device && a->number == b->number && a->size == b->size &&
           same_time(&a->changed, &b->changed) && same_time(&a->modified, &b->modified);
}

static int read_all(int fd, struct text *to)
{
    size_t before = to->len;
    ssize_t n;
    do {
        n = read(fd, text_reserve(to, 64 * 1024), 64 * 1024);
        text_added(to, n > 0 ? (size_t)n : 0);
        if (to->len - before > WHOLE_FILE_MOST)
            return EFBIG;
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? errno : 0;
}

/* O_NONBLOCK: a FIFO of that name does not wait for its other end. */
int whole_file_read(const char *path, struct text *to, struct file_mark *mark)
{
    struct stat st;
    *mark = (struct file_mark){0};
    if (stat(path, &st) != 0)
        return errno;
    *mark = mark_of(&st);
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno;
    int error = fstat(fd, &st) == 0 ? 0 : errno;
    if (error == 0) {
        *mark = mark_of(&st);
        error = read_all(fd, to);
    }
    close(fd);
    return error;
}

/* ----------------------------------------------------------------- replacing */

struct place {
    char folder[PATH_MAX], name[NAME_MAX + 1], temporary[NAME_MAX + 5];
};

static int find_place(const char *path, struct place *p)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t len = strlen(name);
    if (len == 0)
        return EISDIR;
    if (len > NAME_MAX - 4 || (slash && slash - path >= PATH_MAX - 1))
        return ENAMETOOLONG;
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->temporary, sizeof p->temporary, "%s.new", name);
    snprintf(p->folder, sizeof p->folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    return 0;
}

/* Locks the directory, so that no other process replaces the file meanwhile. */
static int open_folder(const struct place *p, int *folder)
{
    *folder = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return errno;
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(*folder, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        usleep(LOCK_PAUSE_US);
    }
    int error = errno == EWOULDBLOCK ? EBUSY : errno;
    close(*folder);
    return error;
}

static int write_all(int fd, struct span content)
{
    while (content.len) {
        ssize_t n = write(fd, content.at, content.len);
        if (n < 0 && errno != EINTR)
            return errno;
        content = span_from(content, n > 0 ? (size_t)n : 0);
    }
    return fsync(fd) == 0 ? 0 : errno;
}

/* What a process that was killed has left is removed first. */
static int write_temporary(int folder, const char *name, struct span content)
{
    if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
        return errno;
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    int error = write_all(fd, content);
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error)
        (void)unlinkat(folder, name, 0);
    return error;
}

static struct file_mark mark_now(int folder, const char *name)
{
    struct stat st;
    return fstatat(folder, name, &st, 0) == 0 ? mark_of(&st) : (struct file_mark){0};
}

static int replace(int folder, const struct place *p, struct span content, struct file_mark *mark)
{
    struct file_mark found = mark_now(folder, p->name), none = {0};
    if (!same_mark(&found, &none) && !same_mark(&found, mark))
        return ESTALE;
    int error = write_temporary(folder, p->temporary, content);
    if (error)
        return error;
    if (renameat(folder, p->temporary, folder, p->name) != 0) {
        error = errno;
        (void)unlinkat(folder, p->temporary, 0);
        return error;
    }
    *mark = mark_now(folder, p->name);
    return fsync(folder) == 0 || errno == EINVAL ? 0 : errno; /* not every file system can */
}

int whole_file_replace(const char *path, struct span content, struct file_mark *mark)
{
    struct place p;
    int folder, error = find_place(path, &p);
    if (error == 0)
        error = open_folder(&p, &folder);
    if (error)
        return error;
    error = replace(folder, &p, content, mark);
    close(folder);
    return error;
}

int whole_file_check(const char *path)
{
    struct place p;
    int error = find_place(path, &p);
    if (error)
        return error;
    return faccessat(AT_FDCWD, p.folder, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* -------------------------------------------------------------- putting aside */

/* Not every file system can refuse to replace; there a second name for the file can. */
static int rename_to_free(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (link(from, to) != 0)
        return errno;
    return unlink(from) == 0 ? 0 : errno;
}

int whole_file_put_aside(const char *path, time_t now, char *aside, size_t size)
{
    char at[32], number[16] = "";
    struct tm tm;
    int error = EEXIST;
    strftime(at, sizeof at, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    for (int i = 2; error == EEXIST && i <= ASIDE_MOST; i++) {
        if ((size_t)snprintf(aside, size, "%s.damaged-%s%s", path, at, number) >= size)
            return ENAMETOOLONG;
        error = rename_to_free(path, aside);
        snprintf(number, sizeof number, "-%d", i);
    }
    return error;
}
