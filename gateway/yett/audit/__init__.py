"""The audit: what was decided about every flow, in an append-only log that proves its own completeness.

Read in this order: `log` (the Merkle tree), `record` (what a line says), `checkpoint` (what is signed), `verify`.
The writing side is `sink` on top of `segment` and `repair`; `content` is the evidence store beside the log.
"""
