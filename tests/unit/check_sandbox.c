/* What a process can no longer do after it has entered its sandbox. */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "daemon/sandbox.h"
#include "suite.h"

/* How a child process ends that enters the sandbox and then does this. */
static int end_of(void (*act)(void))
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        sandbox_enter();
        act();
        _exit(7);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void execute(void)
{
    execl("/bin/true", "true", NULL);
}

static void fork_once(void)
{
    if (fork() == 0)
        _exit(0);
}

static void clone_a_process(void)
{
    syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void trace(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void mount_something(void)
{
    (void)mount("none", "/nowhere", "tmpfs", 0, NULL);
}

static void open_a_packet_socket(void)
{
    close(socket(AF_PACKET, SOCK_RAW, 0));
}

static void become_somebody(void)
{
    (void)!syscall(SYS_setuid, getuid());
}

static void set_the_clock(void)
{
    clock_settime(CLOCK_REALTIME, &(struct timespec){0});
}

static void *in_thread(void *result)
{
    *(int *)result = 1;
    return NULL;
}

/* What the daemon continues to do: threads, files, sockets. */
static void go_on(void)
{
    pthread_t thread;
    int ran = 0, families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    CHECK(pthread_create(&thread, NULL, in_thread, &ran) == 0);
    CHECK(pthread_join(thread, NULL) == 0 && ran == 1);
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        int fd = socket(families[i], families[i] == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);
        if (fd >= 0)
            close(fd);
    }
    int fd = open("/dev/null", O_RDWR);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    CHECK(strstr(sandbox_words(), "sanitized") || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    _exit(0);
}

static const struct {
    const char *name;
    void (*act)(void);
} forbidden[] = {
    {"execve", execute},         {"fork", fork_once},
    {"clone", clone_a_process},  {"ptrace", trace},
    {"mount", mount_something},  {"socket(AF_PACKET)", open_a_packet_socket},
    {"setuid", become_somebody}, {"clock_settime", set_the_clock},
};

/* A sanitizer build, or one without libseccomp, says so in its message; valgrind does not support
 * seccomp(2). */
static bool is_filtered(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    bool valgrind = preloaded && strstr(preloaded, "vgpreload");
    return !valgrind && strstr(sandbox_words(), "seccomp filter");
}

START_TEST(what_is_never_done_is_deadly)
{
    if (!is_filtered())
        return;
    int status = end_of(forbidden[_i].act);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %#x",
                  forbidden[_i].name, status);
}
END_TEST

START_TEST(the_rest_goes_on)
{
    int status = end_of(go_on);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}
END_TEST

SUITE()
{
    LOOP(what_is_never_done_is_deadly, 0, COUNT_OF(forbidden));
    TEST(the_rest_goes_on);
}
