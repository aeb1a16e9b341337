"""A draw that strangers can check: what is published, when, and that it favours nobody."""

import hashlib
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from flashsale import draws, line, line_document, steering
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from flashsale.tickets import Ticket
from shop.models import User
from tests.factories import make_draft, make_sale, make_user

pytestmark = pytest.mark.django_db


def lobby(*, entrants: int = 0, **fields: Any) -> SaleInfo:
    """A sale with a draw that opens in a minute, and strangers in its lobby."""
    now = timezone.now()
    times = {"lobby_opens_at": now - timedelta(hours=1), "opens_at": now + timedelta(minutes=1)}
    sale = make_sale(**{"queue_mode": Sale.QueueMode.DRAW} | times | fields)
    for _ in range(entrants):
        line.join(sale, shopper=uuid4(), now=now)
    line.renew(sale, now=now)
    return sale


def after_the_opening(sale: SaleInfo) -> time_machine.travel:
    return time_machine.travel(sale.opens_at + timedelta(seconds=2), tick=False)


def check_as_a_stranger(script: Path, *facts: object) -> subprocess.CompletedProcess[str]:
    """Run the published script in an empty folder, cut off from whatever Python finds around it."""
    return subprocess.run(
        [sys.executable, "-I", str(script), *map(str, facts)],
        cwd=script.parent,
        env={},
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.fixture
def downloaded(client: Client, tmp_path: Path) -> Callable[[SaleInfo], Path]:
    def download(sale: SaleInfo) -> Path:
        answer = client.get(f"/sales/{sale.slug}/draw/check_place.py")
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
        script = tmp_path / "check_place.py"
        script.write_bytes(answer.content)
        return script

    return download


def test_a_stranger_with_the_published_script_and_facts_finds_the_shops_places(
    client: Client, downloaded: Callable[[SaleInfo], Path]
) -> None:
    sale = lobby(entrants=60)
    shoppers = [uuid4() for _ in range(25)]
    for shopper in shoppers:
        line.join(sale, shopper=shopper, now=timezone.now())
    with after_the_opening(sale):
        now = timezone.now()
        line.renew(sale, now=now)
        published = client.get(f"/api/v1/sales/{sale.slug}/line/").json()
        script = downloaded(sale)
        document = line_document.read(sale, now=now)
        checked, ours = [], []
        for shopper in shoppers:
            facts = published["seed"], published["draw_size"], shopper, published["seed_commitment"]
            said = check_as_a_stranger(script, *facts)
            assert (said.returncode, said.stderr) == (0, "")
            checked.append(int(said.stdout))
            where = line.position(
                sale, ticket=Ticket(None), shopper=shopper, document=document, now=now
            )
            ours.append(where.place)
    assert checked == ours
    assert len(set(ours)) > 15


def test_the_published_script_refuses_another_seed_and_says_how_it_is_used(
    downloaded: Callable[[SaleInfo], Path],
) -> None:
    sale = lobby()
    script = downloaded(sale)
    other = check_as_a_stranger(script, "0" * 64, 10, uuid4(), sale.seed_commitment)
    assert (other.returncode, other.stdout) == (1, "")
    assert other.stderr == "This is not the seed that the shop committed to.\n"
    assert "python3 check_place.py SEED ENTRANTS SHOPPER" in check_as_a_stranger(script).stderr


def test_the_script_is_short_enough_to_be_read() -> None:
    assert len(draws.script().splitlines()) <= 20


def test_the_published_seed_is_the_one_that_was_committed_to() -> None:
    sale = lobby(entrants=3)
    before = draws.published(sale, now=sale.opens_at - timedelta(seconds=1))
    assert (before.seed, before.entrants, before.joined) == (None, None, 3)
    line.renew(sale, now=sale.opens_at)
    after = draws.published(sale, now=sale.opens_at)
    assert after.seed is not None
    assert hashlib.sha256(after.seed.encode()).hexdigest() == before.commitment == after.commitment
    assert after.entrants == 3


# The page


def test_the_page_keeps_the_seed_until_the_opening_and_then_shows_it(client: Client) -> None:
    sale = lobby(entrants=7)
    before = client.get(f"/sales/{sale.slug}/draw/").content.decode()
    assert sale.seed_commitment in before
    assert sale.seed not in before
    assert "7 so far" in before
    with after_the_opening(sale):
        line.renew(sale, now=timezone.now())
        after = client.get(f"/sales/{sale.slug}/draw/").content.decode()
    assert f"{sale.seed} 7 YOUR-ID {sale.seed_commitment}" in after


def join(client: Client, sale: SaleInfo, user: User) -> None:
    client.force_login(user)
    client.post(f"/sales/{sale.slug}/line/join/")


def test_the_page_of_a_draw_that_was_cancelled_before_its_opening_promises_no_count(
    client: Client,
) -> None:
    sale = make_sale(queue_mode=Sale.QueueMode.DRAW, opens_at=timezone.now() + timedelta(hours=1))
    steering.cancel(Sale.objects.get())
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        page = client.get(f"/sales/{sale.slug}/draw/").content.decode()
    assert "Nobody was drawn: the sale was cancelled" in page
    assert "Counted in a moment" not in page


def test_the_page_tells_a_shopper_their_id_and_place(client: Client) -> None:
    sale, user = lobby(entrants=9), make_user()
    page = f"/sales/{sale.slug}/draw/"
    assert str(user.shopper_id) not in client.get(page).content.decode()
    join(client, sale, user)
    assert "Known at the opening" in client.get(page).content.decode()
    with after_the_opening(sale):
        line.renew(sale, now=timezone.now())
        answer = client.get(page)
    place = line.drawn_place(seed=sale.seed, shopper=user.shopper_id, draw_size=10)
    assert answer.context["place"] == place
    shown = answer.content.decode()
    assert f"<code data-own-id>{user.shopper_id}</code>" in shown
    assert f"{sale.seed} 10 {user.shopper_id} {sale.seed_commitment}" in shown


def test_the_page_tells_a_latecomer_that_they_were_not_drawn(client: Client) -> None:
    sale, user = lobby(entrants=4), make_user()
    with after_the_opening(sale):
        line.renew(sale, now=timezone.now())
        join(client, sale, user)
        answer = client.get(f"/sales/{sale.slug}/draw/")
    assert answer.context["place"] == 5
    assert "You joined after the opening." in answer.content.decode()


@pytest.mark.parametrize("mode", [Sale.QueueMode.FIRST_COME, Sale.QueueMode.NONE])
def test_a_sale_without_a_draw_has_no_page_of_it(client: Client, mode: str) -> None:
    sale = make_sale(queue_mode=mode)
    for address in ("draw/", "draw/check_place.py"):
        assert client.get(f"/sales/{sale.slug}/{address}").status_code == 404


def test_the_sale_and_the_line_lead_to_the_page_of_the_draw(client: Client) -> None:
    sale = lobby()
    for address in ("", "line/"):
        page = client.get(f"/sales/{sale.slug}/{address}").content.decode()
        assert f'href="/sales/{sale.slug}/draw/"' in page


# The command


def told(slug: str) -> str:
    out = StringIO()
    call_command("draw", slug, stdout=out)
    return out.getvalue()


def test_the_command_keeps_the_seed_until_the_opening_and_then_tells_how_to_check() -> None:
    sale = lobby(entrants=5)
    before = told(sale.slug)
    assert f"commitment  {sale.seed_commitment}\n" in before
    assert "seed        secret until the opening\nentrants    5 so far" in before
    assert sale.seed not in before
    with after_the_opening(sale):
        line.renew(sale, now=timezone.now())
        after = told(sale.slug)
    assert f"seed        {sale.seed}\nentrants    5\n" in after
    assert f"check_place.py {sale.seed} 5 SHOPPER {sale.seed_commitment}\n" in after


def test_the_command_says_what_is_wrong_with_the_sale_that_it_was_given() -> None:
    with pytest.raises(CommandError, match="There is no sale 'nowhere'"):
        told("nowhere")
    first_come = make_sale(queue_mode=Sale.QueueMode.FIRST_COME)
    draft = make_draft(queue_mode=Sale.QueueMode.DRAW)
    for slug in (first_come.slug, draft.slug):
        with pytest.raises(CommandError, match=f"'{slug}' has no draw"):
            told(slug)


# Fairness. Seeds and shoppers are fixed lists, so these tests say the same every time.

Draw = Callable[[str, UUID, int], int]
SEEDS = [hashlib.sha256(f"seed {number}".encode()).hexdigest() for number in range(200)]
SHOPPERS = [UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128) for number in range(500)]
DRAW_SIZE, BINS = 100, 20


