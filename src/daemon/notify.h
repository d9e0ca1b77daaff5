/* What the service manager is told (sd_notify(3)); nothing where there is none. */
#pragma once

#include "base/check.h"

bool notify_heard(void); /* is there one that listens? */
void notify_ready(void);
void notify_reloading(uint64_t monotonic_us);

/* The end begins, and may take so long. */
void notify_stopping(uint64_t within_ms);

/* One line for `systemctl status`; with `alive`, also that the loop turns. */
void notify_status(const char *status, bool alive);

/* How often it wants to hear that, in ms; 0: it does not. */
uint64_t notify_watchdog_ms(void);
