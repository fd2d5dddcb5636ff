"""Certificates of an authority that is trusted only on request."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AGE = timedelta(days=1)


class Authority:
    """Signs certificates for any host."""

    def __init__(self, folder: Path) -> None:
        """Writes its own certificate into `bundle`."""
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name(f"authority in {folder.name}")
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(pem(self.signed(self.name, x509.BasicConstraints(True, None))))
        self.contexts: dict[str, ssl.SSLContext] = {}
        self.lock = Lock()

    def context(self, host: str) -> ssl.SSLContext:
        """The TLS context of a server with this host name."""
        with self.lock:
            if host not in self.contexts:
                self.contexts[host] = self.made(host)
            return self.contexts[host]

    def made(self, host: str) -> ssl.SSLContext:
        """Makes it from a file, because `ssl` accepts only files."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        hosts = x509.SubjectAlternativeName([x509.DNSName(host)])
        file = self.folder / "host.pem"
        file.write_bytes(key + pem(self.signed(name(host[:64]), hosts)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def signed(self, subject: x509.Name, extension: x509.ExtensionType) -> x509.Certificate:
        """A certificate for the authority's own key, which all hosts share."""
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(self.name, subject, self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - AGE)
            .not_valid_after(now + AGE)
            .add_extension(extension, critical=False)
            .sign(self.key, hashes.SHA256())
        )


def name(text: str) -> x509.Name:
    """A name with one part."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)
