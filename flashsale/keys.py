"""Names of a sale's keys in Redis. One hash tag a sale, so that they share a slot of Redis Cluster.

When Redis is away: claims go to PostgreSQL, admissions answer "busy", the line document stands still. What it loses,
`gate.sync` and `line.renew` rebuild from PostgreSQL and the signed tickets; who is inside comes in again from the same
place, and the count of a lobby that was lost before the opening is the larger of the two halves.
"""

from typing import Literal, get_args

Name = Literal[
    # hash: state, opens, closes (ms), limit, acks, synced (s), rung (ms: no bell before it), and for each item
    # free:<item>, set:<item> (what `sync` set that to) and queued:<item> (units queued then, less those settled since)
    "gate",
    "takers",  # hash: shopper -> "units purchase purchase ..."
    "claims",  # stream: the purchase queue
    "active",  # sorted set: shopper -> end of the admission (ms)
    "away",  # hash: shopper -> end (ms) that their admission had before their browser closed the page
    "entered",  # counter: shoppers who came in so far
    "came",  # set: those shoppers, so that coming in again counts nobody twice
    "entrants",  # HyperLogLog: how many joined in the lobby
    "seen",  # bits: a Bloom filter of who joined in the lobby
    "numbers",  # hash: shopper -> number, for those who joined when order counts
    "last",  # counter: the last of those numbers
    "waits",  # hash: upper bound (s) -> admissions after a wait of up to that, and sum: ms of all waits
    "line",  # string: the line document
    "controller",  # string: what the controller remembers
    "readings",  # list with TTL: the drift monitor's last readings
]

#: Seconds that a sale's keys are kept after its end: long enough to look into them the next day.
KEEP_SECONDS = 2 * 24 * 3600

ALL: tuple[Name, ...] = get_args(Name)


def key(sale_id: int, name: Name) -> str:
    return f"{{sale:{sale_id}}}:{name}"
