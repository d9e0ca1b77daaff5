#include "tests/sim/disk.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/sim/threads.h"

static struct disk_nature nature;

void disk_set(const struct disk_nature *n)
{
    nature = *n;
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

/* A full disk may still take a part. */
ssize_t disk_write(int fd, const void *from, size_t len)
{
    if (!concerns(fd))
        return syscall(SYS_write, fd, from, len);
    if (nature.write_us)
        threads_sleep(dice_draw(chance(), nature.write_us));
    if (nature.is_full && dice_chance(chance(), 50)) {
        errno = ENOSPC;
        return -1;
    }
    if (nature.is_full && len > 1)
        len = 1 + dice_draw(chance(), (uint32_t)len - 1);
    return syscall(SYS_write, fd, from, len);
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
    return 0; /* what is written stays while the machine runs */
}
