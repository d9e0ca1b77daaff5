#include "tests/sim/disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/sim/life.h"
#include "tests/sim/threads.h"

#define FILES_MOST 64
#define RETRY_US 3000000 /* until what it did not take is written */

static struct disk_nature nature;
static uint64_t hangs_until, well_us; /* when it became well; 0: it was never ill */

static bool is_ill(void)
{
    return nature.is_full || nature.fails_write || nature.fails_sync || nature.hang_us;
}

void disk_set(const struct disk_nature *n)
{
    bool was_ill = is_ill();
    nature = *n;
    if (was_ill && !is_ill())
        well_us = world_us();
}

const struct disk_nature *disk_now(void)
{
    return &nature;
}

bool disk_is_ill(void)
{
    return is_ill() || world_us() < hangs_until;
}

bool disk_lags(void)
{
    uint64_t since = well_us > hangs_until ? well_us : hangs_until;
    return disk_is_ill() || (since && world_us() - since < RETRY_US);
}

static struct dice *chance(void)
{
    static struct dice dice;
    static bool is_there;
    if (!is_there)
        dice = dice_of("disk", 0);
    is_there = true;
    return &dice;
}

static bool concerns(int fd)
{
    struct stat about;
    return fd > STDERR_FILENO && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

/* ------------------------------------------------------------------- what a loss of power spares */

static struct {
    ino_t inode;
    off_t synced;
    char path[256];
} files[FILES_MOST];
static size_t file_count;

static void path_of(int fd, char *path, size_t size)
{
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, size - 1);
    CHECK(n > 0);
    path[n] = '\0';
}

/* What a file had before the first write is taken for synced. */
static void note(int fd, bool is_synced)
{
    struct stat about;
    char path[sizeof files->path];
    size_t i = 0;
    CHECK(fstat(fd, &about) == 0);
    path_of(fd, path, sizeof path);
    while (i < file_count && (files[i].inode != about.st_ino || strcmp(files[i].path, path) != 0))
        i++;
    if (i < file_count && !is_synced && files[i].synced <= about.st_size)
        return;
    CHECK(i < FILES_MOST);
    strcpy(files[i].path, path);
    files[i].inode = about.st_ino;
    files[i].synced = about.st_size;
    file_count += i == file_count;
}

void disk_lose(void)
{
    struct stat about;
    for (size_t i = 0; i < file_count; i++) {
        if (stat(files[i].path, &about) != 0 || about.st_ino != files[i].inode)
            continue;
        off_t unsafe = about.st_size - files[i].synced;
        off_t kept = files[i].synced + dice_draw(chance(), (uint32_t)unsafe + 1);
        if (unsafe)
            world_say("disk: of %ld bytes of a file %ld are left", (long)about.st_size, (long)kept);
        CHECK(truncate(files[i].path, kept) == 0);
    }
    file_count = 0;
}

/* ---------------------------------------------------------------------------- operations */

static ssize_t write_part(int fd, const void *from, size_t len)
{
    note(fd, false);
    ssize_t n = syscall(SYS_write, fd, from, life_writes(LIFE_FILE, len));
    life_after_write(LIFE_FILE);
    return n;
}

static void hang(void)
{
    if (nature.hang_us == 0)
        return;
    if (hangs_until < world_us() + nature.hang_us)
        hangs_until = world_us() + nature.hang_us;
    world_say("disk: a write hangs");
    threads_sleep(nature.hang_us);
}

/* A full disk may still take a part. */
ssize_t disk_write(int fd, const void *from, size_t len)
{
    if (!concerns(fd))
        return syscall(SYS_write, fd, from, len);
    if (nature.write_us)
        threads_sleep(dice_draw(chance(), nature.write_us));
    hang();
    if (nature.fails_write) {
        errno = EIO;
        return -1;
    }
    if (nature.is_full && dice_chance(chance(), 50)) {
        errno = ENOSPC;
        return -1;
    }
    if (nature.is_full && len > 1)
        len = 1 + dice_draw(chance(), (uint32_t)len - 1);
    return write_part(fd, from, len);
}

/* How it is refused: an errno, or 0. Now and then also where nothing has to be waited for. */
static int refusal(void)
{
    if (nature.always_waits)
        return EOPNOTSUPP;
    if (nature.fails_write)
        return EIO;
    if (nature.is_full && dice_chance(chance(), 50))
        return ENOSPC;
    return nature.write_us || nature.hang_us || dice_chance(chance(), 20) ? EAGAIN : 0;
}

ssize_t disk_write_at_once(int fd, const void *from, size_t len)
{
    int error = refusal();
    CHECK(concerns(fd));
    if (error) {
        errno = error;
        return -1;
    }
    if (len > 1 && (nature.is_full || dice_chance(chance(), 20)))
        len = 1 + dice_draw(chance(), (uint32_t)len - 1);
    return write_part(fd, from, len);
}

int disk_sync(int fd)
{
    if (!concerns(fd))
        return (int)syscall(SYS_fdatasync, fd);
    if (nature.sync_us)
        threads_sleep(dice_draw(chance(), nature.sync_us));
    if (nature.fails_sync) {
        errno = EIO;
        return -1;
    }
    note(fd, true);
    return 0;
}
