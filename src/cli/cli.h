/* The command line (contract 1): finds the command, reads its options and runs it. Output goes
 * to stdout; an error is one line on stderr. Owned by main(); stateless. */
#pragma once

/* Returns the exit code (sysexits.h): 64 for bad usage, 69 if the daemon cannot
 * be reached, 78 for a bad configuration. */
int cli_main(int argc, char **argv);
