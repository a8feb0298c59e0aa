# SPDX-License-Identifier: Apache-2.0
"""How large the body of a request may be: ``[api] max_request_body_size``."""

from __future__ import annotations

import io

from cloudkitty.api.wsgi import Environ


def is_too_large(environ: Environ, most: int) -> bool:
    """Whether a body has more than `most` bytes (0: any number is fine).

    A body that does not say its length is read, no further than it has to be, and put back.
    """
    if not most:
        return False
    length = environ.get("CONTENT_LENGTH")
    if length:
        return not length.isdigit() or int(length) > most
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return False
    body = environ["wsgi.input"].read(most + 1)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return len(body) > most


def refusal(most: int) -> str:
    """Give the text that a caller is told."""
    return (
        f"The body of the request must have at most {most} bytes "
        "(limit of this service: [api] max_request_body_size)."
    )
