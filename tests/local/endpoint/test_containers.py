"""How a container reaches the laptop: Docker Engine's bridge, or Docker Desktop's name."""

from __future__ import annotations

import sys
from ipaddress import IPv4Interface

import pytest

import local.endpoint.containers as module
from local.endpoint.containers import Containers, find_containers, interface


def test_docker_engines_bridge_is_an_address_to_listen_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers call this machine by its address there."""
    bridge = IPv4Interface("172.17.0.1/16")
    monkeypatch.setattr(module, "interface", {"docker0": bridge}.get)
    assert find_containers() == Containers("172.17.0.1", bridge)


def test_without_a_bridge_docker_desktops_name_leads_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, and where Docker runs in a virtual machine."""
    monkeypatch.setattr(module, "interface", {}.get)
    assert find_containers() == Containers("host.docker.internal", None)


@pytest.mark.skipif(sys.platform != "linux", reason="the numbers of these ioctls are Linux's")
def test_an_interface_is_read_from_the_kernel() -> None:
    """Loopback has its address and its network; an interface that does not exist has none."""
    assert interface("lo") == IPv4Interface("127.0.0.1/8")
    assert interface("nowhere0") is None


def test_elsewhere_than_on_linux_no_interface_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of the requests may mean something else there."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert interface("lo") is None


@pytest.mark.parametrize(
    ("remote", "reached"),
    [("172.17.0.5", True), ("172.17.0.1", True), ("127.0.0.1", True), ("192.168.1.7", False), ("10.0.0.1", False)],
)
def test_only_this_machine_and_its_containers_are_reached(remote: str, reached: bool) -> None:
    """A neighbour in the office's network is not in the bridge's."""
    assert Containers("172.17.0.1", IPv4Interface("172.17.0.1/16")).reaches(remote) is reached
