"""The life of the package, in this order: install, edit the configuration, upgrade, remove, purge."""
import os
import pathlib
import subprocess
import urllib.request

import pytest

DEB = pathlib.Path(os.environ['TRUNKLINE_DEB'])
POLICY = pathlib.Path('/usr/sbin/policy-rc.d')
LINT = pathlib.Path(__file__).resolve().parents[2] / 'scripts/lint-installed'
CONF = pathlib.Path('/etc/trunkline/trunkline.conf')


def run(*command, check=True):
    out = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=100,
                         env={**os.environ, 'DEBIAN_FRONTEND': 'noninteractive', 'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'})
    assert not check or out.returncode == 0, f'{command}: {out.returncode}\n{out.stdout}{out.stderr}'
    return out.stdout.strip()


def show(key):
    return run('systemctl', 'show', '-p', key, '--value', 'trunkline.service')


def healthy():
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open('http://127.0.0.1:8642/healthz', timeout=10) as r:
        return r.read() == b'ok\n'


def test_install():
    """Dependencies are present; the service is running and enabled; the socket unit is not enabled."""
    POLICY.unlink(missing_ok=True)      # in containers it prevents services from being started
    run('dpkg', '-i', DEB)
    assert show('ActiveState') == 'active' and healthy()
    assert run('systemctl', 'is-enabled', 'trunkline.service') == 'enabled'
    assert run('systemctl', 'is-enabled', 'trunkline.socket', check=False) == 'disabled'
    assert run('/usr/bin/trunkline', 'check').endswith(': ok')
    assert 'not found' not in run('ldd', '/usr/bin/trunkline')
    assert not run('dpkg', '--verify', 'trunkline')
    depends = run('dpkg-query', '-W', '-f', '${Depends}', 'trunkline')
    assert all(name in depends for name in ('ca-certificates', 'libmbedtls', 'libllhttp', 'libuv1', 'libsystemd0')), depends
    logs = pathlib.Path('/var/log/trunkline')
    assert oct(logs.stat().st_mode & 0o777) == '0o750' and logs.stat().st_uid == pathlib.Path(f'/proc/{show("MainPID")}').stat().st_uid


def test_what_documents_refer_to_is_installed():
    run(LINT, '/')


def test_upgrade_keeps_the_configuration(tmp_path):
    """The operator's file is kept, the new one is stored next to it, and the new daemon runs with the operator's settings."""
    CONF.write_text('# mine\nlisten = {"127.0.0.1:8642"}\nmax_clients = 77\n')
    tree, newer = tmp_path / 'tree', tmp_path / 'newer.deb'
    run('dpkg-deb', '-R', DEB, tree)
    control = tree / 'DEBIAN/control'
    control.write_text(control.read_text().replace('\nVersion: ', '\nVersion: 9:'))
    with open(tree / 'etc/trunkline/trunkline.conf', 'a') as f:
        f.write('# a newer sample\n')
    run('dpkg-deb', '-b', tree, newer)
    before = show('MainPID')
    run('dpkg', '--force-confold', '-i', newer)
    assert CONF.read_text().startswith('# mine') and 'a newer sample' in CONF.with_name('trunkline.conf.dpkg-dist').read_text()
    assert show('ActiveState') == 'active' and healthy() and show('MainPID') != before


@pytest.mark.parametrize('how', ['remove', 'purge'])
def test_it_goes(how):
    """After removal the service is stopped and the configuration is kept; after a purge nothing is left."""
    run('dpkg', f'--{how}', 'trunkline')
    assert show('ActiveState') == 'inactive' and not os.path.exists('/usr/bin/trunkline')
    assert CONF.exists() == (how == 'remove')
    if how == 'purge':
        assert not any(map(os.path.lexists, ('/etc/trunkline', '/var/log/trunkline', '/var/log/private/trunkline')))
