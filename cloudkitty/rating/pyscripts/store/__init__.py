# SPDX-License-Identifier: Apache-2.0
"""Scripts in the database: every read and write of the REST controllers, and what rating loads.

Each function is one transaction. What is wrong with a request is raised as an exception of
:mod:`cloudkitty.rating.common.errors`.
"""
