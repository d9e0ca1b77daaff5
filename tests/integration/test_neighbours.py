"""A small part of tests/smuggle/run: ambiguous requests and responses go through trunkline, and nginx, HAProxy and Node, as far as they
are installed, read what it forwards and relays. None may see another message in it, or other framing. Also that the comparison
notices what is framed differently."""
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / 'smuggle'))

import differential
import over_h2
import reader


@pytest.mark.parametrize('of, what, first', [(differential, 'requests', 7), (differential, 'responses', 5), (over_h2, 'requests', 7),
                                             (over_h2, 'responses', 5)])
def test_neighbours_read_what_was_meant(tmp_path, of, what, first):
    """Every 60th case; tests/smuggle/run has all. over_h2: the origin speaks HTTP/2, and so do the neighbours as origins."""
    report = getattr(of, what)(tmp_path, every=60, first=first, with_go=False)
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


@pytest.mark.parametrize('fields, body', [
    ([(b':path', b'/')], b''), ([(b'X', b'a')], b''), ([(b'x', b'a\r\nb: c')], b''), ([(b'transfer-encoding', b'chunked')], b''),
    ([(b'content-length', b'4')], b'hello'), ([(b'content-length', b'5'), (b'content-length', b'5')], b'hello'), ([(b'host', b'b')], b'')])
def test_the_strict_reader_of_http2_refuses_what_is_ambiguous(fields, body):
    """The same of fields and bodies in HTTP/2."""
    right = over_h2.Request([(b':method', b'POST'), (b':scheme', b'https'), (b':authority', b'a'), (b':path', b'/')])
    over_h2.check(right)
    right.fields += fields
    right.body = body
    with pytest.raises(reader.Ambiguous):
        over_h2.check(right)


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
