"""Ports of loopback that are free and stay so, and what the kernel has of the connections to them."""
import socket

_held = []
STATES = {'01': 'established', '08': 'ended by the peer'}


def free_port(address='127.0.0.1'):
    """A port where nobody listens. It stays ours to the end of the test: bound, not listening, so that whoever sets
    SO_REUSEADDR may listen there, and nobody is given it by the kernel."""
    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 0))
    _held.append(s)
    return s.getsockname()[1]


def release():
    while _held:
        _held.pop().close()


def connection(local, remote):
    """(state, bytes that nobody has read yet) of the end of the IPv4 connection that has this local and this remote port;
    ('gone', 0) if there is none. What a stopped daemon will find when it looks: here one sees that it has come. Both ports must
    be given: either alone may also be that of connections which ended within the last minute (TIME_WAIT)."""
    with open('/proc/net/tcp') as table:
        for line in list(table)[1:]:
            _, here, there, state, queues, *_ = line.split()
            if (port(here), port(there)) == (local, remote):
                return STATES.get(state, state), int(queues.partition(':')[2], 16)
    return 'gone', 0


def daemons_end(line):
    """The daemon's end of an origin's line, as connection() shows it."""
    return connection(line.peer, line.origin.port)


def port(address):
    return int(address.rpartition(':')[2], 16)
