"""What outlives a restart: the state file, with and without a clean end, damaged, moved, unwritable and shared."""
import json
import os
import re
import signal
import stat

import pytest

from lib.behaviour import reply
from lib.daemon import Daemon, cli, upstream
from lib.promise import own_error, works
from lib.wire import WireError, background, eventually

KEY = [('API-Key', 'k3y-of-one')]
OTHER = [('API-Key', 'k3y-of-two')]


@pytest.fixture
def path(tmp_path):
    (tmp_path / 'state').mkdir()
    return tmp_path / 'state' / 'state.json'


@pytest.fixture
def again(tmp_path):
    """again(*blocks, **settings) starts a daemon each time it is called, and ends them all."""
    started = []

    def start(*blocks, **how):
        d = Daemon(*blocks, folder=tmp_path / f'run{len(started)}', **how)
        started.append(d)
        return d
    yield start
    for d in started:
        if d.process.poll() is None or d.process.returncode >= 0:
            d.reap()


def saved(path):
    """The state file's content; None while there is none."""
    return json.loads(path.read_text()) if path.exists() else None


def saved_holds(path, name='ex'):
    rows = [u for u in (saved(path) or {'upstreams': []})['upstreams'] if u['name'] == name]
    return rows[0]['holds'] if rows else []


def aside(path):
    return sorted(p for p in path.parent.iterdir() if '.damaged-' in p.name)


def kill(d):
    d.kill(signal.SIGKILL)
    d.wait()


def end(d):
    assert d.stop() == 0


# --------------------------------------------------------------------------------------------- restarts

@pytest.mark.parametrize('finish', [end, kill])
def test_a_ban_a_hold_and_a_weight_outlive_a_restart(again, origin, path, finish):
    """After a clean end, or kill -9, the next daemon holds what the one before held, for the rest of the time, and knows the cause."""
    how = dict(weight_header='X-Used', weight_limit=100)
    origin.on('/banned', reply(418, headers=[('Retry-After', '300')]))
    origin.on('/limited', reply(429, headers=[('Retry-After', '200')]))
    origin.on('/weigh', reply(200, headers=[('X-Used', '42')]))
    d = again(upstream('ex', origin, **how), state=str(path))
    d.get('/ex/weigh')
    d.get('/ex/limited', KEY)
    d.get('/ex/banned', headers=[('Trunkline-Client', 'grid1')])
    before = d.upstream()
    eventually(lambda: len(saved_holds(path)) == 2)
    finish(d)

    d = again(upstream('ex', origin, **how), state=str(path))
    u = d.upstream()
    assert u['state'] == 'held' and u['limits']['held_ms'] <= before['limits']['held_ms']
    assert u['limits']['held_ms'] > 200_000
    assert [(h['status'], h['held'], h['bot'], h['path']) for h in u['limits']['holds']] == \
        [(418, 'all', 'grid1', '/banned'), (429, 'credential', None, '/limited')]
    assert u['limits']['weight_used'] in (42, None)      # None: the minute has turned meanwhile
    own_error(d.request('POST', '/ex/order', body=b'x'), 429, 'http_request_denied', 'no')
    assert d.verb('resume').status == 204
    assert works(d)
    text = path.read_text()
    assert 'k3y' not in text and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_weight_outlives_a_restart(again, origin, path):
    """The weight of this minute holds requests after a restart as before, and no longer than the minute."""
    origin.on('/weigh', reply(200, headers=[('X-Used', '95')]))
    how = dict(weight_header='X-Used', weight_limit=100)
    for _ in range(3):      # the minute may turn during a try
        d = again(upstream('ex', origin, **how), state=str(path))
        d.get('/ex/weigh', KEY)
        end(d)
        d = again(upstream('ex', origin, **how), state=str(path))
        if d.upstream()['limits']['weight_used'] == 95:
            break
    assert d.upstream()['state'] == 'held'
    assert 0 < d.upstream()['limits']['held_ms'] <= 60_000


def test_resume_is_in_the_file_when_it_is_answered(again, origin, path):
    """A hold that an operator ended does not come back, even if the daemon is killed right after the 204."""
    origin.on('/banned', reply(418, headers=[('Retry-After', '300')]))
    for _ in range(5):
        d = again(upstream('ex', origin), state=str(path))
        d.get('/ex/banned')
        assert d.verb('resume').status == 204
        kill(d)
        assert saved_holds(path) == []
    assert works(again(upstream('ex', origin), state=str(path)))


def test_a_freeze_outlives_a_kill_right_after_its_204(again, origin, path):
    """Of an upstream, of a bot and of all: the next daemon refuses those orders, and lets the others pass."""
    for verb, bot in [('/upstreams/ex/freeze', None), ('/upstreams/ex/freeze?bot=grid1', 'grid1'), ('/upstreams/freeze', None)]:
        d = again(upstream('ex', origin), state=str(path))
        assert d.request('POST', verb).status == 204
        kill(d)
        d = again(upstream('ex', origin), state=str(path))
        headers = KEY + ([('Trunkline-Client', bot)] if bot else [])
        own_error(d.request('POST', '/ex/order', headers, b'x'), 503, 'destination_unavailable', 'no')
        assert d.request('POST', '/ex/other', KEY, b'x').status == (200 if bot else 503)
        assert works(d)
        assert d.request('POST', verb.replace('freeze', 'unfreeze')).status == 204
        assert d.request('POST', '/ex/thawed', headers, b'x').status == 200
        kill(d)
    assert '/order' not in origin.paths()


