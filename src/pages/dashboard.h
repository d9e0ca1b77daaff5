/* The dashboard: one page that reads /stats, made of dashboard.html, its style and its scripts
 * (scripts/assemble) and embedded at build time. It contains its script and style, and its policy
 * allows only these two. Constant; stateless. */
#pragma once

#include "base/arena.h"
#include "base/span.h"

/* The HTML. */
struct span dashboard_page(void);

/* The value of Content-Security-Policy (CSP level 3) for the page, allocated in the arena: it
 * allows nothing but the page's own script and style, given by their SHA-256, and requests to
 * the page's own origin. */
struct span dashboard_policy(struct arena *);
