/* `trunkline ca init` (contract 1 and 8): makes the local CA and prints how to use it.
 * It never overwrites a file, and leaves none behind if it fails. Owns nothing; stateless. */
#pragma once

/* `argv[0]` is "ca". Returns the exit code: 64 for bad usage, 73 if the files
 * cannot be made. */
int ca_init(int argc, char **argv, const char *usage);
