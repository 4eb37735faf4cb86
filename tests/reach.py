"""Whom the tests speak to: an audit hook that lets nothing out but to this machine."""

import ipaddress
import sys

import pytest

__all__ = ["Reach", "heard"]

_TO_ADDRESS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_TO_NAME = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_heard = []
"""Every address and name that was asked for since the last test began."""


class NotHere(OSError):
    """Something would leave this machine."""


def heard():
    """Where this process has connected to in this test: hosts and ports, in order."""
    return [place for kind, place in _heard if kind == "socket.connect" and len(place) > 1]


class Reach:
    """Fails the test in which something outside this machine was asked for; it was not reached."""

    def __init__(self):
        self.outside = []
        sys.addaudithook(self._audit)

    def _audit(self, event, arguments):
        if event in _TO_ADDRESS:
            place = arguments[1]
            if not isinstance(place, tuple):
                return  # a socket of Unix, or one that is connected already
        elif event in _TO_NAME:
            place = (arguments[0],)
        else:
            return
        _heard.append((event, place[:2]))
        if not is_here(place[0]):
            self.outside.append(f"{event} {place[:2]}")
            raise NotHere(f"{event} {place[:2]}: tests speak to this machine alone")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self):
        _heard.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self):
        try:
            return (yield)
        finally:
            outside, self.outside = self.outside, []
            if outside:
                pytest.fail(f"it went outside: {', '.join(outside)}", pytrace=False)


def is_here(host):
    """Whether a host is this machine, without asking anybody."""
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
