"""Certificates that are made when a test needs them: good ones, and such as nobody should trust."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl is missing")
"""Marks a test that makes certificates."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Issues certificates into a folder; who trusts `root` trusts them."""

    folder: Path

    @property
    def root(self) -> Path:
        """The certificate of the authority itself."""
        return self.folder / "root.pem"

    @classmethod
    def new(cls, folder: Path) -> "Authority":
        """Found an authority."""
        _openssl(folder, "req", "-x509", *KEY, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root")
        return cls(folder)

    def issue(self, *names: str, days: int = 2) -> ssl.SSLContext:
        """Return what a server with these names needs, for so many days; a negative number is over."""
        (self.folder / "names").write_text(f"subjectAltName={','.join(names)}\n")
        _openssl(self.folder, "req", *KEY, "-keyout", "its.key", "-out", "its.csr", "-subj", "/CN=its")
        signed = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-extfile", "names")
        _openssl(
            self.folder, "x509", "-req", "-in", "its.csr", "-out", "its.pem", "-days", str(days), *signed
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "its.pem", self.folder / "its.key")
        return context


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607 -- the user's
