"""The privileges that the daemon drops after it has started, observed from outside."""
import pathlib
import re

from lib.daemon import cli, sanitized, upstream
from lib.promise import works
from lib.wire import eventually


def test_the_daemon_gives_up_what_it_does_not_need(daemon, origin):
    """No new privileges, a system call filter, not dumpable; the daemon still works, including a reload."""
    d = daemon(upstream('ex', origin))
    proc = pathlib.Path(f'/proc/{d.pid}')
    status = dict(re.findall(r'^(\w+):\t(.*)$', (proc / 'status').read_text(), re.M))
    said = cli('--version').stdout
    assert status['NoNewPrivs'] == '1' and 'sandbox: no new privileges' in said
    if not sanitized():
        assert 'not dumpable' in said and (proc / 'status').stat().st_uid == 0
        assert (status['Seccomp'] == '2') == ('seccomp filter' in said)
    works(d)
    d.reload(upstream('ex', origin), upstream('two', origin, host='kraken.test'))
    eventually(lambda: d.get('/two/a').status == 200)
    assert 'sandbox' not in d.stderr
