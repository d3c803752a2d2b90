"""One certificate authority per sandbox, and one certificate for all its servers."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.layout import Sandbox

_CA = "ClickView sandbox CA"


def make_certificates(sandbox: Sandbox) -> None:
    """Write ca.pem, server.pem and server.key."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate(_CA, ca_key).add_extension(x509.BasicConstraints(True, 0), True).sign(ca_key, hashes.SHA256())
    server = (
        _certificate("localhost", key)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(_names(), False)
        .sign(ca_key, hashes.SHA256())
    )
    sandbox.tls_dir.mkdir(exist_ok=True)
    sandbox.ca_file.write_bytes(ca.public_bytes(Encoding.PEM))
    (sandbox.tls_dir / "server.pem").write_bytes(server.public_bytes(Encoding.PEM))
    secret = sandbox.tls_dir / "server.key"
    secret.touch(mode=0o600)
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _names() -> x509.SubjectAlternativeName:
    # pgBackRest looks for 127.0.0.1 among the DNS names, boto3 among the addresses.
    return x509.SubjectAlternativeName(
        [
            x509.DNSName("localhost"),
            x509.DNSName("127.0.0.1"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
    )


def _certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _CA)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
    )
