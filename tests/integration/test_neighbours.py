"""A small part of tests/smuggle/run: ambiguous requests and responses go through trunkline, and nginx, HAProxy and Node, as far as they
are installed, read what it forwards and relays. None may see another message in it, or other framing. Also that the comparison
notices what is framed differently."""
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / 'smuggle'))

import differential
import reader


@pytest.mark.parametrize('what, first', [('requests', 7), ('responses', 5)])
def test_neighbours_read_what_was_meant(tmp_path, what, first):
    """Every 60th case; tests/smuggle/run has all."""
    report = getattr(differential, what)(tmp_path, every=60, first=first, with_go=False)
    assert not report.faults, '\n'.join(report.faults)
    assert report.counts['forms'] >= 5, report.counts


@pytest.mark.parametrize('raw', [
    b'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    b'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc',
    b'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n',
    b'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc',
    b'POST /a HTTP/1.1\nHost: a\n\r\n\r\n'])
def test_the_strict_reader_refuses_what_is_ambiguous(raw):
    """It is what the forwarded bytes are held against."""
    with pytest.raises(reader.Ambiguous):
        reader.request(raw)


def test_another_reading_is_a_fault():
    """A neighbour that sees a request in a body is told of."""
    hidden = b'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n'
    message, _ = reader.request(b'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s' % (len(hidden), hidden))
    report = differential.Report()

    def careless(s):            # it overlooks lengths
        data = b''
        while b'canary' not in data or not data.endswith(b'\r\n\r\n'):
            data += s.recv(65536)
        for head in data.split(b'\r\n\r\n')[:-1]:
            method, target, _ = head.split(b'\r\n')[0].split(b' ')
            s.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Told: %s\r\n\r\n' % reader.told(method, target, b''))
    server = differential.Server(careless)
    server.name = 'careless'
    try:
        differential.judge_request(server, 'a hidden request', message, report)
    finally:
        server.stop()
    assert len(report.faults) == 1 and 'careless reads' in report.faults[0]
