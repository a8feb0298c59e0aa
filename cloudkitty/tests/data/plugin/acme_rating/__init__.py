# SPDX-License-Identifier: Apache-2.0
"""Plug-ins for CloudKitty as a distribution of their own: one of each kind."""
