/* What the daemon gives up once it has started, with systemd or without, so that a hole in
 * a parser is worth as little as possible to whoever finds it. It holds for the whole
 * process and cannot be taken back. */
#pragma once

/* Gives up, for all threads (prctl(2), seccomp(2)):
 * - gaining privileges by executing something (PR_SET_NO_NEW_PRIVS);
 * - being looked into by other processes of the same user, and core files
 *   (PR_SET_DUMPABLE), since both show keys and orders;
 * - the system calls that it never makes, such as execve, fork, ptrace, mount or a socket
 *   of another family than IP, unix and netlink: the kernel kills it (SIGSYS).
 * What the kernel does not grant is logged as a warning; the daemon goes on without it.
 * A sanitized build keeps all but the first: its runtimes need the rest. */
void sandbox_enter(void);

/* What this build gives up, in words for --version. */
const char *sandbox_words(void);