def ours(seed: str, shopper: UUID, draw_size: int) -> int:
    return line.drawn_place(seed=seed, shopper=shopper, draw_size=draw_size)


def by_one_byte(seed: str, shopper: UUID, draw_size: int) -> int:
    """A mapping that looks random and is not fair: 256 values do not part evenly into 100 places."""
    return 1 + hashlib.sha256(f"{seed}:{shopper}".encode()).digest()[0] % draw_size


def by_shopper(seed: str, shopper: UUID, draw_size: int) -> int:
    """A mapping that gives everybody nearly the same place in every draw."""
    drift = hashlib.sha256(f"{seed}:{shopper}".encode()).digest()[0] % 10
    return 1 + (shopper.int + drift) % draw_size


def chi_square(counts: Counter[Any], *, cells: int) -> float:
    """Pearson's statistic against equal shares in `cells` cells."""
    expected = counts.total() / cells
    found = sum((count - expected) ** 2 / expected for count in counts.values())
    return found + (cells - len(counts)) * expected


def spread_over_places(draw: Draw) -> list[float]:
    """For each seed: are the shoppers spread evenly over the places? 19 degrees of freedom each."""
    return [
        chi_square(
            Counter(
                (draw(seed, shopper, DRAW_SIZE) - 1) * BINS // DRAW_SIZE for shopper in SHOPPERS
            ),
            cells=BINS,
        )
        for seed in SEEDS
    ]


