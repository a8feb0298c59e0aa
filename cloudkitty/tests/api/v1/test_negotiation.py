# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from cloudkitty.api.v1 import negotiation


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/json;q=0.9, application/xml;q=0.9", "application/json"),
        ("application/json;q=0.1, application/xml", "application/xml"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xml"),
        ("text/xml", "text/xml"),
        ("not a header;;;", "application/json"),
        ("text/html", None),
        ("application/json;q=0", None),
    ],
)
def test_json_unless_xml_is_preferred(accept, chosen):
    assert negotiation.choose(accept) == chosen
