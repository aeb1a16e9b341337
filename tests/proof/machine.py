"""A sale under random steps of shoppers, workers, clocks, staff and failures, on the real servers (Hypothesis).

After every step the conservation law is asked of PostgreSQL in SQL of its own; after a sync that no loss came
between, the gate is asked, too. At the end everything comes to rest, and nothing may have leaked or been lost.
"""

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flashsale import breaker, buying, drain, gate, purchases, sales, settling, soldout, store
from flashsale.buying import Accepted, Refusal, Refused
from flashsale.drain import QueuedClaim
from flashsale.keys import key
from flashsale.models import Purchase, Sale, SetAsideClaim
from flashsale.purchases import State, state_of
from flashsale.sales import SaleInfo
from inventory import reservations, stock
from inventory.models import Reservation, Stock
from inventory.stock import NotEnoughStock
from shop.models import User
from tests.away import redis_away
from tests.clicks import free_at_the_gate
from tests.factories import make_sale, make_user
from tests.proof.crash_points import POINTS, Crashed, Point, dying_at

UNITS, SHOPPERS, LIMIT = 6, 5, 2

#: Everything that must be equal, of one stock row and one scope, in one row.
BOOKS = """
    SELECT stock.on_hand, stock.allocated,
        (SELECT coalesce(sum(quantity), 0) FROM inventory_reservation
            WHERE stock_id = stock.id AND state IN ('held', 'confirmed')),
        (SELECT coalesce(sum(on_hand_change), 0) FROM inventory_stockmovement WHERE stock_id = stock.id),
        (SELECT coalesce(sum(allocated_change), 0) FROM inventory_stockmovement WHERE stock_id = stock.id),
        (SELECT coalesce(sum(units), 0) FROM inventory_holding WHERE scope = stock.pool),
        (SELECT coalesce(sum(quantity), 0) FROM inventory_reservation
            WHERE scope = stock.pool AND state IN ('held', 'confirmed', 'consumed')),
        (SELECT coalesce(max(units), 0) FROM inventory_holding WHERE scope = stock.pool),
        (SELECT count(*) FROM flashsale_purchase WHERE sale_id = %(sale)s AND refusal = ''),
        (SELECT count(*) FROM inventory_reservation WHERE scope = stock.pool)
    FROM inventory_stock stock WHERE stock.pool = %(pool)s
"""

shoppers = st.integers(0, SHOPPERS - 1)
attempts = st.sampled_from(["one", "two", "three"])
quantities = st.integers(1, LIMIT)
#: Which of the rows that fit a step; taken modulo their number.
which = st.integers(0, 99)


#: What a click may be told; a key that bought another quantity buys nothing more.
REFUSALS = (Refusal.SOLD_OUT, Refusal.LIMIT_REACHED, Refusal.KEY_REUSED)


