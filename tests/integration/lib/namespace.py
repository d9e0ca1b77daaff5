"""A private network namespace, for tests that need addresses outside loopback."""
import ctypes
import os
import subprocess

from .wire import background

CLONE_NEWNET = 0x40000000
MISSING = os.geteuid() != 0     # only root may create one


def inside(work, *addresses):
    """Calls work() in a thread with its own network namespace, which has only the loopback device, with `addresses` added, and
    returns its result. The sockets, processes and threads that work() creates belong to the same namespace."""
    def enter():
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), 'unshare')
        for command in ('link set lo up', *(f'addr add {a} dev lo' for a in addresses)):
            subprocess.run(['ip', *command.split()], check=True)
        return work()
    return background(enter).result(120)
