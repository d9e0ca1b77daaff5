/* The dashboard: one page, embedded at build time, that lives from /stats. It
 * brings its script and style along, and its policy allows just these two. */
#pragma once

#include "base/arena.h"
#include "base/span.h"

struct span dashboard_page(void);

/* The value of Content-Security-Policy (CSP level 3) for the page, from the arena:
 * nothing but its own script and style, named by their SHA-256, and requests to
 * where it came from. */
struct span dashboard_policy(struct arena *);