class SaleMachine(RuleBasedStateMachine):
    """One sale of one item. What the machine knows by itself is what it stocked, shipped, and was promised."""

    @initialize(summed=st.sampled_from([0, 2, 500]))
    def open(self, summed: int) -> None:
        """`summed`: how long a queue may be for `sync` to sum it; it works a longer one out."""
        self.outage = ExitStack()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(gate, "SUMMED_CLAIMS", summed)
        self.is_away = False
        store.client().flushdb()
        soldout.forget_all()
        breaker.claims.worked()
        self.sale: SaleInfo = make_sale(units=UNITS, limit_per_shopper=LIMIT)
        self.shoppers: list[User] = [make_user() for _ in range(SHOPPERS)]
        self.on_hand = UNITS
        #: Units of the same SKU that are not the sale's.
        self.elsewhere = 0
        #: Purchases that were in the queue, and of which Redis has lost nothing since.
        self.promised: set[UUID] = set()
        self.seen_held: set[UUID] = set()
        self.taken: list[QueuedClaim] = []
        self.older: dict[bytes, tuple[bytes, int]] | None = None
        self.gate_is_fresh = False

    def teardown(self) -> None:
        if hasattr(self, "sale"):
            try:
                self.come_to_rest()
            finally:
                self.put_back()

    def put_back(self) -> None:
        """What the steps changed in this process."""
        self.outage.close()
        self.patch.undo()

    # Shoppers

    @rule(clicks=st.lists(st.tuples(shoppers, attempts, quantities), min_size=1, max_size=4))
    def claim(self, clicks: list[tuple[int, str, int]]) -> None:
        for shopper, attempt, quantity in clicks:
            waiting = self._queued()
            result = self._buy(shopper, attempt, quantity)
            if isinstance(result, Refused):
                assert result.reason in REFUSALS, result
            elif result.state is State.QUEUED:
                if result.purchase in self.promised:
                    assert self._queued() == waiting, "a repeated click took a unit"
                self.promised.add(result.purchase)
        self.gate_is_fresh = False

    @rule(which=which)
    def let_go(self, which: int) -> None:
        for purchase in self._one(which, "held"):
            purchases.release(purchase)
        self.gate_is_fresh = False

    @rule(which=which)
    def pay(self, which: int) -> None:
        for purchase in self._one(which, "held"):
            alive = state_of(purchase) is State.HELD
            confirmed = reservations.confirm(reservation_ids=[purchase.pk])
            assert confirmed == alive, "a dead hold was paid for, or a live one not"

    @rule(which=which)
    def pay_late(self, which: int) -> None:
        """An authorisation that comes after the hold: a free unit within the limit, or nothing."""
        for purchase in self._one(which, "expired", "released"):
            reservations.retake(reservation_ids=[purchase.pk])
        self.gate_is_fresh = False

    @rule(which=which)
    def extend(self, which: int) -> None:
        for purchase in self._one(which, "held"):
            reservation = Reservation.objects.get(pk=purchase.pk)
            may = state_of(purchase) is State.HELD and reservation.extended_at is None
            extended = reservations.extend(reservation_ids=[purchase.pk], seconds=600)
            assert extended == may, "a dead hold was extended, one twice, or a live one not"

    # Workers

    @rule()
    def batch(self) -> None:
        if not self.is_away:
            drain.drain(self.sale, consumer="worker")

    @rule()
    def take_and_die(self) -> None:
        if not self.is_away:
            self.taken = drain.take(sale_id=self.sale.id, consumer="dies")

    @rule()
    def deliver_again(self) -> None:
        """A worker that was thought dead settles what another one has settled meanwhile."""
        if self.taken:
            settling.settle(self.sale, self.taken)

    # Clocks

    @rule(which=which)
    def time_runs_out(self, which: int) -> None:
        for purchase in self._one(which, "held"):
            Reservation.objects.filter(pk=purchase.pk).update(
                expires_at=F("created_at") - timedelta(hours=1)
            )

    @rule()
    def tidy(self) -> None:
        reservations.expire()

    # Crashes

    @rule(point=st.sampled_from(POINTS), shopper=shoppers, attempt=attempts, which=which)
    def crash(self, point: Point, shopper: int, attempt: str, which: int) -> None:
        """A process dies at a point of its work, if it gets there; its memory goes with it."""
        needs_redis = point.work in ("batch", "sync", "claim")
        if needs_redis and self.is_away:
            return
        try:
            with dying_at(point):
                self._work(point.work, shopper, attempt, which)
        except Crashed:
            soldout.forget_all()
        self.gate_is_fresh = False

    def _work(self, work: str, shopper: int, attempt: str, which: int) -> None:
        match work:
            case "claim":
                self._buy(shopper, attempt, 1)
            case "at once":
                self._buy(shopper, attempt, 1, strategy="lock")
            case "batch":
                drain.drain(self.sale, consumer="dies")
            case "sync":
                gate.sync(self.sale, now=timezone.now())
            case "expire":
                reservations.expire()
            case "return":
                sales.return_units(Sale.objects.get(pk=self.sale.id))
        for purchase in self._one(which, "held"):
            if work == "let go":
                purchases.release(purchase)
            elif work == "pay":
                reservations.confirm(reservation_ids=[purchase.pk])

    # Staff

    @rule(change=st.integers(-4, 3).filter(bool), to_main=st.booleans())
    def restock_or_shrink(self, change: int, to_main: bool) -> None:
        """Units arrive or turn out to be missing, or the merchant moves some between the pools."""
        own, main = self.sale.scope, Stock.MAIN
        source, target = (main, own) if change > 0 else (own, main)
        left = self._available(source)
        try:
            if to_main:
                stock.transfer(
                    sku=self._sku,
                    quantity=abs(change),
                    source=source,
                    target=target,
                    reason="moved",
                )
            else:
                stock.adjust(sku=self._sku, pool=own, change=change, reason="counted")
        except NotEnoughStock:
            assert left < abs(change)
        else:
            self.on_hand += change
            self.elsewhere -= change if to_main else 0
        self.gate_is_fresh = False

    @rule(which=which)
    def ship(self, which: int) -> None:
        for purchase in self._one(which, "confirmed"):
            assert reservations.consume(reservation_ids=[purchase.pk]) == 1
            self.on_hand -= purchase.quantity

    @rule(which=which)
    def refund(self, which: int) -> None:
        for purchase in self._one(which, "confirmed"):
            for again in (1, 0):
                assert reservations.release(reservation_ids=[purchase.pk], reason="r") == again
        self.gate_is_fresh = False

    @rule(strategy=st.sampled_from(Sale.Strategy.values))
    def switch_strategy(self, strategy: str) -> None:
        Sale.objects.filter(pk=self.sale.id).update(strategy=strategy)
        self.sale = sales.describe(Sale.objects.get(pk=self.sale.id))

    # Redis

    @rule()
    def sync(self) -> None:
        if not self.is_away:
            assert gate.sync(self.sale, now=timezone.now())
            self.gate_is_fresh = True

    @rule()
    def sync_while_a_batch_is_settled(self) -> None:
        """The batch commits and is acknowledged between sync's read of PostgreSQL and its write to Redis."""
        if self.is_away:
            return
        count = sales.count_units
        reads: list[int] = []

        def count_and_settle(sale: SaleInfo) -> sales.Units:
            units = count(sale)
            if not reads:
                drain.drain(sale, consumer="worker")
            reads.append(units.left)
            return units

        gate.count_units = count_and_settle  # type: ignore[attr-defined]  # put back at once
        try:
            assert gate.sync(self.sale, now=timezone.now())
        finally:
            gate.count_units = count  # type: ignore[attr-defined]  # as above
        self.gate_is_fresh = True

    @precondition(lambda self: not self.is_away)
    @rule()
    def redis_loses_everything(self) -> None:
        store.client().flushdb()
        self._lost()

    @precondition(lambda self: not self.is_away)
    @rule()
    def a_replica_is_cut_off(self) -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            self.older = {
                name: (client.dump(name), max(0, client.pttl(name)))
                for name in client.scan_iter(f"{{sale:{self.sale.id}}}:*")
            }

    @precondition(lambda self: not self.is_away and self.older is not None)
    @rule()
    def that_replica_is_promoted(self) -> None:
        """Everything that was written since the cut is lost."""
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.flushdb()
            for name, (value, milliseconds) in (self.older or {}).items():
                client.restore(name, milliseconds, value)
        self._lost()

    @precondition(lambda self: not self.is_away)
    @rule()
    def redis_goes_away(self) -> None:
        self.outage.enter_context(redis_away())
        self.is_away = True

    @precondition(lambda self: self.is_away)
    @rule()
    def redis_comes_back(self) -> None:
        self.outage.close()
        self.is_away = False
        breaker.claims._rests_until = 0

    # What must be true

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "sale"):
            return
        with connection.cursor() as cursor:
            cursor.execute(BOOKS, {"sale": self.sale.id, "pool": self.sale.scope})
            books = cursor.fetchone()
        on_hand, allocated, live, moved, moved_allocated, counted, reserved, most, kept, made = (
            books
        )
        assert on_hand == self.on_hand, f"units on hand are not those that were stocked: {books}"
        assert 0 <= allocated <= on_hand, f"more is promised than there is: {books}"
        assert allocated == live, f"units are promised to nobody: {books}"
        assert (on_hand, allocated) == (moved, moved_allocated), f"the ledger disagrees: {books}"
        assert counted == reserved, f"the limit is counted wrongly: {books}"
        assert most <= LIMIT, f"somebody has more than the limit: {books}"
        assert kept == made, f"a purchase has no hold, or two: {books}"
        held = set(self._purchases().filter(refusal="").values_list("pk", flat=True))
        assert self.seen_held <= held, "a purchase that PostgreSQL accepted is gone"
        self.seen_held = held

    @invariant()
    def a_gate_that_was_just_set_is_true(self) -> None:
        if getattr(self, "gate_is_fresh", False) and not self.is_away:
            self.gate_is_fresh = False
            true = max(0, self._left() - self._queued())
            assert free_at_the_gate(self.sale) == true, "a gate that was just set is not true"

    def come_to_rest(self) -> None:
        """Redis is there, every lease and hold runs out, every queue is drained, the sale ends."""
        if self.is_away:
            self.redis_comes_back()
        breaker.claims.worked()
        for _ in range(3):
            drain.drain(self.sale, consumer="at last")
        assert self._queued() == 0, "claims were left in the queue"
        settled = set(self._purchases().values_list("pk", flat=True))
        assert self.promised <= settled, "a claim that nobody lost was not settled"
        assert not SetAsideClaim.objects.filter(sale_id=self.sale.id).exists()
        self._reservations().filter(state="held").update(expires_at=F("created_at"))
        reservations.expire()
        assert gate.sync(self.sale, now=timezone.now())
        self.the_books_agree()
        sold = sum(
            self._reservations().filter(state="confirmed").values_list("quantity", flat=True)
        )
        assert self._left() == self.on_hand - sold, "units leaked"
        assert free_at_the_gate(self.sale) == self._left(), "the gate is not true"
        sale = Sale.objects.get(pk=self.sale.id)
        sales.end(sale)
        for _ in range(2):  # whatever is left goes back once
            sales.return_units(sale)
            main = Stock.objects.get(sku=self._sku, pool=Stock.MAIN)
            assert main.on_hand == self.elsewhere + self.on_hand - sold, "units went back twice"

    # Help

    @property
    def _sku(self) -> str:
        return self.sale.items[0].sku

    def _buy(
        self, shopper: int, attempt: str, quantity: int, *, strategy: str = ""
    ) -> Accepted | Refused:
        sale = replace(self.sale, strategy=strategy or self.sale.strategy)
        return buying.buy(
            sale=sale,
            shopper=self.shoppers[shopper].shopper_id,
            item=sale.items[0].id,
            quantity=quantity,
            attempt=attempt,
            now=timezone.now(),
        )

    def _lost(self) -> None:
        self.promised.clear()
        soldout.forget_all()
        self.gate_is_fresh = False

    def _queued(self) -> int:
        """Units that wait in the queue; 0 while nobody can look."""
        if self.is_away:
            return 0
        entries = store.client().xrange(key(self.sale.id, "claims"))
        return sum(int(fields["quantity"]) for _, fields in entries)

    def _left(self) -> int:
        return sales.count_units(self.sale).left

    def _available(self, pool: str) -> int:
        return Stock.objects.get(sku=self._sku, pool=pool).available

    def _purchases(self) -> Any:
        return Purchase.objects.filter(sale_id=self.sale.id)

    def _reservations(self) -> Any:
        return Reservation.objects.filter(scope=self.sale.scope)

    def _one(self, which: int, *states: str) -> list[Purchase]:
        rows = self._purchases().filter(reservation__state__in=states)
        found = list(
            rows.select_related("reservation", "order", "sale").order_by("claimed_at", "pk")
        )
        return [found[which % len(found)]] if found else []
