# SPDX-License-Identifier: Apache-2.0
"""How far each scope has been rated, and who is at it."""
