#include "daemon/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/log.h"
#include "base/sanitized.h"

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

static void give_up(int option, unsigned long value, const char *what)
{
    if (prctl(option, value, 0, 0, 0) != 0)
        LOG(WARN, "sandbox", "%s is not given up: %s", what, strerror(errno));
}

#ifdef HAVE_SECCOMP

/* By name, since not every architecture has all of them. */
static const char *const never_made[] = {
    /* other programs and processes */
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev",
    "process_madvise", "kcmp", "pidfd_getfd", "uselib", "personality",
    /* the file system's tree */
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen",
    "fsmount", "fsconfig", "fspick", "mount_setattr", "mknod", "mknodat", "swapon", "swapoff",
    "name_to_handle_at", "open_by_handle_at", "quotactl", "quotactl_fd", "acct", "fanotify_init",
    "fanotify_mark",
    /* users, namespaces, capabilities */
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid",
    "setgroups", "setuid32", "setgid32", "setreuid32", "setregid32", "setresuid32", "setresgid32",
    "setfsuid32", "setfsgid32", "setgroups32", "capset", "unshare", "setns", "sethostname",
    "setdomainname",
    /* the kernel */
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
    "bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl", "syslog",
    "lookup_dcookie", "iopl", "ioperm", "modify_ldt", "vm86", "vm86old", "vhangup", "sysfs",
    "_sysctl", "nfsservctl", "migrate_pages", "move_pages", "vmsplice",
    /* the clock */
    "settimeofday", "clock_settime", "clock_settime64", "adjtimex", "clock_adjtime",
    "clock_adjtime64", "stime"};

/* s390 has the flags of clone(2) in its second argument. */
#if defined(__s390__)
#define CLONE_FLAGS(compare, ...) SCMP_A1(compare, __VA_ARGS__)
#else
#define CLONE_FLAGS(compare, ...) SCMP_A0(compare, __VA_ARGS__)
#endif

static bool forbid(scmp_filter_ctx filter, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return true;
    int status = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, number, 0);
    return status == 0 || status == -EDOM; /* no such call here */
}

/* Threads come by clone(2): clone3(2), whose flags no filter can see, is said not to be
 * there, and the C library then does without it. So does libuv without io_uring. */
static bool forbid_processes(scmp_filter_ctx filter)
{
    int flags = SCMP_SYS(clone), three = seccomp_syscall_resolve_name("clone3");
    int ring = seccomp_syscall_resolve_name("io_uring_setup");
    bool good = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, flags, 1,
                                 CLONE_FLAGS(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0;
    if (three != __NR_SCMP_ERROR)
        good &= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), three, 0) == 0;
    if (ring != __NR_SCMP_ERROR)
        good &= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), ring, 0) == 0;
    return good;
}

/* Netlink tells the addresses of this machine. */
static bool forbid_sockets(scmp_filter_ctx filter)
{
    bool good = true;
    for (unsigned family = 0; family <= AF_MAX; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6 && family != AF_NETLINK)
            good &= seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 1,
                                     SCMP_A0(SCMP_CMP_EQ, family)) == 0;
    return good;
}

static bool fill(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < COUNT_OF(never_made); i++)
        if (!forbid(filter, never_made[i]))
            return false;
    return seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
           seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && forbid_processes(filter) &&
           forbid_sockets(filter);
}

static void filter_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int status = filter && fill(filter) ? seccomp_load(filter) : -ENOMEM;
    if (status != 0)
        LOG(WARN, "sandbox", "system calls are not filtered: %s", strerror(-status));
    if (filter)
        seccomp_release(filter);
}

#endif

void sandbox_enter(void)
{
    give_up(PR_SET_NO_NEW_PRIVS, 1, "gaining privileges");
    if (SANITIZED) /* LeakSanitizer stops the other threads by ptrace, from a process of its own */
        return;
    give_up(PR_SET_DUMPABLE, 0, "being looked into");
#ifdef HAVE_SECCOMP
    filter_calls();
#endif
}

const char *sandbox_words(void)
{
    if (SANITIZED)
        return "no new privileges (sanitized: nothing else)";
#ifdef HAVE_SECCOMP
    return "no new privileges, not dumpable, seccomp filter";
#else
    return "no new privileges, not dumpable (built without libseccomp: no filter)";
#endif
}
