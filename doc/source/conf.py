# SPDX-License-Identifier: Apache-2.0
"""Sphinx configuration."""

import importlib.metadata

project = "CloudKitty"
copyright = "CloudKitty contributors"  # noqa: A001
release = importlib.metadata.version("cloudkitty")
version = release

extensions = [
    "oslo_config.sphinxext",
    "oslo_config.sphinxconfiggen",
    "oslo_policy.sphinxext",
    "oslo_policy.sphinxpolicygen",
]

config_generator_config_file = [
    ("../../etc/oslo-config-generator/cloudkitty.conf", "_generated/cloudkitty"),
]
policy_generator_config_file = [
    ("../../etc/oslo-policy-generator/cloudkitty.conf", "_generated/cloudkitty"),
]
# The samples are shown as text.
exclude_patterns = ["_generated/**"]

# Part of Sphinx: nothing of it looks at git, so documentation can be built from an archive too.
html_theme = "alabaster"
html_theme_options = {"description": "Rating for clouds", "page_width": "1060px"}
