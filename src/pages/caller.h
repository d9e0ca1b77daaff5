/* The caller of a verb, as the log describes it: "127.0.0.1:53122",
 * "uid 1000 (kai) on /run/trunkline.sock", or "the dashboard (127.0.0.1:53122)".
 * Pure, except that it reads /etc/passwd; stateless. */
#pragma once

#include "http/ingress.h"
#include "http/message.h"

#define CALLER_SIZE 320

/* Writes it to `text` and returns `text`. The dashboard is recognized by fields that browsers
 * send for trunkline's own page (Sec-Fetch-Site, Origin); a program that sends them too is
 * taken for it. */
const char *caller_text(char text[CALLER_SIZE], const struct ingress *, const struct request *);
