"""The front door: sales, the line, admissions, the purchase queue, load shedding.

Invariant kept here: Redis only ever says a provisional yes. A unit belongs to a shopper once PostgreSQL has
committed the reservation; losing Redis costs speed, never a unit. The room knows no payment gateway.
"""
