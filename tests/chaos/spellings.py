"""In which spellings a secret could lie somewhere, and where it does."""

import base64
import codecs
import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus


def spellings(secret: str) -> Mapping[str, bytes]:
    """Return the bytes to look for, by the name of the spelling.

    Of base64 only the characters that do not depend on the neighbours are
    looked for, at each of the three offsets.
    """
    plain = secret.encode()
    known = {
        "plain": plain,
        "reversed": plain[::-1],
        "upper case": secret.upper().encode(),
        "percent-encoded": quote(secret, safe="").encode(),
        "percent-encoded twice": quote(quote(secret, safe=""), safe="").encode(),
        "form-encoded": quote_plus(secret).encode(),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "HTML": html.escape(secret).encode(),
        "ROT13": codecs.encode(secret, "rot13").encode(),
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "UTF-16": secret.encode("utf-16-le"),
    }
    return known | dict(_base64_spellings(plain))


def _base64_spellings(plain: bytes) -> Iterator[tuple[str, bytes]]:
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + plain)
        certain = encoded[-(-offset * 8 // 6) : (offset + len(plain)) * 8 // 6]
        yield f"base64 at {offset}", certain
        yield f"base64url at {offset}", certain.translate(bytes.maketrans(b"+/", b"-_"))


def secrets_below(folder: Path, secret: str) -> list[str]:
    """Return which files below a folder hold a secret, and how it is spelled there."""
    wanted = spellings(secret)
    return [
        f"{path.relative_to(folder)}: {name}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for name, spelling in wanted.items()
        if spelling in path.read_bytes()
    ]
