"""What a sale keeps in Redis: for each claim that waits, for each taker, and after its end."""

from bench import stage
from bench.figures import Figure
from bench.size import Size
from flashsale import drain, gate, store
from flashsale.keys import ALL, KEEP_SECONDS, key
from flashsale.sales import SaleInfo


def measure(size: Size) -> dict[str, Figure]:
    """Bytes by MEMORY USAGE of the real keys, and the last second at which they are gone."""
    sale = stage.open_sale(units=size.claims)
    stage.claim_all(sale, number=size.claims)
    queued, takers = _bytes(sale, "claims"), _bytes(sale, "takers")
    while not drain.drain(sale, consumer="bench").is_empty:
        pass
    drained = _bytes(sale, "claims")
    gate.let_keys_expire(sale.id)
    lives = [int(store.client().ttl(key(sale.id, name))) for name in ALL]
    assert all(life == -2 or 0 < life <= KEEP_SECONDS for life in lives), "A key outlives its sale."
    return {
        "redis_bytes_per_claim": Figure(value=round(queued / size.claims, 1), unit="bytes"),
        "redis_bytes_per_taker": Figure(value=round(takers / size.claims, 1), unit="bytes"),
        "redis_bytes_of_an_empty_queue": Figure(value=drained, unit="bytes"),
        "redis_seconds_after_the_end": Figure(value=max(lives), unit="s"),
    }


def _bytes(sale: SaleInfo, name: str) -> int:
    known = next(each for each in ALL if each == name)
    return int(store.client().memory_usage(key(sale.id, known), samples=0) or 0)
