/* Memory for when there is none left: a reserve, held from the start, which the
 * first allocation that fails lives on. Until it could be filled again new
 * requests are refused, so that those under way can end. One per process. */
#pragma once

#include "base/check.h"

/* Allocates the reserve; without it an allocation that fails aborts at once. */
void alloc_prepare(void);

/* Gives the reserve back to the allocator; false: there is none. */
bool alloc_rescue(void) MUST_CHECK;

/* Is it spent? Tries to fill it again first, and says so on the log (once a minute
 * at most) if that fails. Costs nothing while all is well. */
bool alloc_is_short(void);
