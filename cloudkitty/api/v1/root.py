# SPDX-License-Identifier: Apache-2.0
"""``/v1``: the table of its resources."""

from __future__ import annotations

from cloudkitty.api.v1 import info, rating, rest


class V1Controller(rest.RestController):
    """Everything below ``/v1``, by the first segment; each controller knows what is below it."""

    rating = rating.RatingController()
    billing = rating
    info = info.InfoController()


class RootController(rest.RestController):
    """The root of pecan's routing: paths keep their version, which answers show in links."""

    v1 = V1Controller()
