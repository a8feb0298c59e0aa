# SPDX-License-Identifier: Apache-2.0
"""From the rules in use to those of a document: what has to be done, and doing it."""
