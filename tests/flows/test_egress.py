"""What leaves over HTTP goes to public addresses only, to the one that was checked, and is over in time."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from flows import egress, targets
from portal import egress_allow
from tests.receiver import CERTIFICATE, answer, dripping, receiving, silent

pytestmark = pytest.mark.usefixtures("socket_enabled")
PUBLIC = "93.184.215.14"
INWARD = [
    "0.0.0.0",  # noqa: S104  # compared, not bound
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "100.100.100.200",  # Alibaba Cloud's metadata
    "168.63.129.16",  # Azure's wire server: public by its number
    "161.26.0.10",  # IBM Cloud's services: public by their numbers
    "166.8.0.1",
    "166.11.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.fixture
def receiver(settings):
    with receiving() as receiver:
        settings.EGRESS_ALLOW = egress_allow.parse([receiver.place])
        yield receiver


@pytest.fixture
def leads_to(monkeypatch):
    """``leads_to("10.0.0.1")``: what every name leads to; → the look-ups that were made."""
    asked = []

    def set_up(*addresses, more=()):
        answers = [list(addresses), *more]

        def resolve(host, port):
            asked.append(host)
            return answers.pop(0) if len(answers) > 1 else answers[0]

        monkeypatch.setattr(egress, "resolve", resolve)
        return asked

    return set_up


@pytest.fixture
def no_connection(monkeypatch):
    def refuse(*args):
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def send(url, body=b"{}", headers=None):
    return egress.post(url, body, headers or {})


# --- Where to ------------------------------------------------------------------------------------
@pytest.mark.parametrize("address", INWARD)
def test_an_inward_address_is_not_called(address, no_connection):
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(targets.BlockedError, match="not a public address"):
        send(f"http://{host}/")


@pytest.mark.parametrize("address", INWARD)
def test_nor_a_name_that_leads_there(address, leads_to, no_connection):
    asked = leads_to(PUBLIC, address)
    with pytest.raises(targets.BlockedError, match="not a public address") as blocked:
        send("https://hooks.example.com/")
    assert asked == ["hooks.example.com"]
    assert address not in str(blocked.value)  # that would map the network inside


def test_an_address_with_a_zone_is_inward(leads_to, no_connection):
    leads_to("fe80::1%eth0")
    with pytest.raises(targets.BlockedError):
        send("https://hooks.example.com/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://a@127.0.0.1/", "user name"),
        ("http://user:password@example.com/", "user name"),
        ("http://example.com@127.0.0.1/", "user name"),
        ("http://@example.com/", "user name"),
        ("http://2130706433/", "neither a host name"),
        ("http://0x7f.1/", "neither a host name"),
        ("http://127.1/", "neither a host name"),
        ("http://0177.0.0.1/", "neither a host name"),
        ("http://0x7f000001/", "neither a host name"),
        ("http://example.0x1/", "neither a host name"),
        ("http://127.0.0.1./", "neither a host name"),
        ("http://example..com/", "neither a host name"),
        ("http://exa%6dple.com/", "neither a host name"),
        ("http://[fe80::1%25eth0]/", "neither a host name"),
        ("http:///hook", "neither a host name"),
        ("http://localhost/", "this machine"),
        ("http://a.localhost/", "this machine"),
        ("http://[::1/", "brackets"),
        ("http://[v1.example]/", "brackets"),
        ("http://[v1.fe80::1]/", "brackets"),
        ("http://[V7.a:b]/", "brackets"),
        ("http://[127.0.0.1]/", "brackets"),
        ("http://[example.com]:8080/", "brackets"),
        ("http://[2606:2800:21f::1]example.com/", "brackets"),
        ("http://example.com[2606:2800:21f::1]/", "brackets"),
        ("http://[gggg::1]/", "neither a host name|brackets"),
        ("http://①②⑦.0.0.1/", "plain characters"),
        ("http://example.com\\@127.0.0.1/", "plain characters"),
        ("http://exam ple.com/", "plain characters"),
        ("http://example.com/\r\nX-Evil: 1", "plain characters"),
        ("http://example.com/" + "x" * 500, "500"),
        ("file:///etc/passwd", "begin with"),
        ("gopher://example.com/", "begin with"),
        ("ftp://example.com/", "begin with"),
        ("example.com", "begin with"),
        ("http://example.com:0x50/", "port"),
        ("http://example.com:99999/", "port"),
        ("http://example.com:0/", "port"),
        ("http://example.com:00/", "port"),
        ("https://[2606:2800:21f::1]:0/", "port"),
        ("http://example.com:80:90/", "brackets|port"),
        ("http://example.com:25/", "Port 25"),
        ("http://example.com:22/", "Port 22"),
    ],
)
def test_an_odd_address_is_refused_without_a_look_up(url, why, leads_to, no_connection):
    asked = leads_to(PUBLIC)
    with pytest.raises(targets.BlockedError, match=why):
        send(url)
    assert asked == []


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://Hooks.Example.com", "hooks.example.com", "/"),
        ("https://hooks.example.com:443/a?b=c#d", "hooks.example.com", "/a?b=c"),
        ("http://hooks.example.com:8080/a;b", "hooks.example.com:8080", "/a;b"),
        ("https://[2606:2800:21f::1]:8443/", "[2606:2800:21f::1]:8443", "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
        (f"http://{PUBLIC}/", PUBLIC, "/"),
    ],
)
def test_a_public_address_is_taken_as_it_is(url, authority, path):
    target = targets.target_of(url)
    assert (target.authority, target.path) == (authority, path)


@given(st.ip_addresses())
def test_what_is_not_global_is_never_public(ip):
    assert ip.is_global or not targets.is_public(ip)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_an_ipv6_one_is_never_public(ip):
    for prefix in ("::ffff:0:0", "::", "64:ff9b::", "::ffff:0:0:0"):
        assert not targets.is_public(ipaddress.IPv6Address(prefix) + int(ip))
    assert not targets.is_public(ipaddress.IPv6Address("2002::") + (int(ip) << 80))


# --- To just that one ------------------------------------------------------------------------------
def test_a_name_is_looked_up_once_and_that_answer_is_called(leads_to, monkeypatch):
    """A second look-up would lead inward."""
    asked = leads_to(PUBLIC, more=[["127.0.0.1"]])
    called = []

    def connect(sock, address):
        called.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(targets.EgressError, match="Connection refused"):
        send("http://hooks.example.com:8080/")
    assert (asked, called) == (["hooks.example.com"], [(PUBLIC, 8080)])


def test_the_next_address_is_tried_where_one_takes_no_connection(receiver, leads_to, settings):
    leads_to("127.0.0.2", "127.0.0.1")
    settings.EGRESS_ALLOW = egress_allow.parse([f"hooks.example.com:{receiver.port}"])
    assert send(f"http://hooks.example.com:{receiver.port}/").status == 200
    assert receiver.requests[0].headers["host"] == f"hooks.example.com:{receiver.port}"


def test_a_name_without_an_address(monkeypatch):
    def unknown(host, port):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(egress, "resolve", unknown)
    with pytest.raises(targets.EgressError, match="no host"):
        send("https://hooks.example.com/")


def test_a_look_up_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(egress, "TOTAL_SECONDS", 0.1)
    monkeypatch.setattr(egress, "resolve", lambda host, port: time.sleep(1))
    with pytest.raises(targets.EgressError, match="too long"):
        send("https://hooks.example.com/")


def test_proxies_of_the_environment_are_not_used(receiver, monkeypatch):
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert send(receiver.url).status == 200
    assert (len(receiver.requests), len(proxy.requests)) == (1, 0)


def test_what_is_sent(receiver):
    said = send(receiver.url, b'{"a":1}', {"Content-Type": "application/json", "webhook-id": "msg_1"})
    (request,) = receiver.requests
    assert (said.status, said.text) == (200, "fine\n")
    assert request.line == "POST /hook?from=leadloop HTTP/1.1"
    assert request.body == b'{"a":1}'
    assert request.headers["host"] == receiver.place
    assert request.headers["webhook-id"] == "msg_1"


# --- TLS ---------------------------------------------------------------------------------------------
@pytest.fixture
def secure(settings, leads_to, monkeypatch):
    """A receiver with a certificate for hooks.example.com, which is trusted."""
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    monkeypatch.setattr(egress, "tls_context", lambda: trusting)
    leads_to("127.0.0.1")
    with receiving(tls=True) as receiver:
        settings.EGRESS_ALLOW = egress_allow.parse(["127.0.0.0/8"])
        yield receiver


def test_the_certificate_is_checked_against_the_name(secure):
    assert send(f"https://hooks.example.com:{secure.port}/").status == 200
    assert secure.server_names == ["hooks.example.com"]
    with pytest.raises(targets.EgressError, match=r"certificate of other\.example\.com"):
        send(f"https://other.example.com:{secure.port}/")
    assert len(secure.requests) == 1


def test_a_certificate_that_nobody_vouches_for(secure, monkeypatch):
    untrusting = ssl.create_default_context()
    monkeypatch.setattr(egress, "tls_context", lambda: untrusting)
    with pytest.raises(targets.EgressError, match="certificate"):
        send(f"https://hooks.example.com:{secure.port}/")


# --- In time, and not too much ---------------------------------------------------------------------
@pytest.mark.parametrize(
    "behaviour",
    [
        silent,
        dripping(),
        dripping(b"HTTP/1.1 200 OK\r\nX: "),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["silent", "status", "head", "body", "endless"],
)
def test_all_of_it_must_be_over_in_time(behaviour, receiver, monkeypatch):
    monkeypatch.setattr(egress, "TOTAL_SECONDS", 0.4)
    receiver.answers = [behaviour]
    begun = time.monotonic()
    with pytest.raises(targets.EgressError, match="no whole answer"):
        send(receiver.url)
    assert 0.3 < time.monotonic() - begun < 2


def test_a_receiver_that_does_not_finish_its_handshake(settings, monkeypatch, leads_to):
    monkeypatch.setattr(egress, "TOTAL_SECONDS", 0.4)
    leads_to("127.0.0.1")
    settings.EGRESS_ALLOW = egress_allow.parse(["127.0.0.0/8"])
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(targets.EgressError, match="no whole answer"),
    ):
        send(f"https://hooks.example.com:{mute.getsockname()[1]}/")


@pytest.mark.parametrize(
    "head", [b"Content-Length: 9000000\r\n", b"", b"Transfer-Encoding: chunked\r\n"], ids=str
)
def test_of_a_long_answer_64_kib_are_read(head, receiver):
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n" if b"chunked" in head else b"a" * 65536
    receiver.answers = [b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + chunk * 100]
    said = send(receiver.url)
    assert said.status == 200
    assert 60_000 < len(said.text) <= egress.MOST_BYTES


@pytest.mark.parametrize("said", [b"", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"X" * 100_000])
def test_what_is_no_http(said, receiver):
    receiver.answers = [said]
    with pytest.raises(targets.EgressError, match="did not answer in HTTP"):
        send(receiver.url)


def test_a_redirect_is_an_answer_and_not_followed(receiver):
    with receiving() as inward:
        receiver.answers = [answer(302, Location=inward.url)]
        assert send(receiver.url).status == 302
        assert inward.requests == []


# --- What the operator allows ------------------------------------------------------------------------
def test_nothing_inward_is_allowed_unless_it_is_named(receiver, settings):
    settings.EGRESS_ALLOW = egress_allow.parse([])
    with pytest.raises(targets.BlockedError):
        send(receiver.url)
    settings.EGRESS_ALLOW = egress_allow.parse(["127.0.0.1:1"])
    with pytest.raises(targets.BlockedError):
        send(receiver.url)
    settings.EGRESS_ALLOW = egress_allow.parse(["10.0.0.0/8", "127.0.0.0/8"])
    assert send(receiver.url).status == 200


@pytest.mark.parametrize(
    "item", ["127.0.0.1", "crm.internal", "10.0.0.0/99", "10.0.0.1/8", "a:0", "a:b", "a b:1"]
)
def test_nonsense_in_the_setting_is_named(item):
    with pytest.raises(ImproperlyConfigured, match="LEADLOOP_EGRESS_ALLOW"):
        egress_allow.parse(["crm.internal:8080", item])
