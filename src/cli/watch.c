#include "cli/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/daemon_client.h"

#define INTERVAL_MS 1000
#define CTRL_D 4

/* xterm's alternate screen, and DECTCEM: the cursor. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

struct watch {
    const char *url;
    const struct watched *watched;
    bool terminal, colours, keys; /* keys: the input is a terminal too */
    struct text before, now, page;
    bool known; /* `now` is of the last request, not left over from an older one */
    char why[200];
};

/* What a signal handler needs to restore the terminal. */
static struct {
    bool shown, keys;
    struct termios input;
} screen;

static void put(const char *bytes, size_t len)
{
    ssize_t ignored = write(STDOUT_FILENO, bytes, len);
    (void)ignored;
}

static void enter_screen(void)
{
    struct termios quiet = screen.input;
    quiet.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    if (screen.keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    if (screen.shown)
        put(ENTER, sizeof ENTER - 1);
}

static void leave_screen(void)
{
    if (screen.shown)
        put(LEAVE, sizeof LEAVE - 1);
    if (screen.keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &screen.input);
}

/* Ends at once, even while it waits for the daemon. All it calls is safe in a signal handler
 * (signal-safety(7)). */
static void on_end(int number)
{
    (void)number;
    leave_screen();
    _exit(EX_OK);
}

static void on_stop(int number)
{
    (void)number;
    int kept = errno;
    leave_screen();
    raise(SIGSTOP);
    enter_screen();
    errno = kept;
}

/* Nothing to do: it is enough that poll(2) returns. */
static void on_resize(int number)
{
    (void)number;
}

static void catch_signal(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigfillset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void take_terminal(const struct watch *w)
{
    screen.shown = w->terminal;
    screen.keys = w->keys && tcgetattr(STDIN_FILENO, &screen.input) == 0;
    catch_signal(SIGINT, on_end);
    catch_signal(SIGTERM, on_end);
    catch_signal(SIGHUP, on_end);
    if (w->terminal) {
        catch_signal(SIGTSTP, on_stop);
        catch_signal(SIGWINCH, on_resize);
    }
    enter_screen();
}

static void look(struct watch *w)
{
    struct text oldest = w->before;
    w->before = w->now;
    w->now = oldest;
    text_clear(&w->now);
    if (!w->known)
        text_clear(&w->before);
    w->known = daemon_client_page(w->url, w->watched->path(w->watched->context), &w->now, w->why,
                                  sizeof w->why);
}

static struct page_form form_of(const struct watch *w)
{
    struct winsize size = {0};
    struct page_form form = {.columns = 80, .colours = w->colours};
    if (!w->terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return form;
    form.rows = size.ws_row;
    /* On some terminals a line that fills the last column wraps. */
    if (size.ws_col > 1)
        form.columns = size.ws_col - 1u;
    return form;
}

/* False: there is no page; `why` says why. */
static bool compose_known(struct watch *w, const struct page_form *form)
{
    text_clear(&w->page);
    w->known =
        w->known && w->watched->compose(w->watched->context, text_span(&w->before),
                                        text_span(&w->now), form, &w->page, w->why, sizeof w->why);
    return w->known;
}

static void compose(struct watch *w)
{
    struct page_form form = form_of(w);
    struct text line = {0};
    if (compose_known(w, &form))
        return;
    size_t columns = form.columns < 80 ? form.columns : 80;
    text_printf(&line, "the daemon is gone: %s", w->why);
    text_printf(&w->page, "%.*s\n", SPAN_ARG(span_first(text_span(&line), columns)));
    text_clear(&line);
    text_printf(&line, "trying again: %s", w->url);
    text_printf(&w->page, "%.*s\n", SPAN_ARG(span_first(text_span(&line), columns)));
    text_free(&line);
}

/* Writes over the old page, line by line, and clears what is left of it: no flicker. */
static void paint(struct span rest)
{
    fputs("\033[H", stdout);
    while (rest.len) {
        size_t end = span_find(rest, '\n');
        printf("%.*s\033[K", (int)end, rest.at);
        rest = span_from(rest, end + 1);
        if (rest.len)
            fputs("\r\n", stdout);
    }
    fputs("\033[J", stdout);
}

static bool show(struct watch *w)
{
    compose(w);
    if (w->terminal)
        paint(text_span(&w->page));
    else
        printf("%s\n", w->page.at);
    return fflush(stdout) == 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What a key, or the end of the input, asks for. */
enum wish { WISH_NONE, WISH_END, WISH_PAINT, WISH_LOOK };

static enum wish read_key(const struct watch *w)
{
    char key = 0;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? WISH_NONE : WISH_END;
    if (n == 0 || key == 'q' || key == CTRL_D)
        return WISH_END;
    const struct watched *watched = w->watched;
    const char *before = watched->path(watched->context);
    if (!watched->on_key || !watched->on_key(watched->context, key))
        return WISH_NONE;
    return strcmp(watched->path(watched->context), before) == 0 ? WISH_PAINT : WISH_LOOK;
}

/* Waits until the next look is due; repaints at once if the size or the page changes. False: to
 * end. */
static bool wait_until(struct watch *w, int64_t due)
{
    struct pollfd input = {.fd = screen.keys ? STDIN_FILENO : -1, .events = POLLIN};
    for (int64_t left; (left = due - now_ms()) > 0;) {
        int n = poll(&input, 1, (int)left);
        enum wish wish = n > 0 ? read_key(w) : n < 0 && w->terminal ? WISH_PAINT : WISH_NONE;
        if (wish == WISH_END || (wish == WISH_PAINT && !show(w)))
            return false;
        if (wish == WISH_LOOK) {
            w->known = false; /* what is here is another document */
            return true;
        }
    }
    return true;
}

static void free_texts(struct watch *w)
{
    text_free(&w->before);
    text_free(&w->now);
    text_free(&w->page);
}

/* The first look, before the terminal is taken: a wrong address, or a daemon that does not run, is
 * an error of this command and not something to wait for. */
static bool look_first(struct watch *w)
{
    struct page_form form = form_of(w);
    look(w);
    if (compose_known(w, &form))
        return true;
    fprintf(stderr, "trunkline: %s: %s\n", w->url, w->why);
    return false;
}

static void watch(struct watch *w)
{
    int64_t due = now_ms() + INTERVAL_MS;
    take_terminal(w);
    while (show(w) && wait_until(w, due)) {
        due = now_ms() + INTERVAL_MS;
        look(w);
    }
    leave_screen();
}

int watch_run(const char *url, const struct watched *watched)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    struct watch w = {.url = url, .watched = watched};
    w.terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
    w.colours = w.terminal && !(no_color && *no_color);
    w.keys = w.terminal && isatty(STDIN_FILENO);
    bool answered = look_first(&w);
    if (answered)
        watch(&w);
    free_texts(&w);
    if (!answered)
        return EX_UNAVAILABLE;
    if (!ferror(stdout))
        return EX_OK;
    fprintf(stderr, "trunkline: cannot write: %m\n");
    return EX_IOERR;
}
