"""Whether this process tries the sale's Redis, or takes it to be away.

A call that failed opens `calls`: nobody waits for another time-out, whatever it is that they want of Redis. A claim
that failed opens `claims` besides, and claims go straight to PostgreSQL until one caller has set the gate anew: never
through a gate that stood still while PostgreSQL sold on.
"""

from shop.breakers import Breaker

#: Claims: closed again by a sync.
claims = Breaker()
#: Every call of `store`: closed again by the first that is answered.
calls = Breaker()
