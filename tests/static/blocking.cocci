// The loop never blocks. What waits in the kernel is called by commands, which have no loop, by a
// thread that may wait, or after the loop's end. A poll() or epoll_wait() without a timeout is a look.

@initialize:python@ @@
allowed = {
    'src/cli/': 'commands wait',
    'src/net/loop.c': 'the loop itself',
    'src/net/worker.c': 'the thread of the worker, and its end',
    'src/proxy/order_writer.c': 'the thread that writes the order journal, and its end',
    'src/proxy/order_file.c': 'called by that thread',
    'src/base/whole_file.c': 'called by the worker; its lock is tried, not awaited',
    'src/net/saved_file.c': 'its last tries come after the loop has ended',
    'src/front/access_log.c': 'it waits for a pipe at its end only',
}

@look@
position p;
@@
(
 poll@p(..., 0)
|
 epoll_wait@p(..., 0)
)

@called@
identifier F =~ "^(sleep|usleep|nanosleep|clock_nanosleep|pause|sigsuspend|select|pselect|poll|ppoll|epoll_wait|system|popen|wait|waitpid|getaddrinfo|gethostbyname|getnameinfo|flock|lockf|sem_wait|pthread_join|pthread_cond_wait|uv_cond_wait|uv_sem_wait|uv_thread_join|uv_sleep|fsync|fdatasync|sync|syncfs)$";
position p != look.p;
@@
 F@p(...)

@script:python@
p << called.p;
F << called.F;
@@
if not p[0].file.startswith(tuple(allowed)):
    print(f'{p[0].file}:{p[0].line}: {F}() blocks')
