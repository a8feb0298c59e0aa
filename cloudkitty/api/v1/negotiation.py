# SPDX-License-Identifier: Apache-2.0
"""JSON or XML: what an answer of v1 is written in (contract api.md 3.1, D5)."""

from __future__ import annotations

from typing import Final

from webob import acceptparse

JSON: Final = "application/json"
XML: Final = ("application/xml", "text/xml")


def choose(accept: str | None) -> str | None:
    """Give the type that an Accept header asks for, None when it takes neither JSON nor XML.

    JSON unless XML is preferred to it. A header that cannot be read counts as none.
    """
    header = acceptparse.create_accept_header(accept or None)
    if isinstance(header, acceptparse.AcceptNoHeader | acceptparse.AcceptInvalidHeader):
        return JSON
    quality = dict(header.acceptable_offers([JSON, *XML]))
    if not quality:
        return None
    return max((JSON, *XML), key=lambda offer: quality.get(offer, 0.0))
