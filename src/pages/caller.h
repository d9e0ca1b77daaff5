/* Who asked for something that the log is to tell of, in words:
 * "127.0.0.1:53122", "uid 1000 (kai) on /run/trunkline.sock", or
 * "the dashboard (127.0.0.1:53122)". Pure but for a look into /etc/passwd. */
#pragma once

#include "http/ingress.h"
#include "http/message.h"

#define CALLER_SIZE 320

/* Writes it to `text` and returns `text`. The dashboard is told by what browsers
 * alone send, of a page that is our own (Sec-Fetch-Site, Origin): a program that
 * sends it too passes for it. */
const char *caller_text(char text[CALLER_SIZE], const struct ingress *, const struct request *);
