"""Where a base URL may lead, and that it leads nowhere else a second later."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lib.netguard import AddressRefused, PinnedTransport, pin
from tests.providers.answers import Answers


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name have these addresses; the names that were asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def lookup(host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        if host[0].isdigit():  # connecting to an address asks for it as well
            return list(real(host, port, *args, **options))
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.9.9", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:10.0.0.1"),
        *("64:ff9b::a00:1", "2002:a00:1::", "198.18.0.1", "240.0.0.1"),
    ],
)
def test_what_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolves_to(monkeypatch, address)
    with pytest.raises(AddressRefused, match=r"rebound\.example"):
        pin("https://rebound.example", local=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1"])
def test_a_local_account_may_reach_private_and_loopback_addresses(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolves_to(monkeypatch, address)
    assert pin("http://box.lan:8000/v1", local=True).addresses == (address,)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "169.254.169.254",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "::ffff:168.63.129.16",
        ),
        *("fe80::1", "0.0.0.0", "224.0.0.1"),
    ],
)
def test_not_even_a_local_account_reaches_the_metadata_service(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolves_to(monkeypatch, address)
    with pytest.raises(AddressRefused):
        pin("http://metadata.example", local=True)


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    resolves_to(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        pin("https://mixed.example", local=False)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://example.org", "gopher://example.org", "example.org", "", "https://", "//x"),
        *("https://user:secret@example.org", "https://example.org:99999", "http://[::1", "javascript:alert(1)"),
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        pin(url, local=True)
    assert "secret" not in str(caught.value)


def test_a_name_without_an_address_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*_args: Any, **_options: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(AddressRefused, match="no address"):
        pin("https://nowhere.invalid", local=False)


def test_a_name_is_resolved_once_and_the_connection_goes_to_that_address(
    monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    answers.say("/x", {"ok": True})
    port = answers.url.rsplit(":", 1)[1]
    asked = resolves_to(monkeypatch, "127.0.0.1")
    target = pin(f"http://vendor.example:{port}", local=True)
    resolves_to(monkeypatch, "10.66.66.66")  # the name has moved since
    with httpx.Client(transport=PinnedTransport(target)) as client:
        assert client.get(f"http://vendor.example:{port}/x").json() == {"ok": True}
    assert asked == ["vendor.example"]
    assert answers.asked[0][3]["host"] == f"vendor.example:{port}"


def test_the_next_address_is_tried_when_nobody_listens_at_the_first(
    monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    answers.say("/x", {"ok": True})
    port = answers.url.rsplit(":", 1)[1]
    resolves_to(monkeypatch, "::1", "127.0.0.1")
    target = pin(f"http://localhost:{port}", local=True)
    monkeypatch.undo()
    with httpx.Client(transport=PinnedTransport(target)) as client:
        assert client.get(f"http://localhost:{port}/x").json() == {"ok": True}


@pytest.mark.parametrize("url", ["http://other.example/", "https://vendor.example/", "http://vendor.example:81/"])
def test_a_request_to_anywhere_else_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    resolves_to(monkeypatch, "127.0.0.1")
    with (
        httpx.Client(transport=PinnedTransport(pin("http://vendor.example", local=True))) as client,
        pytest.raises(AddressRefused, match="left the base URL"),
    ):
        client.get(url)


def certificate_for(name: str, folder: Path) -> Path:
    """A self-signed certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    signed = made.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.mark.parametrize(("name", "proven"), [("vendor.example", True), ("impostor.example", False)])
def test_tls_proves_the_name_and_not_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, proven: bool
) -> None:
    certificate = certificate_for(name, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    resolves_to(monkeypatch, "127.0.0.1")
    with Answers(certificate) as answers:
        answers.say("/x", {"ok": True})
        url = f"https://vendor.example:{answers.url.rsplit(':', 1)[1]}"
        with httpx.Client(transport=PinnedTransport(pin(url, local=True))) as client:
            if proven:
                assert client.get(f"{url}/x").json() == {"ok": True}
            else:
                with pytest.raises(httpx.ConnectError, match=r"vendor\.example"):
                    client.get(f"{url}/x")