def test_killed_at_any_moment(again, origin, path):
    """However it is killed while freezes come and go, the next daemon has the last one that was answered, or the one under way."""
    for n in range(12):
        d = again(upstream('ex', origin), state=str(path))
        answered = []

        def toggle():
            for turn in range(1000):
                verb = 'unfreeze' if turn % 2 else 'freeze'
                answered.append([verb, False])
                try:
                    assert d.verb(verb).status == 204
                except WireError:
                    return
                answered[-1][1] = True
        busy = background(toggle)
        eventually(lambda: len(answered) > 2 + n % 3)
        kill(d)
        busy.result()
        done = [verb for verb, ok in answered if ok]
        d = again(upstream('ex', origin), state=str(path))
        assert d.stats()['state_file']['damage'] is None
        now = 'freeze' if d.upstream()['state'] == 'frozen' else 'unfreeze'
        assert now in {done[-1], answered[-1][0]}
        d.verb('unfreeze')
        kill(d)


def test_the_hold_of_a_block_that_is_gone_is_kept(again, origin, path):
    """Without its block a hold is kept in the file for as long as it lasts, and is in force when a reload brings the block back."""
    origin.on('/banned', reply(418, headers=[('Retry-After', '300')]))
    d = again(upstream('ex', origin), state=str(path))
    d.get('/ex/banned')
    end(d)
    d = again(upstream('other', origin), state=str(path))
    assert d.upstream('other')['state'] == 'up'
    d.reload(upstream('ex', origin))
    eventually(lambda: d.stats()['upstreams'][0]['name'] == 'ex')
    assert d.upstream()['state'] == 'held'


def test_a_first_start_holds_nothing(again, origin, path):
    """Without a file nothing is held or frozen, and the file is there soon after."""
    d = again(upstream('ex', origin), state=str(path))
    assert works(d)
    eventually(path.exists)
    eventually(lambda: d.stats()['state_file']['written'])
    told = d.stats()['state_file']
    assert told == {'path': str(path), 'written': told['written'], 'failures': 0, 'error': None, 'damage': None, 'put_aside': None}


def test_state_directory(again, origin, path):
    """Under systemd the file is in $STATE_DIRECTORY; state = off keeps none."""
    env = {'STATE_DIRECTORY': str(path.parent) + ':/nonexistent'}
    d = again(upstream('ex', origin), env=env)
    eventually(path.exists)
    end(d)
    path.unlink()
    d = again(upstream('ex', origin), env=env, state='off')
    assert d.stats()['state_file']['path'] is None
    end(d)
    assert not path.exists()


# --------------------------------------------------------------------------------------------- damage

WHOLE = '{"trunkline_state": 1, "freezes_changed_ms": 0, "freezes": [], "upstreams": []}'
DAMAGED = {
    'empty': b'',
    'half': WHOLE[:40].encode(),
    'binary': bytes(range(256)) * 9,
    'foreign': b'{"pools": []}',
    'too_new': WHOLE.replace('1', '2').encode(),
    'twice': WHOLE.replace('"freezes": []', '"freezes": [], "freezes": []').encode(),
    'deep': b'[' * 100_000,
    'huge': b' ' * (9 << 20),
    'numbers': WHOLE.replace('"upstreams": []', '"upstreams": [{"name": "ex", "lifted_ms": -1, "weight": null, "holds": []}]').encode(),
}


def is_frozen(d):
    r = d.request('POST', '/ex/order', KEY, b'x')
    return r.status == 503 and 'frozen' in r.text


@pytest.mark.parametrize('what', DAMAGED)
def test_a_damaged_file_freezes_everything(again, origin, path, what):
    """It is put aside unchanged and told in the log and in /stats; the daemon starts, and no order leaves until unfreeze."""
    path.write_bytes(DAMAGED[what])
    d = again(upstream('ex', origin), state=str(path))
    [kept] = aside(path)
    assert kept.read_bytes() == DAMAGED[what]
    told = d.stats()['state_file']
    assert told['damage'] and told['put_aside'] == str(kept)
    assert re.search(rf'error state: {re.escape(str(path))}: damaged', d.stderr)
    eventually(lambda: saved(path) is not None and len(saved(path)['freezes']) == 1)
    assert is_frozen(d) and d.upstream()['state'] == 'frozen' and works(d)
    kill(d)
    d = again(upstream('ex', origin), state=str(path))
    assert is_frozen(d) and d.stats()['state_file']['damage'] is None
    assert d.request('POST', '/upstreams/unfreeze').status == 204
    kill(d)
    d = again(upstream('ex', origin), state=str(path))
    assert d.request('POST', '/ex/order', KEY, b'x').status == 200
    assert origin.paths().count('/order') == 1


