"""The purchase queue against what it replaces: one lock a purchase, and a bare INSERT of the same rows."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from itertools import count
from uuid import uuid4

from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.models import F
from django.utils import timezone

from flashsale import drain, gate, sales, settling, store
from flashsale.keys import key
from flashsale.models import Purchase, Sale, SaleItem
from flashsale.sales import SaleInfo
from inventory import stock
from inventory.models import Reservation, Stock, StockMovement
from shop.models import Category, Product, User, Variant

#: Clients of the one-by-one side, and purchases that each of them makes a round.
CLIENTS, EACH = 64, 10
BATCH = 250
#: Calls in one pipeline, so that the server and not the round trip is measured.
PIPELINE = 200

_numbers = count(1)
_shoppers: list[User] = []
_claims = 0


def prepare(*, claims: int) -> None:
    """Tables, shoppers, and how many claims a round settles."""
    global _claims
    _claims = claims
    call_command("migrate", verbosity=0)
    known = User.objects.filter(email__endswith="@bench.invalid").count()
    password = make_password(None)
    User.objects.bulk_create(
        User(email=f"{number}@bench.invalid", password=password) for number in range(known, claims)
    )
    _shoppers.extend(User.objects.filter(email__endswith="@bench.invalid")[:claims])


def _open_sale() -> SaleInfo:
    """A sale of its own for every round, with a unit for everybody."""
    name = f"bench-{uuid4().hex[:8]}-{next(_numbers)}"
    category, _ = Category.objects.get_or_create(slug="bench", defaults={"name": "Bench"})
    product = Product.objects.create(category=category, name=name, slug=name, summary=name)
    variant = Variant.objects.create(product=product, sku=name.upper(), price=Decimal("10.00"))
    stock.receive(sku=variant.sku, quantity=_claims)
    now = timezone.now()
    sale = Sale.objects.create(
        name=name,
        slug=name,
        lobby_opens_at=now,
        opens_at=now,
        closes_at=now + timedelta(hours=1),
        queue_mode=Sale.QueueMode.NONE,
    )
    SaleItem.objects.create(sale=sale, variant=variant, price=Decimal("9.00"), units=_claims)
    sales.schedule(sale)
    info = sales.describe(sale)
    gate.sync(info, now=timezone.now())
    return info


def drained() -> float:
    """Holds per second of the purchase queue."""
    sale = _open_sale()
    for user in _shoppers:
        gate.claim(
            sale_id=sale.id,
            shopper=user.shopper_id,
            item=sale.items[0].id,
            quantity=1,
            purchase=uuid4(),
            now=timezone.now(),
        )
    started = time.perf_counter()
    while not drain.drain(sale, consumer="bench").is_empty:
        pass
    seconds = time.perf_counter() - started
    assert Stock.objects.get(pool=sale.scope).allocated == _claims
    return _claims / seconds


def one_by_one() -> float:
    """Holds per second of `CLIENTS` threads that each lock the stock row for one purchase."""
    sale = _open_sale()
    item = sale.items[0]

    def client(first: int) -> None:
        for user in _shoppers[first : first + EACH]:
            with transaction.atomic():
                row = Stock.objects.select_for_update().get(pool=sale.scope)
                assert row.available
                Stock.objects.filter(pk=row.pk).update(allocated=F("allocated") + 1)
                reservation = Reservation.objects.create(
                    key=uuid4(),
                    stock=row,
                    quantity=1,
                    holder=str(user.shopper_id),
                    expires_at=timezone.now() + timedelta(minutes=1),
                )
                StockMovement.objects.create(stock=row, kind="allocate", allocated_change=1)
                Purchase.objects.create(
                    id=reservation.key,
                    sale_id=sale.id,
                    item_id=item.id,
                    shopper=user,
                    quantity=1,
                    unit_price=item.price,
                    reservation=reservation,
                    claimed_at=timezone.now(),
                )
        connections.close_all()

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, [number * EACH for number in range(CLIENTS)]))
    return CLIENTS * EACH / (time.perf_counter() - started)


def bare_insert() -> float:
    """Rows per second of the two INSERTs alone, in batches as large as the queue's."""
    sale = _open_sale()
    item = sale.items[0]
    started = time.perf_counter()
    for first in range(0, _claims, BATCH):
        users = _shoppers[first : first + BATCH]
        keys = [uuid4() for _ in users]
        moment = timezone.now()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO inventory_reservation"
                " (id, key, stock_id, quantity, holder, scope, state, expires_at)"
                " SELECT key, key, %s, 1, holder, %s, 'held', now()"
                " FROM unnest(%s::uuid[], %s::text[]) AS claim (key, holder)",
                [item.stock_id, sale.scope, keys, [str(user.shopper_id) for user in users]],
            )
            cursor.execute(
                settling.INSERT_PURCHASES,
                {
                    "sale": sale.id,
                    "ids": keys,
                    "items": [item.id] * len(users),
                    "shoppers": [user.shopper_id for user in users],
                    "quantities": [1] * len(users),
                    "prices": [item.price] * len(users),
                    "moments": [moment] * len(users),
                },
            )
    return _claims / (time.perf_counter() - started)


def claim_script() -> float:
    """Claims per second that the server takes, in pipelines."""
    sale = _open_sale()
    keys = [key(sale.id, name) for name in ("gate", "takers", "claims", "active")]
    return _calls("claim", keys, item=sale.items[0].id)


def noop_script() -> float:
    """The same call with the same arguments, of a script that does nothing."""
    keys = [key(0, name) for name in ("gate", "takers", "claims", "active")]
    return _calls("", keys, item=0)


def _calls(name: str, keys: list[str], *, item: int) -> float:
    client = store.client()
    source = str(store.script(name).script) if name else "return {'queued', '', 0}"
    digest = client.script_load(source)
    now = gate.milliseconds(timezone.now())
    arguments = [(now, str(u.shopper_id), item, 1, str(uuid4()), 2000) for u in _shoppers]
    started = time.perf_counter()
    for first in range(0, len(arguments), PIPELINE):
        pipeline = client.pipeline(transaction=False)
        for values in arguments[first : first + PIPELINE]:
            pipeline.evalsha(digest, len(keys), *keys, *values)
        pipeline.execute()
    return len(arguments) / (time.perf_counter() - started)


SIDES: dict[str, Callable[[], float]] = {
    "drain": drained,
    "select_for_update_64_clients": one_by_one,
    "bare_insert": bare_insert,
    "claim_script": claim_script,
    "noop_script": noop_script,
}

#: Name, side, side that it is a ratio over, target.
RATIOS = (
    ("drain_vs_select_for_update", "drain", "select_for_update_64_clients", 40),
    ("drain_vs_bare_insert", "drain", "bare_insert", 0.6),
    ("claim_script_vs_noop_script", "claim_script", "noop_script", 0.9),
)
