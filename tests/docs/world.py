"""Where the documents' commands run as they are written: a network of its own, in which trunkline listens on 127.0.0.1:8642 with the
demo exchanges behind it, and a file system whose /etc and /var/log are copies. Needs root."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from lib import wire
from lib.daemon import binary, upstream
from lib.demo import HOSTS, TREE, certificate
from lib.wire import LONG, eventually

SETUP = '''
ip link set lo up
mount -t tmpfs tmpfs "$0"
mkdir "$0/etc" "$0/work" "$0/log"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/work" /etc
mount --bind "$0/log" /var/log
mkdir -p /etc/trunkline /var/log/trunkline
echo ready
exec sleep infinity
'''
# Programs that show a page until they are stopped are stopped.
PRELUDE = '''
trunkline() {
    case " $* " in
    ' top '* | *' --watch '*) command timeout --preserve-status -s INT 2 trunkline "$@" ;;
    *) command trunkline "$@" ;;
    esac
}
'''


class World:
    def __init__(self, folder):
        self.folder, self.started = folder, []
        for name in ('layer', 'here', 'bin'):
            (folder / name).mkdir()
        (folder / 'here/.curlrc').write_text('fail-with-body\nsilent\nshow-error\n')
        (folder / 'bin/trunkline').symlink_to(binary())
        (folder / 'prelude').write_text(PRELUDE)
        self.holder = subprocess.Popen(['unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-euc', SETUP, folder / 'layer'],
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == 'ready\n'
        self._exchanges()
        self._daemon()

    def _exchanges(self):
        self._start(sys.executable, TREE / 'scripts/demo-exchange', *certificate(), self.folder)
        eventually((self.folder / 'ports').exists)
        self.ports = dict(line.split() for line in (self.folder / 'ports').read_text().splitlines())

    def _daemon(self):
        blocks = [upstream(name, f'127.0.0.1:{self.ports[name]}', host=host, min_idle=1, preset='kraken' if name == 'kraken' else None)
                  for name, host in HOSTS.items()]
        text = f'order_journal = "/var/log/trunkline/orders.journal"\n{"".join(blocks)}'
        self.run('sh', '-c', 'cat >/etc/trunkline/trunkline.conf', input=text)
        self._start(binary())
        eventually(lambda: self.run('curl', '-q', '-s', 'http://127.0.0.1:8642/healthz', check=False).stdout == 'ok\n')

    def _inside(self, command):
        return ['nsenter', '-t', str(self.holder.pid), '-n', '-m', f'--wd={self.folder / "here"}', *map(str, command)]

    @property
    def _env(self):
        folders = [self.folder / 'bin', pathlib.Path(binary()).parent / 'examples', *os.environ['PATH'].split(':')]
        return {**{k: v for k, v in os.environ.items() if not k.lower().endswith('_proxy')}, 'PATH': ':'.join(map(str, folders)),
                'HOME': str(self.folder / 'here'), 'TERM': 'dumb', 'PYTHONDONTWRITEBYTECODE': '1'}

    def _start(self, *command):
        self.started.append(subprocess.Popen(self._inside(command), stdin=subprocess.DEVNULL, env=self._env, stderr=subprocess.DEVNULL))

    def run(self, *command, check=True, input='', **env):
        """Runs a command inside until it ends. With `check`, a status other than 0 fails the test and shows the output."""
        done = subprocess.run(self._inside(command), capture_output=True, text=True, input=input, timeout=4 * LONG, env={**self._env, **env})
        assert not check or done.returncode == 0, f'{command[-1]}\nended with {done.returncode}: {done.stdout[-1000:]}\n{done.stderr[-2000:]}'
        return done

    def commands(self, text):
        """Runs each line as bash does, up to the first that fails."""
        return self.run('bash', '-euo', 'pipefail', '-c', text, BASH_ENV=str(self.folder / 'prelude'))

    def redis(self):
        """A store on its usual port; False if none is installed."""
        server = shutil.which('redis-server') or shutil.which('valkey-server')
        if server and shutil.which('redis-cli'):
            self._start(server, '--save', '', '--dir', self.folder)
            eventually(lambda: self.run('redis-cli', 'ping', check=False).stdout == 'PONG\n')
            return True
        return False

    def calm(self):
        """Ends what a block of a document began."""
        self.commands('trunkline resume --all >/dev/null; trunkline unfreeze --all >/dev/null; rm -rf /etc/trunkline/ca')

    def stop(self):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(LONG)
            except subprocess.TimeoutExpired:
                process.kill()
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
