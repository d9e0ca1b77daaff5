/* `trunkline ca init` (contract 1 and 8): makes the local CA and tells how it is
 * put to use. Never overwrites a file; leaves none behind if it fails. */
#pragma once

/* `argv[0]` is "ca". Returns the exit code: 64 for bad usage, 73 if the files
 * cannot be made. */
int ca_init(int argc, char **argv, const char *usage);
