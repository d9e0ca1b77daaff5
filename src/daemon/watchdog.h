/* Tells the service manager how it goes, from the loop and only while it turns:
 * the watchdog's sign of life, and a line of status for `systemctl status`. Owned
 * by the daemon; silent where no service manager listens. */
#pragma once

#include "base/text.h"
#include "pages/admin.h"

struct watchdog;

/* `admin` is borrowed for its life. Beats from now on. */
struct watchdog *watchdog_new(struct loop *, const struct admin *);

/* Beats at once, when something changed that is worth telling. */
void watchdog_beat(struct watchdog *);
void watchdog_free(struct watchdog *);

/* The line of status: "2 of 3 upstreams up (kraken paused); 5 lines, 1 busy; ...". */
void watchdog_status(const struct admin *, struct text *);
