"""A storm over one sale: random steps of shoppers, workers, clocks and failures, from a printed seed.

After every step the conservation law is asked of PostgreSQL: units on hand stay what they were, and allocated
units are those of held and confirmed reservations.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db.models import F, Sum
from django.utils import timezone

from flashsale import buying, drain, gate, settling, store
from flashsale.drain import QueuedClaim
from flashsale.models import Purchase
from flashsale.sales import SaleInfo
from inventory import reservations
from inventory.models import Holding, Reservation, Stock
from shop.models import User

UNITS = 12


@dataclass
class Storm:
    sale: SaleInfo
    shoppers: list[User]
    seed: int
    taken: list[QueuedClaim] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.steps: list[Callable[[], object]] = [
            self.claim,
            self.claim,
            self.claim,
            self.drain,
            self.take_and_die,
            self.settle_and_die,
            self.deliver_again,
            self.pay,
            self.let_go,
            self.let_time_pass,
            self.tidy,
            self.sync,
            self.lose_redis,
        ]

    def run(self, steps: int) -> None:
        for number in range(steps):
            step = self.random.choice(self.steps)
            step()
            self.check(f"seed {self.seed}, step {number}: {step.__name__}")
        self.come_to_rest()

    def claim(self) -> None:
        shopper = self.random.choice(self.shoppers)
        buying.buy(
            sale=self.sale,
            shopper=shopper.shopper_id,
            item=self.sale.items[0].id,
            quantity=1,
            attempt=str(self.random.randrange(3)),
            now=timezone.now(),
        )

    def drain(self) -> None:
        drain.drain(self.sale, consumer="worker")

    def take_and_die(self) -> None:
        """A worker reads claims and is killed: they stay in its hands until the lease is over."""
        self.taken = drain.take(sale_id=self.sale.id, consumer=f"dead-{self.random.random()}")

    def settle_and_die(self) -> None:
        """A worker commits a batch and is killed before it acknowledges."""
        self.take_and_die()
        if self.taken:
            settling.settle(self.sale, self.taken)

    def deliver_again(self) -> None:
        if self.taken:
            settling.settle(self.sale, self.taken)

    def pay(self) -> None:
        reservations.confirm(reservation_ids=self._some("held"))

    def let_go(self) -> None:
        reservations.release(reservation_ids=self._some("held"), reason="let go")

    def let_time_pass(self) -> None:
        Reservation.objects.filter(pk__in=self._some("held")).update(
            expires_at=F("expires_at") - timedelta(hours=1)
        )

    def tidy(self) -> None:
        reservations.expire()

    def sync(self) -> None:
        gate.sync(self.sale, now=timezone.now())

    def lose_redis(self) -> None:
        store.client().flushdb()

    def _some(self, state: str) -> list[UUID]:
        ids = list(Reservation.objects.filter(state=state).values_list("pk", flat=True))
        return [self.random.choice(ids)] if ids else []

    def come_to_rest(self) -> None:
        """Every lease and hold runs out, every queue is drained: nothing may have leaked."""
        self.drain()
        Reservation.objects.filter(state="held").update(expires_at=timezone.now() - timedelta(1))
        self.tidy()
        self.sync()
        self.check(f"seed {self.seed}, at rest")
        stock = Stock.objects.get(pool=self.sale.scope)
        sold = Reservation.objects.filter(state="confirmed").count()
        assert stock.available == UNITS - sold, f"seed {self.seed}: units leaked"
        free = store.client().hget(f"{{sale:{self.sale.id}}}:gate", f"free:{self.sale.items[0].id}")
        assert int(free) == stock.available, f"seed {self.seed}: the gate is not true"

    def check(self, where: str) -> None:
        stock = Stock.objects.get(pool=self.sale.scope)
        live = Reservation.objects.filter(state__in=["held", "confirmed"])
        promised = live.aggregate(units=Sum("quantity"))["units"] or 0
        assert stock.on_hand == UNITS, where
        assert stock.allocated == promised <= UNITS, where
        assert not Holding.objects.filter(units__gt=self.sale.limit).exists(), where
        kept = Purchase.objects.filter(refusal="").count()
        assert kept == Reservation.objects.count(), where
