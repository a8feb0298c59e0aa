# SPDX-License-Identifier: Apache-2.0
"""Rule documents: the rules of all modules as one text that people read, keep and compare.

::

    document = document.load("rules.yaml")      # or loads(text), or of_json(object)
    document.hashmap                            # cloudkitty.rating.hashmap.rules.Rules
    document.scripts, document.modules

What is wrong is a DocumentError with all errors, each with its line. The format is described in
``doc/source/admin/rate.rst``.
"""

from cloudkitty.rating.document.loading import load, loads, of_json
from cloudkitty.rating.document.model import Document
from cloudkitty.rating.document.problems import DocumentError, Problem

__all__ = ["Document", "DocumentError", "Problem", "load", "loads", "of_json"]
