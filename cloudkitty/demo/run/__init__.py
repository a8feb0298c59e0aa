# SPDX-License-Identifier: Apache-2.0
"""Try the whole product on one machine: ``python -m cloudkitty.demo.run`` (``make run``).

Starts a source of usage (the demo cloud, unless a Prometheus of one's own is named), the API and
the processor on SQLite, gives every metric a price through the public API, and shows what each
project used and what it costs. It uses nothing that an operator could not use: configuration
files, commands and HTTP requests.
"""
