"""Refuse connections to other machines, in every Python that starts with this folder on its path.

The tests put it on PYTHONPATH, so that the kernels which execute notebooks run without a network.
"""

import ipaddress
import socket


def _refuse_unless_local(host):
    if host in ("", "localhost", None):
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise ConnectionRefusedError(f"the tests run without a network, and this asks for {host!r}")


def _guard(method):
    def connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_unless_local(address[0])
        return method(self, address)

    return connect


def _guard_lookup(lookup):
    def getaddrinfo(host, *args, **kwargs):
        _refuse_unless_local(host.decode() if isinstance(host, bytes) else host)
        return lookup(host, *args, **kwargs)

    return getaddrinfo


socket.socket.connect = _guard(socket.socket.connect)
socket.socket.connect_ex = _guard(socket.socket.connect_ex)
socket.getaddrinfo = _guard_lookup(socket.getaddrinfo)
