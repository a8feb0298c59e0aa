# SPDX-License-Identifier: Apache-2.0
"""hashmap's rules in the database: every read and write of the REST controllers, with the checks.

One module per kind of object; each function is one transaction and gives records that show what
the API shows (UUIDs, not row numbers). What is wrong is raised as an exception of :mod:`.errors`.
"""
