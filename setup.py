# SPDX-License-Identifier: Apache-2.0
"""Packaging is declared in setup.cfg and done by pbr."""

import setuptools

setuptools.setup(setup_requires=["pbr>=6.0.0"], pbr=True)
