# SPDX-License-Identifier: Apache-2.0
"""What runs in the separate process of the pyscripts rating module: standard library only.

The process starts fast, holds nothing of the service that started it (no configuration, no
database connection) and gives itself up to limits before it sees the first script. Its other end
is :mod:`cloudkitty.rating.pyscripts.isolation`.
"""
