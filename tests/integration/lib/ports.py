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


def connections(local=None, remote=None):
    """(state, bytes that nobody has read yet) of the ends of IPv4 connections with this local and this remote port. What a
    stopped daemon will find when it looks: here one sees that it has come."""
    found = []
    with open('/proc/net/tcp') as table:
        for line in list(table)[1:]:
            _, here, there, state, queues, *_ = line.split()
            if local in (None, port(here)) and remote in (None, port(there)):
                found.append((STATES.get(state, state), int(queues.partition(':')[2], 16)))
    return found


def port(address):
    return int(address.rpartition(':')[2], 16)
