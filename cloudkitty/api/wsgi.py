# SPDX-License-Identifier: Apache-2.0
"""Names for what WSGI servers and applications hand to one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
WSGIApplication: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]
