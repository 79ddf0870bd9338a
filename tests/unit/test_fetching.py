"""Lists of hosts, addresses and limits of what fetches pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiongate.errors import (
    ConfigurationError,
    Overloaded,
    UrlFetchingOff,
    UrlInvalid,
    UrlNotAllowed,
    UrlTimeout,
    UrlUnreachable,
)
from visiongate.fetching.addresses import Reach, judge
from visiongate.fetching.fetcher import Fetcher
from visiongate.fetching.hosts import HostLists
from visiongate.settings import Settings, load_settings

LISTED = HostLists(
    ["example.com", "*.example.org", "alone.test:8443", "93.184.215.14", "[2606:4700::1111]:81"],
    ["cam.lan:8080", "192.168.1.20", "[FD00:0::20]"],
)


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "reach"),
        [
            ("8.8.8.8", Reach.PUBLIC),
            ("100.63.255.255", Reach.PUBLIC),
            ("100.128.0.0", Reach.PUBLIC),
            ("172.15.255.255", Reach.PUBLIC),
            ("172.32.0.0", Reach.PUBLIC),
            ("2606:4700::1111", Reach.PUBLIC),
            ("64:ff9b::808:808", Reach.PUBLIC),
            ("10.255.255.255", Reach.PRIVATE),
            ("100.64.0.0", Reach.PRIVATE),
            ("100.127.255.255", Reach.PRIVATE),
            ("127.255.255.255", Reach.PRIVATE),
            ("172.16.0.0", Reach.PRIVATE),
            ("172.31.255.255", Reach.PRIVATE),
            ("192.168.0.0", Reach.PRIVATE),
            ("::1", Reach.PRIVATE),
            ("fc00::", Reach.PRIVATE),
            ("fdff::1", Reach.PRIVATE),
            ("0.0.0.0", Reach.NEVER),
            ("0.1.2.3", Reach.NEVER),
            ("100.100.100.200", Reach.NEVER),
            ("168.63.129.16", Reach.NEVER),
            ("169.254.169.254", Reach.NEVER),
            ("192.0.0.192", Reach.NEVER),
            ("192.0.2.1", Reach.NEVER),
            ("192.88.99.1", Reach.NEVER),
            ("198.19.255.255", Reach.NEVER),
            ("224.0.0.1", Reach.NEVER),
            ("240.0.0.1", Reach.NEVER),
            ("255.255.255.255", Reach.NEVER),
            ("::", Reach.NEVER),
            ("::7f00:1", Reach.NEVER),
            ("::ffff:8.8.8.8", Reach.NEVER),
            ("::ffff:127.0.0.1", Reach.NEVER),
            ("64:ff9b::7f00:1", Reach.NEVER),
            ("64:ff9b::a9fe:a9fe", Reach.NEVER),
            ("64:ff9b:1::1", Reach.NEVER),
            ("100::1", Reach.NEVER),
            ("2001::1", Reach.NEVER),  # Teredo
            ("2001:db8::1", Reach.NEVER),
            ("2002:7f00:1::", Reach.NEVER),  # 6to4
            ("3fff::1", Reach.NEVER),
            ("fd00:ec2::254", Reach.NEVER),
            ("fe80::1", Reach.NEVER),
            ("fe80::1%eth0", Reach.NEVER),
            ("2606:4700::1111%eth0", Reach.NEVER),
            ("fec0::1", Reach.NEVER),
            ("ff02::1", Reach.NEVER),
        ],
    )
    def test_reach(self, address: str, reach: Reach) -> None:
        assert judge(ip_address(address)) is reach

    @given(st.ip_addresses())
    def test_nothing_is_public_that_python_calls_special(self, address: object) -> None:
        known = ip_address(str(address))
        special = known.is_private or known.is_multicast or known.is_unspecified
        if special or known.is_link_local or known.is_loopback:
            assert judge(known) is not Reach.PUBLIC


class TestAddressesAsTheyAreWritten:
    @pytest.mark.parametrize(
        ("url", "host", "port", "path"),
        [
            ("http://example.com", "example.com", 80, "/"),
            ("HTTPS://Example.COM./a/../b?c=%2F#d", "example.com", 443, "/a/../b?c=%2F"),
            ("http://example.com:443?a=b", "example.com", 443, "/?a=b"),
            ("http://a.b.example.org/", "a.b.example.org", 80, "/"),
            ("http://alone.test:8443/", "alone.test", 8443, "/"),
            ("http://93.184.215.14/", "93.184.215.14", 80, "/"),
            ("http://[2606:4700:0::1111]:81/", "2606:4700::1111", 81, "/"),
            ("http://[fd00::20]/", "fd00::20", 80, "/"),
            (
                "http://cam.lan:8080/?u=http://evil.test/@",
                "cam.lan",
                8080,
                "/?u=http://evil.test/@",
            ),
        ],
    )
    def test_read(self, url: str, host: str, port: int, path: str) -> None:
        target = LISTED.target(url)
        assert (target.host, target.port, target.path) == (host, port, path)
        assert LISTED.target(str(target)) == target

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com:8080/",
            "http://example.com.evil.test/",
            "http://evilexample.com/",
            "http://example.org/",  # the star is for what is below
            "http://evilexample.org/",
            "http://alone.test/",
            "https://cam.lan/",
            "http://192.168.1.21/",
            "http://[fd00::21]/",
            "http://localhost/",
        ],
    )
    def test_not_listed(self, url: str) -> None:
        with pytest.raises(UrlNotAllowed):
            LISTED.target(url)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            7,
            None,
            ["http://example.com/"],
            "example.com/1.jpg",
            "//example.com/1.jpg",
            "http:/example.com/",
            "http:example.com",
            "http://",
            "http:///1.jpg",
            "ftp://example.com/",
            "file:///etc/passwd",
            "data:image/png;base64,AAAA",
            "http://user@example.com/",
            "http://user:pass@example.com/",
            "http://@example.com/",
            "http://example.com@evil.test/",
            "http://evil.test\\@example.com/",
            "http://example.com\\.evil.test/",
            "http://example.com /",
            " http://example.com/",
            "http://example.com/\r\nHost: evil.test",
            "http://example.com/\x00",
            "http://example.com/é.jpg",
            "http://exämple.com/",
            "http://example\u3002com/",
            "http://\uff11\uff12\uff17.0.0.1/",
            "http://example%2ecom/",
            "http://example.com..",
            "http://.example.com/",
            "http://example..com/",
            "http://-example.com/",
            f"http://{'a' * 64}.com/",
            f"http://{'a.' * 127}com/",
            "http://example.com:/",
            "http://example.com:0/",
            "http://example.com:65536/",
            "http://example.com:+80/",
            "http://example.com:80:80/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://0177.0.0.1/",
            "http://127.0.0.01/",
            "http://1.2.3.4.5/",
            "http://256.1.1.1/",
            "http://1.2.3.0x/",
            "http://[::1/",
            "http://[::1]evil.test/",
            "http://[fe80::1%25eth0]/",
            "http://[1.2.3.4]/",
            "http://::1/",
            "http://example.com/" + "a" * 2048,
        ],
    )
    def test_not_plainly_written(self, url: object) -> None:
        with pytest.raises(UrlInvalid):
            LISTED.target(url)

    @given(st.text(max_size=60))
    def test_anything_after_the_scheme_is_read_or_refused(self, text: str) -> None:
        try:
            target = LISTED.target("http://" + text)
        except (UrlInvalid, UrlNotAllowed):
            return
        assert target.entry.fits(target.host, target.port)

    def test_nothing_while_nothing_is_listed(self) -> None:
        with pytest.raises(UrlFetchingOff):
            HostLists([], []).target("no address at all")


class TestEntries:
    @pytest.mark.parametrize(
        "entry",
        [
            "*",
            "*.",
            "a.*.com",
            "http://example.com",
            "example.com/path",
            "user@example.com",
            "example.com:0",
            "10.0.0.0/8",
            "*.0.0.1",
            "127.1",
            "[::1",
            "::1",
            "exämple.com",
        ],
    )
    @pytest.mark.parametrize("name", ["url_hosts", "url_private_hosts"])
    def test_what_is_none_stops_the_start(self, name: str, entry: str) -> None:
        with pytest.raises(ConfigurationError, match=f"VISIONGATE_{name.upper()} must be hosts"):
            load_settings(**{name: ("example.com", entry)})

    def test_private_hosts_are_named_one_by_one(self) -> None:
        assert Settings(url_hosts=("*.example.com",)).url_hosts == ("*.example.com",)
        with pytest.raises(ConfigurationError, match=r"without '\*\.'"):
            load_settings(url_private_hosts=("*.example.com",))


class TestLimits:
    @pytest.fixture
    def released(self) -> Iterator[threading.Event]:
        event = threading.Event()
        yield event
        event.set()

    def test_so_many_at_once_and_no_more(self, released: threading.Event) -> None:
        inside = threading.Semaphore(0)

        def resolve(host: str, port: int) -> Sequence[str]:
            inside.release()
            released.wait()
            raise OSError

        fetcher = Fetcher(["example.com"], [], max_bytes=1, seconds=60, resolve=resolve)
        target = fetcher.target("http://example.com/")
        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(fetcher.fetch, target) for _ in range(8)]
            for _ in running:
                assert inside.acquire(timeout=60)
            with pytest.raises(Overloaded) as refused:
                fetcher.fetch(target)
            assert refused.value.retry_after
            released.set()
            assert {type(one.exception()) for one in running} == {UrlUnreachable}
        with pytest.raises(UrlUnreachable):
            fetcher.fetch(target)  # there are places again
        fetcher.close()

    def test_a_look_up_that_never_ends(self, released: threading.Event) -> None:
        def resolve(host: str, port: int) -> Sequence[str]:
            released.wait()
            return []

        fetcher = Fetcher(["example.com"], [], max_bytes=1, seconds=0.05, resolve=resolve)
        with pytest.raises(UrlTimeout):
            fetcher.fetch(fetcher.target("http://example.com/"))
        fetcher.close()

    @pytest.mark.parametrize("found", [["nonsense"], [], ["1.2.3.4.5"]])
    def test_a_resolver_that_talks_nonsense(self, found: list[str]) -> None:
        fetcher = Fetcher(["example.com"], [], max_bytes=1, seconds=5, resolve=lambda *_: found)
        with pytest.raises(UrlUnreachable):
            fetcher.fetch(fetcher.target("http://example.com/"))
        fetcher.close()
