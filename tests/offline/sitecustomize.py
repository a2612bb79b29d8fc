"""Refuse connections to other machines, in every Python that starts with this folder on its path.

The tests put it on PYTHONPATH, so that the kernels which execute notebooks run without a network.
"""

import ipaddress
import socket


def _guard(function, host_of):
    def guarded(*arguments, **options):
        host = host_of(*arguments, **options)
        host = host.decode() if isinstance(host, bytes) else host
        try:
            local = host in ("", "localhost", None) or ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = False
        if not local:
            problem = f"the tests run without a network, and this asks for {host!r}"
            raise ConnectionRefusedError(problem)
        return function(*arguments, **options)

    return guarded


def _host_of(asking, address):
    return address[0] if asking.family in (socket.AF_INET, socket.AF_INET6) else None


for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, _guard(getattr(socket.socket, name), _host_of))
socket.getaddrinfo = _guard(socket.getaddrinfo, lambda host, *_, **__: host)
