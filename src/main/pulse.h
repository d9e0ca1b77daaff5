/* Tells the service manager how it goes, from the loop and only while it turns:
 * the watchdog's sign of life, and a line of status for `systemctl status`. Owned
 * by the daemon; silent where no service manager listens. */
#pragma once

#include "base/text.h"
#include "front/admin.h"

struct pulse;

/* `admin` is borrowed for its life. Beats from now on. */
struct pulse *pulse_new(struct loop *, const struct admin *);

/* Beats at once, when something changed that is worth telling. */
void pulse_beat(struct pulse *);
void pulse_free(struct pulse *);

/* The line of status: "2 of 3 upstreams up (kraken paused); 5 lines, 1 busy; ...". */
void pulse_status(const struct admin *, struct text *);
