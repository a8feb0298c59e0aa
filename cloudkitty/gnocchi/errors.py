# SPDX-License-Identifier: Apache-2.0
"""What Gnocchi says when it does not give what was asked (contract collect.md 2.1.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from cloudkitty import http

#: With these the server (or what stands before it) refuses us, whatever is asked.
_REFUSALS: Final = frozenset({401, 403, 405, 407})
_NO_METRIC: Final = re.compile(r"Metrics? .*does not exist|Metrics? not found", re.IGNORECASE)
_NO_TYPE: Final = re.compile(r"Resource type .*(does not exist|has no .* attribute)")
_LONGEST: Final = 400


class GnocchiError(Exception):
    """No usable answer; the text is for people and names URL, status and Gnocchi's reason.

    `status` is that of HTTP, None when nobody has answered; `cause` is what Gnocchi gives as the
    reason, "" when it gives none. `fatal`: another question would fare no better.
    """

    def __init__(
        self, reason: str, *, status: int | None = None, cause: str = "", fatal: bool = False
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.cause = cause
        self.fatal = fatal

    @property
    def no_metric(self) -> bool:
        """Whether no resource of those asked for has the metric: the normal answer when idle."""
        return self.status in {400, 404} and bool(_NO_METRIC.match(self.cause))

    @property
    def no_type(self) -> bool:
        """Whether the resource type, or an attribute that was asked for, is unknown."""
        return self.status in {400, 404} and bool(_NO_TYPE.match(self.cause))


def of_answer(answer: http.Answer) -> GnocchiError:
    """Give the error that an answer with a status of 400 or more stands for."""
    body: Any = None
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        # A proxy's page, or plain text: "Internal Server Error".
        described = None
    else:
        described = _described(body)
    cause, text = described or ("", answer.excerpt())
    # A path that is unknown to whoever answers: the URL is wrong, not the question.
    astray = answer.status == 404 and not (described and body.get("description"))
    fatal = answer.status in _REFUSALS or astray
    return GnocchiError(
        f"{answer.url}: HTTP {answer.status}{f': {text}' if text else ''}",
        status=answer.status,
        cause=cause,
        fatal=fatal,
    )


def _described(body: Any) -> tuple[str, str] | None:
    """Give (cause, text for people) of what Gnocchi or keystonemiddleware answers as JSON."""
    if not isinstance(body, Mapping):
        return None
    said = body.get("description", body.get("error"))
    if isinstance(said, Mapping):
        cause = str(said.get("cause") or said.get("message") or said.get("title") or "")
        more = [_short(said[name]) for name in ("reason", "detail") if said.get(name)]
        return cause, ": ".join(part for part in (cause, *more) if part) or _short(said)
    text = str(said or body.get("title") or "").strip()
    return (text, _short(text)) if text else None


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
