# SPDX-License-Identifier: Apache-2.0
"""Sources as they are stored: compressed, with a checksum (contract rating.md 5.1)."""

from __future__ import annotations

import hashlib
import zlib

from cloudkitty.rating.common.errors import bad_attribute


def encode(text: str) -> bytes:
    """Give the bytes of a source; raises InvalidError when it is no valid Unicode."""
    try:
        return text.encode()
    except UnicodeEncodeError as exc:  # half of a surrogate pair, which JSON can express
        shown = ascii(text[max(0, exc.start - 10) : exc.end + 10])
        raise bad_attribute("data", shown, "Value has characters that cannot be stored") from exc


def checksum(source: bytes) -> str:
    """Give the SHA-512 of a source, in lower-case hexadecimal."""
    return hashlib.sha512(source).hexdigest()


def pack(source: bytes) -> bytes:
    """Compress a source for its column."""
    return zlib.compress(source)


def unpack(stored: bytes) -> bytes:
    """Give the source in a column; raises ValueError when it is damaged."""
    try:
        return zlib.decompress(stored)
    except zlib.error as exc:
        raise ValueError(f"the stored source is damaged: {exc}") from exc