def test_damaged_files_do_not_replace_each_other(again, origin, path):
    """Each one is kept under a name of its own."""
    for n in range(3):
        path.write_text(f'damaged {n}')
        kill(again(upstream('ex', origin), state=str(path)))
    assert sorted(p.read_text() for p in aside(path)) == ['damaged 0', 'damaged 1', 'damaged 2']


@pytest.mark.parametrize('make', [lambda p: p.mkdir(), lambda p: os.mkfifo(p)], ids=['directory', 'fifo'])
def test_what_is_no_file_is_put_aside(again, origin, path, make):
    """A directory or a FIFO of that name keeps no daemon from starting."""
    make(path)
    d = again(upstream('ex', origin), state=str(path))
    assert len(aside(path)) == 1 and d.stats()['state_file']['damage']
    eventually(path.is_file)


def test_times_far_in_the_future_hold_for_an_hour_at_most(again, origin, path):
    """The clock may have been wrong when the file was written, or be wrong now."""
    hold = dict(held='all', credential=None, status=418, bot=None, path=None, until_ms=2**63 - 1, lasts_ms=3_600_000, step_ms=0)
    document = json.loads(WHOLE)
    document['upstreams'] = [dict(name='ex', lifted_ms=0, weight=dict(used=5, most=5, until_ms=2**63 - 1, lifted=False), holds=[hold])]
    path.write_text(json.dumps(document))
    d = again(upstream('ex', origin), state=str(path))
    u = d.upstream()
    assert 3_500_000 < u['limits']['held_ms'] <= 3_600_000
    assert u['limits']['weight_used'] == 5 and d.stats()['state_file']['damage'] is None


# ------------------------------------------------------------------------------------------ the path

def test_a_path_that_cannot_be_written_ends_the_start(again, origin, tmp_path):
    """Exit 69 with one clear line; check says the same, with file and line."""
    d = again(upstream('ex', origin), state=str(tmp_path / 'nowhere' / 'state.json'), wait=False)
    assert d.wait() == 69
    assert re.search(r'trunkline.conf:\d+: state = .*/nowhere/state.json: cannot be written: No such file or directory', d.stderr)
    r = cli('check', '-c', d.conf_path)
    assert r.returncode == 78 and 'state = ' in r.stderr


def test_a_reload_moves_the_state(again, origin, path):
    """The new file has everything soon after; a reload to a path that cannot be written is refused."""
    origin.on('/banned', reply(418, headers=[('Retry-After', '300')]))
    d = again(upstream('ex', origin), state=str(path))
    d.get('/ex/banned')
    eventually(lambda: saved_holds(path))
    moved = path.with_name('moved.json')
    d.reload(state=str(moved))
    eventually(lambda: saved_holds(moved))
    assert d.stats()['state_file']['path'] == str(moved)
    d.reload(state=str(path.parent / 'none' / 'x.json'))
    eventually(lambda: 'reload refused' in d.stderr)
    assert d.stats()['state_file']['path'] == str(moved)
    d.reload(state='off')
    eventually(lambda: d.stats()['state_file']['path'] is None)


def test_a_failing_write_is_told(again, origin, path):
    """A write that fails is told in the log and in /stats; the verb is obeyed and answered all the same, marked; later it is written."""
    d = again(upstream('ex', origin), state=str(path))
    eventually(path.is_file)
    path.with_name('state.json.new').mkdir()
    r = d.verb('resume')
    assert r.status == 204 and r.get('trunkline-saved') == 'no'
    told = d.stats()['state_file']
    assert told['failures'] >= 1 and told['error']
    assert 'cannot be written' in d.stderr
    path.with_name('state.json.new').rmdir()
    eventually(lambda: d.stats()['state_file']['error'] is None)
    assert 'written again' in d.stderr


def test_the_end_writes_what_is_not_written_yet(again, origin, path):
    """A hold that began just before SIGTERM is in the file when the process is gone."""
    origin.on('/banned', reply(418, headers=[('Retry-After', '300')]))
    for n in range(5):
        path.unlink(missing_ok=True)
        d = again(upstream('ex', origin), state=str(path))
        d.get('/ex/banned')
        end(d)
        assert len(saved_holds(path)) == 1


# ---------------------------------------------------------------------------------------- two of them

def test_the_old_daemon_and_the_new_one_lose_nothing(again, origin, path):
    """While one drains the next one serves, with the same file: whichever writes last, the file has the holds of both."""
    origin.on('/banned', reply(418, headers=[('Retry-After', '300')]))
    origin.on('/limited', reply(429, headers=[('Retry-After', '200')]))
    blocks = upstream('ex', origin), upstream('alt', origin, host='alt.test', tls_verify=False)
    old = again(*blocks, state=str(path))
    eventually(path.is_file)
    new = again(*blocks, state=str(path))
    new.get('/ex/banned')
    eventually(lambda: saved_holds(path, 'ex'))
    old.get('/alt/limited', KEY)
    end(old)
    assert saved_holds(path, 'ex') and saved_holds(path, 'alt')
    new.get('/ex/limited', OTHER)
    end(new)
    assert saved_holds(path, 'ex') and saved_holds(path, 'alt')
