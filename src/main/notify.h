/* What the service manager is told (sd_notify(3)); nothing where there is none. */
#pragma once

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
