"""Leads sent back for credit: ``terms`` says whether, ``ask`` takes the request, ``decide`` answers it,
``thread`` keeps what is said, ``record`` and ``ledger`` what a decision does, ``told`` tells the other side.

``sniff`` (pure) reads off its bytes what a file of evidence is; ``audit`` holds the ledger for `verify`.
"""
