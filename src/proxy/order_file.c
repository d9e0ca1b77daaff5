#include "proxy/order_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"

#define OWNER_PLACE 0
#define PIECE (1024 * 1024)
#define OTHERS_MOST (32 * 1024 * 1024) /* more than `dedupe` can remember (DEDUPE_ORDERS_MAX) */

/* Whether others may append to it: no; a daemon that has given it up, as long as it has orders; one
 * that this one has given it up to. */
enum { ALONE, WITH_OLDER, SHARED };

struct order_file {
    int fd;
    int reader; /* a descriptor to read it by, so that none has to be free later; -1: it cannot be */
    char life[REQUEST_LIFE_SIZE]; /* whose it is */
    atomic_int others; /* set where it is given up and taken back, read where it is written */
    bool is_regular;
    bool waits;      /* the kernel cannot append to it without waiting */
    bool is_torn;    /* its last line has no end, ... */
    size_t begun;    /* ... of which so many bytes are in it, if it is to be completed, ... */
    off_t begun_end; /* ... up to here */
    bool is_new;     /* its name may not be on the disk yet */
    char *path;
    atomic_llong seen; /* what others have appended up to here is known; while there are others */
    bool looks;        /* at what they have appended before: */
    bool looks_last;   /* the older one is over, and appends no more */
    off_t own_at;      /* the last append; 0: it took nothing */
    off_t own_end;
};

/* ------------------------------------------------------------------------------- locks */

static struct flock lock_at(short type, off_t place)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = place, .l_len = 1};
}

