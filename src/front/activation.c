#include "front/activation.h"

#ifdef HAVE_SYSTEMD
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

bool activation_adopt(struct listeners *l, char *error, size_t size)
{
    int count = sd_listen_fds(1);
    if (count < 0) {
        snprintf(error, size, "socket activation: %s", strerror(-count));
        return false;
    }
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++)
        if (!listeners_adopt(l, fd, error, size))
            return false;
    return true;
}
#else
bool activation_adopt(struct listeners *l, char *error, size_t size)
{
    (void)l;
    (void)error;
    (void)size;
    return true;
}
#endif
