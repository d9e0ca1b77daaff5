/* Conditions that only the start of a daemon would find to be wrong, checked in advance. */
#include "front/start_check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "suite.h"

static char folder[64];
static struct text told;

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/check_start.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    unsetenv("MAINPID");
    setenv("HERE", folder, 1);
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
    text_free(&told);
}

static void tell(void *context, const char *message)
{
    (void)context;
    text_printf(&told, "%s\n", message);
}

static bool passes(const char *content)
{
    text_clear(&told);
    text_add_str(&told, "");
    struct config *c = config_parse("/t.conf", content, strlen(content), tell, NULL);
    ck_assert_msg(c != NULL, "%s", told.at);
    bool good = start_check(c, tell, NULL);
    ck_assert_msg(good == (told.len == 0), "%s", told.at);
    config_unref(c);
    return good;
}

static void fails(const char *content, const char *beginning, const char *words)
{
    ck_assert_msg(!passes(content), "%s", content);
    ck_assert_msg(strncmp(told.at, beginning, strlen(beginning)) == 0, "%s", told.at);
    ck_assert_msg(strstr(told.at, words) != NULL, "%s", told.at);
    ck_assert_msg(strchr(told.at, '\n') == told.at + told.len - 1, "%s", told.at);
}

static void make_file(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

/* A socket file in the folder, bound and optionally with a listener. */
static int bind_unix(const char *name, bool listens)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s/%s", folder, name);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert(!listens || listen(fd, 1) == 0);
    return fd;
}

START_TEST(addresses)
{
    fails("allow_clients = {0.0.0.0/0}\nlisten = {\"127.0.0.1:18641\",\n\"203.0.113.77:8642\"}\n",
          "/t.conf:3: listen 203.0.113.77:8642: ", "not available");
    fails("listen = {\"127.0.0.1:18641\"}\nupstream a {\nurl = http://a.test\n"
          "listen = {\"unix:${HERE}/none/s\"}\n}\n",
          "/t.conf:4: listen unix:", "no such file");
    fails("\nlisten = {}", "/t.conf: listen: no address is given", "");
    ck_assert(
        passes("listen = {}\nupstream a { url = http://a.test listen = {\"127.0.0.1:18641\"} }"));
    ck_assert(passes(""));
}
END_TEST

START_TEST(unix_sockets)
{
    char path[100];
    struct stat st;
    make_file("file");
    close(bind_unix("stale", false));
    int used = bind_unix("used", true);
    fails("listen = {\"unix:${HERE}/file\"}", "/t.conf:1: listen ", "file already exists");
    fails("listen = {\"unix:${HERE}/file/s\"}", "/t.conf:1: listen ", "not a directory");
    fails("listen = {\"unix:${HERE}\"}", "/t.conf:1: listen ", "file already exists");
    ck_assert(
        passes("listen = {\"unix:${HERE}/stale\", \"unix:${HERE}/used\", \"unix:${HERE}/s\"}"));
    ck_assert_int_eq(fcntl(used, F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(accept(used, NULL, NULL), -1); /* nothing connected */
    snprintf(path, sizeof path, "%s/s", folder);
    ck_assert_int_ne(stat(path, &st), 0); /* nothing is left */
    close(used);
}
END_TEST

/* The address is used by the daemon that is to load the file, or by systemd (the check in
 * ExecReload=). */
START_TEST(what_is_in_use_is_fine)
{
    char content[200];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    snprintf(content, sizeof content, "listen = {\"127.0.0.1:%u\"}", ntohs(at.sin_port));
    ck_assert(passes(content));
    close(fd);
    setenv("MAINPID", "1", 1);
    ck_assert(passes("listen = {}"));
    ck_assert(passes("allow_clients = {0.0.0.0/0} listen = {\"203.0.113.77:8642\"}"));
    fails("access_log = \"/nowhere/log\"",
          "/t.conf:1: access_log = /nowhere/log: ", "No such file");
}
END_TEST

START_TEST(access_logs)
{
    char path[100];
    struct stat st;
    make_file("old.log");
    fails("\naccess_log = \"${HERE}/none/log\"", "/t.conf:2: access_log = ", "No such file");
    fails("access_log = \"${HERE}\"", "/t.conf:1: access_log = ", "Is a directory");
    fails("access_log = \"${HERE}/old.log/x\"", "/t.conf:1: access_log = ", "Not a directory");
    fails("access_log = \"${HERE}/none/\"", "/t.conf:1: access_log = ", "No such file");
    ck_assert(passes("access_log = \"${HERE}/old.log\""));
    ck_assert(passes("access_log = \"${HERE}/new.log\""));
    ck_assert(passes("access_log = stderr"));
    snprintf(path, sizeof path, "%s/new.log", folder);
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

/* As a user other than root. */
START_TEST(permissions)
{
    if (geteuid() != 0)
        return;
    make_file("old.log");
    ck_assert_int_eq(chmod(folder, 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    bool log = passes("access_log = \"${HERE}/old.log\""),
         made = passes("access_log = \"${HERE}/new\"");
    bool socket = passes("listen = {\"unix:${HERE}/s\"}");
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert(!log && !made && !socket);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(addresses);
    TEST(unix_sockets);
    TEST(what_is_in_use_is_fine);
    TEST(access_logs);
    TEST(permissions);
}
