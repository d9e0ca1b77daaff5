#include <errno.h>
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/cli.h"
#include "net/aead.h"

/* If one of the first three descriptors was closed, the next socket would get its number, and
 * log lines would be written into what it carries. Opened the other way round, so that using
 * it still fails. */
static bool hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    if (!hold_standard_descriptors())
        return EX_OSFILE;
    aead_prepare();
    return cli_main(argc, argv);
}