static bool set_lock(int fd, short type, off_t place)
{
    struct flock lock = lock_at(type, place);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* A life is a number of 60 bits; locks may lie beyond the end of the file. */
static off_t place_of(const char *life)
{
    uint64_t n = 0;
    for (size_t i = 0; i < REQUEST_LIFE_SIZE - 1 && life[i]; i++) {
        static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
        const char *digit = strchr(digits, life[i]);
        n = n << 5 | (digit ? (uint64_t)(digit - digits) : 0);
    }
    return (off_t)(n + 1);
}

bool order_file_is_written(int fd, const char *life)
{
    struct flock lock = lock_at(F_RDLCK, place_of(life));
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* Does another life write to it? */
static bool has_older(int fd)
{
    struct flock lock = lock_at(F_WRLCK, OWNER_PLACE + 1);
    lock.l_len = 0; /* to the end */
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* `life` NULL: its lock is held already. */
static bool lock_all(int fd, const char *life, char *error, size_t size)
{
    if (set_lock(fd, F_WRLCK, OWNER_PLACE) && (!life || set_lock(fd, F_WRLCK, place_of(life))))
        return true;
    if (errno == EAGAIN || errno == EACCES)
        snprintf(error, size, "another trunkline writes to it");
    else
        snprintf(error, size, "it cannot be locked: %s", strerror(errno));
    return false;
}

/* ----------------------------------------------------------------------------- opening */

/* The file that is open, though it may have been renamed. */
static int open_reader(int fd)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* A daemon that was killed, or a disk that was full, may have left a line without its end. If it
 * cannot be read, it is taken to. */
static bool is_torn(int reader, off_t size)
{
    char last = '\0';
    bool read_it = size && pread(reader, &last, 1, size - 1) == 1;
    return size && !(read_it && last == '\n');
}

/* Where its last line begins that has no end, which may be one that is still being written; or its
 * size. */
static off_t end_of_lines(int reader, off_t size)
{
    char piece[4096];
    for (off_t at = size, len; at > 0 && size - at < PIECE; at -= len) {
        len = at < (off_t)sizeof piece ? at : (off_t)sizeof piece;
        if (pread(reader, piece, (size_t)len, at - len) != len)
            return size;
        const char *end = memrchr(piece, '\n', (size_t)len);
        if (end || at == len)
            return end ? at - len + (end - piece) + 1 : 0;
    }
    return size;
}

/* O_NONBLOCK: a pipe without a reader is an error, and one that is full is as well. */
static int open_path(const char *path, int flags)
{
    return open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0640);
}

struct order_file *order_file_open(const char *path, const char *life, char *error, size_t size)
{
    struct stat about;
    int fd = open_path(path, O_CREAT);
    if (fd < 0 || fstat(fd, &about) != 0) {
        snprintf(error, size, "%s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    bool is_regular = S_ISREG(about.st_mode);
    if (is_regular && !lock_all(fd, life, error, size)) {
        close(fd);
        return NULL;
    }
    struct order_file *f = NEW(struct order_file);
    f->fd = fd;
    f->is_regular = is_regular;
    f->waits = !is_regular;
    atomic_init(&f->others, is_regular && has_older(fd) ? WITH_OLDER : ALONE);
    f->reader = is_regular ? open_reader(fd) : -1;
    f->is_torn = is_regular && is_torn(f->reader, about.st_size);
    f->is_new = is_regular && about.st_size == 0;
    snprintf(f->life, sizeof f->life, "%s", life);
    atomic_init(&f->seen, f->is_torn ? end_of_lines(f->reader, about.st_size) : about.st_size);
    f->path = must_strdup(path);
    return f;
}

/* The folder of a path, with its "/". */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    snprintf(folder, PATH_MAX, "%.*s/", (int)(slash ? slash - path : 0), path);
}

bool order_file_can_open(const char *path, char *error, size_t size)
{
    char folder[PATH_MAX];
    int fd = open_path(path, 0);
    if (fd >= 0)
        return close(fd), true;
    folder_of(path, folder);
    if (errno == ENOENT && faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
        return true;
    snprintf(error, size, "%s", strerror(errno));
    return false;
}

bool order_file_is_at(const struct order_file *f, const char *path)
{
    struct stat mine, there;
    return fstat(f->fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

/* ----------------------------------------------------------------------------- writing */

/* Returns an errno, or 0; `written` counts on. */
static int write_all(int fd, struct span rest, size_t *written)
{
    while (rest.len) {
        ssize_t n = write(fd, rest.at, rest.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return EIO;
        *written += (size_t)n;
        rest = span_from(rest, (size_t)n);
    }
    return 0;
}

/* A daemon that has it, too, may have left a line without its end. */
static void look_at_others(struct order_file *f)
{
    struct stat about;
    int others = atomic_load(&f->others);
    f->looks = others != ALONE;
    f->looks_last = others == WITH_OLDER && !has_older(f->fd); /* but it may have until now */
    if (f->looks && fstat(f->fd, &about) == 0)
        f->is_torn = is_torn(f->reader, about.st_size);
}

/* With O_APPEND that is where the last write ended. */
static off_t end_of(const struct order_file *f)
{
    return lseek(f->fd, 0, SEEK_CUR);
}

static int append_lines(struct order_file *f, struct span lines, size_t *written)
{
    size_t ends = 0;
    int error = f->is_torn ? write_all(f->fd, SPAN("\n"), &ends) : 0;
    if (error)
        return error;
    f->is_torn = false;
    error = write_all(f->fd, lines, written);
    if (*written)
        f->is_torn = lines.at[*written - 1] != '\n';
    return error;
}

/* Writes the rest of the line that was begun. False: it is not whole, because of an error, or
 * since others have appended before its rest (`written` is 0 then). */
static bool complete(struct order_file *f, struct span rest, size_t *written, int *error)
{
    *error = write_all(f->fd, rest, written);
    f->is_torn = *error != 0;
    if (!*error && end_of(f) != f->begun_end + (off_t)rest.len)
        *written = 0;
    return *written == rest.len;
}

/* A line that was begun where others may append by now is written anew. */
int order_file_append(struct order_file *f, struct span lines, size_t *written)
{
    size_t begun = f->begun, line = begun ? span_find(lines, '\n') + 1 : 0, rest = 0, more = 0;
    int error = 0;
    f->begun = 0;
    look_at_others(f);
    struct span missing = span_from(span_first(lines, line), begun);
    if (f->looks || !begun || !complete(f, missing, &rest, &error))
        line = 0;
    if (!error)
        error = append_lines(f, span_from(lines, line), &more);
    *written = line || more ? line + more : begun + rest;
    f->looks |= atomic_load(&f->others) != ALONE; /* it may have been given up meanwhile */
    if (f->looks) {
        size_t last = more ? more : rest;
        f->own_end = end_of(f);
        f->own_at = last ? f->own_end - (off_t)last : 0;
    }
    return error;
}

/* Not for this file, or not for this process. */
static bool is_final(int error)
{
    return error == EOPNOTSUPP || error == EINVAL || error == ENOSYS || error == EPERM;
}

/* How many bytes follow the last end of a line. */
static size_t last_line_of(struct span lines)
{
    const char *end = memrchr(lines.at, '\n', lines.len);
    return end ? (size_t)(lines.at + lines.len - end - 1) : lines.len;
}

bool order_file_takes_at_once(const struct order_file *f)
{
    return !f->waits && !f->is_torn && atomic_load(&f->others) == ALONE;
}

size_t order_file_append_at_once(struct order_file *f, struct span lines)
{
    struct iovec all = {(void *)(uintptr_t)lines.at, lines.len};
    if (!order_file_takes_at_once(f))
        return 0;
    ssize_t n = pwritev2(f->fd, &all, 1, -1, RWF_NOWAIT);
    if (n <= 0) {
        f->waits = n < 0 && is_final(errno);
        return 0;
    }
    f->is_torn = lines.at[n - 1] != '\n';
    if (f->is_torn && lines.at[n] != '\n') {
        f->begun = last_line_of(span_first(lines, (size_t)n));
        f->begun_end = end_of(f);
    }
    return (size_t)n;
}

/* Without the line that is cut off at the end of a piece, if that has others before. */
static void cut_piece(struct text *piece)
{
    size_t len = piece->len;
    while (len && piece->at[len - 1] != '\n')
        len--;
    if (len)
        piece->len = len;
}

/* All that an older one has appended is known. */
static void end_looking(struct order_file *f)
{
    int others = WITH_OLDER;
    if (f->looks && f->looks_last && f->own_at)
        (void)atomic_compare_exchange_strong(&f->others, &others, ALONE);
    f->looks = false;
}

/* From where on it is to be read: all of a file that was cut off at its beginning meanwhile. */
static off_t read_from(const struct order_file *f)
{
    off_t seen = (off_t)atomic_load(&f->seen), from = seen <= f->own_end ? seen : 0;
    return f->own_at - from < OTHERS_MOST ? from : f->own_at - OTHERS_MOST;
}

bool order_file_take_others(struct order_file *f, struct text *piece)
{
    off_t from = read_from(f), left = f->own_at - from;
    text_clear(piece);
    if (!f->looks || f->own_at == 0 || left <= 0) {
        end_looking(f);
        return false;
    }
    size_t len = left < PIECE ? (size_t)left : PIECE;
    ssize_t n = pread(f->reader, text_reserve(piece, len), len, from);
    if (n <= 0)
        return false;
    text_added(piece, (size_t)n);
    if (n < left)
        cut_piece(piece);
    atomic_store(&f->seen, from + (off_t)piece->len);
    return true;
}

const char *order_file_life(const struct order_file *f)
{
    return f->life;
}

static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    folder_of(path, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0; /* it may be written, but not read */
    int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return error;
}

int order_file_sync(struct order_file *f)
{
    if (!f->is_regular)
        return 0;
    if (fdatasync(f->fd) != 0)
        return errno;
    int error = f->is_new ? sync_folder(f->path) : 0;
    f->is_new = f->is_new && error;
    return error;
}

/* ------------------------------------------------------------------------------ ending */

void order_file_give_up(struct order_file *f)
{
    struct stat about;
    if (!f->is_regular)
        return;
    if (atomic_load(&f->others) == ALONE && fstat(f->fd, &about) == 0)
        atomic_store(&f->seen, about.st_size);
    atomic_store(&f->others, SHARED);
    (void)set_lock(f->fd, F_UNLCK, OWNER_PLACE);
}

bool order_file_take_back(struct order_file *f, char *error, size_t size)
{
    if (!f->is_regular)
        return true;
    if (!lock_all(f->fd, NULL, error, size))
        return false;
    atomic_store(&f->others, WITH_OLDER);
    return true;
}

void order_file_close(struct order_file *f)
{
    if (f == NULL)
        return;
    close(f->fd);
    if (f->reader >= 0)
        close(f->reader);
    free(f->path);
    free(f);
}
