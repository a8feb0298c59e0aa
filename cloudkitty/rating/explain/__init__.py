# SPDX-License-Identifier: Apache-2.0
"""Which rules made the price of a stored point, and why a price is zero.

A period is rated again, by the rule set that the ledger has for it (:mod:`cloudkitty.rating.
snapshots`), and each module says what it does (``RatingProcessorBase.explain``). If that does not
give what is stored, the answer says so: it is an explanation, not a promise.

:mod:`.chain` has the modules of a rule set, :mod:`.periods` takes stored points through them,
:mod:`.model` is what comes out.
"""
