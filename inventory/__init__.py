"""The stockroom: stock per SKU and pool, reservations, the movement ledger.

Invariant kept here: for every stock row `0 <= allocated <= on_hand`, and `allocated` equals the units of
its held and confirmed reservations. The room knows nothing of shoppers, orders, money or sales; whoever
reserves is an opaque `holder`, and a limit per holder is counted within an opaque `scope`.
"""
