/* The allocator that nghttp2 is given: small blocks that it frees are kept for its next allocations,
 * of which each request causes more than a dozen. There is one per process, used on the loop's thread
 * alone. It has no states. */
#pragma once

#include <nghttp2/nghttp2.h>

/* Its functions abort when memory is out, and are otherwise those of the C library. */
nghttp2_mem *h2_memory(void);
