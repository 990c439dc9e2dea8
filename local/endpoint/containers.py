"""How Docker's containers on this machine reach the endpoint, which listens on loopback unless it is asked for more.

To a container, 127.0.0.1 is the container itself. Docker Engine on Linux gives this machine an address on the bridge
`docker0`; the endpoint must listen there, because nothing on 127.0.0.1 can be reached through it. Docker Desktop runs
containers in a virtual machine, and passes connections to `host.docker.internal` on to this machine's 127.0.0.1.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass
from ipaddress import IPv4Interface, ip_address

BRIDGE = "docker0"
DESKTOP = "host.docker.internal"
ADDRESS, NETMASK = 0x8915, 0x891B  #: Linux's SIOCGIFADDR and SIOCGIFNETMASK


@dataclass(frozen=True)
class Containers:
    """The containers that are let in."""

    host: str  #: this machine's name or address to them
    bridge: IPv4Interface | None = None  #: this machine's address on their network; None if they come over loopback

    @property
    def listens_on(self) -> tuple[str, ...]:
        """The addresses besides loopback on which the endpoint listens for them."""
        return (str(self.bridge.ip),) if self.bridge else ()

    def reaches(self, remote: str) -> bool:
        """Whether a connection from the address `remote` is one of theirs, or this machine's own."""
        address = ip_address(remote)
        return address.is_loopback or (self.bridge is not None and address in self.bridge.network)


def find_containers() -> Containers:
    """Those of Docker Engine if this machine has its bridge, else those of Docker Desktop."""
    bridge = interface(BRIDGE)
    return Containers(str(bridge.ip), bridge) if bridge else Containers(DESKTOP)


def interface(name: str) -> IPv4Interface | None:
    """This machine's address and network on an interface; None if there is none, or if this is not Linux."""
    if sys.platform != "linux":  # the numbers of the requests are Linux's own
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            address, mask = (
                socket.inet_ntoa(fcntl.ioctl(probe, request, struct.pack("256s", name.encode()))[20:24])
                for request in (ADDRESS, NETMASK)
            )
        except OSError:
            return None
    return IPv4Interface(f"{address}/{mask}")