def spread_over_seeds(draw: Draw) -> list[float]:
    """For each of some shoppers: are their places spread evenly over the draws? 4 degrees of freedom each."""
    return [
        chi_square(
            Counter((draw(seed, shopper, DRAW_SIZE) - 1) * 5 // DRAW_SIZE for seed in SEEDS),
            cells=5,
        )
        for shopper in SHOPPERS
    ]


def looks_fair(statistics: list[float], *, freedom: int) -> bool:
    """Whether the sum is where a fair draw's is: within four standard deviations of chi-square's mean."""
    degrees = freedom * len(statistics)
    return abs(sum(statistics) - degrees) < 4 * math.sqrt(2 * degrees)


def test_the_draw_is_uniform_over_places_for_many_seeds() -> None:
    statistics = spread_over_places(ours)
    assert looks_fair(statistics, freedom=BINS - 1)
    assert max(statistics) < 50.8  # the quantile of 200 draws at p = 0.02 in all: 0.0001 each


def test_no_shopper_is_favoured_over_many_seeds() -> None:
    assert looks_fair(spread_over_seeds(ours), freedom=4)


def test_a_mapping_that_favours_places_or_shoppers_would_be_found() -> None:
    """The control: two ways to draw that a glance would not tell from the real one."""
    assert not looks_fair(spread_over_places(by_one_byte), freedom=BINS - 1)
    assert not looks_fair(spread_over_seeds(by_shopper), freedom=4)
