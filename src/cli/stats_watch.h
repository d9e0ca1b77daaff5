/* `stats --watch`: a page about a running daemon, refreshed in place each second
 * like top(1). To anything but a terminal it writes plain text, a block for each
 * look. For the command line only. */
#pragma once

/* Watches the daemon at `url` until ^C, SIGTERM, SIGHUP, "q" or the end of the
 * terminal's input, through which the terminal becomes what it was. A daemon that
 * does not answer is told of and asked again. Returns the exit code: 0, or 74 when
 * the page cannot be written. */
int stats_watch(const char *url);
