#include "daemon/notify.h"

#ifdef HAVE_SYSTEMD
#include <inttypes.h>
#include <systemd/sd-daemon.h>

bool notify_heard(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

void notify_ready(void)
{
    sd_notify(0, "READY=1");
}

/* RELOADING=1 wants the monotonic time beside it (Type=notify-reload). */
void notify_reloading(uint64_t monotonic_us)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, monotonic_us);
}

/* The unit's TimeoutStopSec is not to cut drain_timeout short. */
void notify_stopping(uint64_t within_ms)
{
    sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64, within_ms * 1000);
}

void notify_status(const char *status, bool alive)
{
    sd_notifyf(0, "%sSTATUS=%s", alive ? "WATCHDOG=1\n" : "", status);
}

uint64_t notify_watchdog_ms(void)
{
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us / 1000 : 0;
}
#else
bool notify_heard(void)
{
    return false;
}

void notify_ready(void)
{
}

void notify_reloading(uint64_t monotonic_us)
{
    (void)monotonic_us;
}

void notify_stopping(uint64_t within_ms)
{
    (void)within_ms;
}

void notify_status(const char *status, bool alive)
{
    (void)status;
    (void)alive;
}

uint64_t notify_watchdog_ms(void)
{
    return 0;
}
#endif
