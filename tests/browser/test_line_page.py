"""The waiting room in a real browser: what it says, when it asks, how it calls somebody whose turn it is.

The shop behind it is real. Where a test needs the line to stand somewhere exactly, it answers for the line document.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, Route, expect

from flashsale import line, store
from flashsale.keys import key
from flashsale.models import Sale
from flashsale.sales import SaleInfo
from flashsale.showing import figure, rounded, wait_in_words
from tests.browser.conftest import Crowd, OpenPage
from tests.browser.steps import heading, sign_in
from tests.factories import make_sale, make_user

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-line-page")]

#: What a page is told about the world before any script of ours runs: what it was asked to show and to sound, and
#: whether anybody looks at it.
WATCH = """
    window.shown = [];
    window.tones = 0;
    window.said = [];
    window.Notification = class extends EventTarget {
        static permission = "default";
        static async requestPermission() { return (Notification.permission = window.answer ?? "granted"); }
        constructor(title) { super(); window.shown.push(title); }
    };
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) { window.tones += 1; return start.apply(this, when); };
    window.away = false;
    Object.defineProperty(document, "hidden", { get: () => window.away });
    window.look = (away) => { window.away = away; document.dispatchEvent(new Event("visibilitychange")); };
    new MutationObserver((changes) => {
        for (const { target } of changes) {
            const voice = target.parentElement?.closest("[data-announce]") ?? target.closest?.("[data-announce]");
            if (voice?.textContent) window.said.push(voice.textContent);
        }
    }).observe(document, { subtree: true, childList: true, characterData: true });
"""


#: Fifteen seconds between two looks are a second here.
FAST_WHEN_HIDDEN = """
    const later = setTimeout;
    window.setTimeout = (run, ms) => later(run, ms > 10000 ? ms / 15 : ms);
"""


#: A page that becomes visible looks at once; far from the front the next look would come after ten seconds.
LOOK = "document.dispatchEvent(new Event('visibilitychange'))"


def line_sale(**fields: Any) -> SaleInfo:
    """A sale that goes by who comes first, in which nobody is let in by the controller: it has one admission."""
    defaults: dict[str, Any] = {
        "queue_mode": Sale.QueueMode.FIRST_COME,
        "admission_cap": 1,
        "units": 40,
    }
    return make_sale(**defaults | fields)


def join_at(page: Page, sale: SaleInfo, place: int) -> None:
    """Stand at a place in line, as if that many had come before."""
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/line/")
    store.client().set(key(sale.id, "last"), place - 1)
    page.get_by_role("button", name="Join").click()
    expect(heading(page)).to_have_text("You are in line")


Answer = Callable[..., None]


def answering(page: Page, sale: SaleInfo, crowd_line: dict[str, Any]) -> Answer:
    """Answer for the line document from now on; the function that comes back changes what it says."""
    document = dict(crowd_line)

    def say(
        *, serving: float | dict[str, Any] | None = None, rate: float = 0.0, **facts: Any
    ) -> None:
        """`serving` is the number, or the whole member."""
        pace = facts.pop("pace", rate)
        document.update(facts)
        if isinstance(serving, dict):
            document["serving"] = serving
        elif serving is not None:
            now = timezone.now()
            until = now + timedelta(minutes=5)
            document["serving"] = {
                "base": serving,
                "rate": rate,
                "pace": pace,
                "at": now.isoformat(),
                "until": until.isoformat(),
            }
        document["now"] = facts.get("now", timezone.now().isoformat())
        page.evaluate(LOOK)

    def fulfil(route: Route) -> None:
        route.fulfill(content_type="application/json", body=json.dumps(document))

    page.route(f"**/api/v1/sales/{sale.slug}/line/", fulfil)
    return say


def looks_of(page: Page, sale: SaleInfo) -> list[float]:
    """When the page asks for the line document, in seconds; the list grows."""
    moments: list[float] = []

    def listen(request: Request) -> None:
        if request.url.endswith(f"/api/v1/sales/{sale.slug}/line/"):
            moments.append(time.monotonic())

    page.on("request", listen)
    return moments


@pytest.fixture
def rival(crowd: Crowd) -> Any:
    return crowd(make_user().email)


# What it says


def test_the_browser_tells_the_same_figures_as_the_server(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/")
    numbers = [*range(130), 347, 995, 999, 1000, 1234, 1235, 12_340, 12_350, 99_950, 1_234_567]
    waits = [None, 0, 44.9, 45, 75, 120, 601, 3599, 4700, 4800, 20_000, 100_000]
    told = page.evaluate(
        """async ([numbers, waits]) => {
            const figures = await import("/static/js/figures.js");
            return [numbers.map(figures.figure), waits.map(figures.waitInWords)];
        }""",
        [numbers, waits],
    )
    assert told == [
        [figure(number) for number in numbers],
        [wait_in_words(wait) or "–" for wait in waits],
    ]


def test_far_from_the_front_figures_are_rounded_and_the_page_says_so(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale()
    page = open_page()
    join_at(page, sale, 12_340)
    say = answering(page, sale, rival.line(sale.slug))
    say(serving=0, rate=10.0, waiting=12_340, units_left=20_000)
    expect(page.locator(".ahead")).to_have_text("about 12,300 people ahead of you")
    expect(page.locator("[data-place-shown]")).to_have_text("about 12,300")
    expect(page.locator("[data-wait]")).to_have_text("16 to 31 minutes")
    expect(page.get_by_text("Numbers above 100 are rounded.")).to_be_visible()
    say(units_left=40)
    expect(page.locator("[data-chance]")).to_contain_text("More people are ahead of you than units")
    expect(page.locator("[data-wait]")).to_have_text("–")
    say(serving=12_280, rate=0.0)
    expect(page.locator("[data-ahead]")).to_have_text("59")
    expect(page.locator("[data-wait]")).to_have_text("–")


def test_the_pace_of_the_longer_run_gives_the_wait_where_the_document_tells_it(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale()
    page = open_page()
    join_at(page, sale, 601)
    say = answering(page, sale, rival.line(sale.slug))
    say(serving=0, rate=0.0, pace=1.0, units_left=1000)
    expect(page.locator("[data-wait]")).to_have_text("8 to 15 minutes")
    say(serving=0, rate=5.0, pace=None)
    expect(page.locator("[data-wait]")).to_have_text("–")


def test_a_line_that_nobody_carries_on_says_so_and_promises_no_wait(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale()
    page = open_page()
    join_at(page, sale, 601)
    say = answering(page, sale, rival.line(sale.slug))
    say(serving=0, rate=0.0, pace=1.0, units_left=1000)
    expect(page.locator("[data-wait]")).to_have_text("8 to 15 minutes")
    notice = page.get_by_text("We have not heard from the shop for a moment.")
    expect(notice).to_be_hidden()
    long_ago = (timezone.now() - timedelta(seconds=30)).isoformat()
    say(serving={"base": 0, "rate": 0.0, "pace": 1.0, "at": long_ago, "until": long_ago})
    expect(notice).to_be_visible()
    expect(page.locator("[data-wait]")).to_have_text("–")
    say(serving=0, rate=0.0, pace=1.0)
    expect(notice).to_be_hidden()


def test_a_lobby_that_is_paused_counts_down_as_before(open_page: OpenPage, rival: Any) -> None:
    sale = line_sale(opens_at=timezone.now() + timedelta(minutes=30), queue_mode="draw")
    page = open_page()
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/line/")
    page.get_by_role("button", name="Join").click()
    expect(heading(page)).to_have_text("You are in the draw")
    Sale.objects.filter(pk=sale.id).update(status=Sale.Status.PAUSED)
    page.reload()
    expect(heading(page)).to_have_text("You are in the draw")
    say = answering(page, sale, rival.line(sale.slug))
    say(phase="paused")
    page.wait_for_timeout(1500)
    expect(heading(page)).to_have_text("You are in the draw")
    expect(page.get_by_text("Drawing places…")).to_be_hidden()


def test_all_held_then_units_back_then_sold_out_each_told_within_a_look(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale(units=2)
    page = open_page()
    page.add_init_script(WATCH)
    join_at(page, sale, 30)
    say = answering(page, sale, rival.line(sale.slug))
    looks = looks_of(page, sale)
    held = page.get_by_text("All held, not sold out.")
    say(serving=2, units_left=2)
    expect(page.locator("[data-ahead]")).to_have_text("27")
    expect(held).to_be_hidden()
    say(units_left=0)
    expect(held).to_be_visible()
    expect(heading(page)).to_have_text("You are in line")
    say(units_left=1)
    expect(held).to_be_hidden()
    address = page.url
    page.evaluate("window.sameDocument = true")
    say(phase="sold_out", units_left=0)
    began = time.monotonic()
    expect(heading(page)).to_have_text("Sold out")
    assert time.monotonic() - began < 4  # a look of three seconds at the most, and a busy machine
    assert page.evaluate("window.sameDocument") is True
    assert page.url == address
    expect(page.get_by_role("main").get_by_text(sale.name, exact=True)).to_be_visible()
    assert page.title().startswith("Sold out")
    said = page.evaluate("window.said")
    assert [words[:22] for words in said[-3:]] == [
        "Every unit is held by ",
        "Units came back: 1 lef",
        "Sold out",
    ]
    known = len(looks)
    page.wait_for_timeout(3500)
    assert len(looks) == known, "nobody has to ask once it is over"


def test_a_pause_is_told_in_place_and_nothing_is_loaded_again(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale()
    page = open_page()
    join_at(page, sale, 30)
    say = answering(page, sale, rival.line(sale.slug))
    page.evaluate("window.sameDocument = true")
    say(serving=2, phase="paused")
    expect(heading(page)).to_have_text("Paused for a moment")
    expect(page.locator("[data-chance]")).to_have_text("Nothing is lost: you keep your place.")
    say(phase="open")
    expect(heading(page)).to_have_text("You are in line")
    assert page.evaluate("window.sameDocument") is True


def test_screen_readers_hear_milestones_and_not_every_step(open_page: OpenPage, rival: Any) -> None:
    sale = line_sale()
    page = open_page()
    page.add_init_script(WATCH)
    join_at(page, sale, 130)
    say = answering(page, sale, rival.line(sale.slug))
    for serving in (0, 10, 20, 31, 40, 60, 80, 100, 121, 127.5, 128):
        say(serving=serving, units_left=40)
        ahead = f"{rounded(ceil(129 - serving)):,}"
        expect(page.locator("[data-ahead]")).to_have_text(ahead)
    assert [words for words in page.evaluate("window.said") if "ahead" in words] == [
        "98 people ahead of you.",
        "49 people ahead of you.",
        "8 people ahead of you.",
        "2 people ahead of you.",
        "One person ahead of you.",
    ]


# The clock


def test_the_countdown_follows_the_server_whatever_this_device_thinks_and_never_freezes(
    open_page: OpenPage,
) -> None:
    """The device's clock is hours off. At zero, with the shop out of reach, the page says what it can say."""
    sale = line_sale(
        queue_mode=Sale.QueueMode.DRAW, opens_at=timezone.now() + timedelta(seconds=12)
    )
    page = open_page()
    page.add_init_script(
        "const real = Date.now; Date.now = () => real() - 5 * 3600e3;"
        "Date = class extends Date { constructor(...a) { super(...(a.length ? a : [Date.now()])); } };"
    )
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/line/")
    page.get_by_role("button", name="Join").click()
    expect(heading(page)).to_have_text("You are in the draw")
    page.route("**/api/v1/sales/*/line/", lambda route: route.abort())
    timer = page.get_by_role("timer")
    expect(timer).to_have_text(re.compile(r"^0:\d\d$"))
    shown = int(timer.inner_text().removeprefix("0:"))
    assert abs((sale.opens_at - timezone.now()).total_seconds() - shown) < 2.5
    expect(timer).to_have_text("Opening now…")
    assert timezone.now() >= sale.opens_at - timedelta(seconds=1)
    expect(page.get_by_text("Opens in", exact=True)).to_be_hidden()
    expect(page.get_by_text("We have not heard from the shop")).to_be_visible()


def test_a_countdown_that_fell_behind_catches_up_with_the_server(
    open_page: OpenPage, rival: Any
) -> None:
    """As after the device slept: the next document says a later time."""
    sale = line_sale(queue_mode=Sale.QueueMode.DRAW, opens_at=timezone.now() + timedelta(minutes=9))
    page = open_page()
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/line/")
    page.get_by_role("button", name="Join").click()
    timer = page.get_by_role("timer")
    expect(timer).to_have_text(re.compile(r"^8:"))
    later = (timezone.now() + timedelta(minutes=5)).isoformat()
    document = json.dumps(rival.line(sale.slug) | {"now": later})
    page.route(
        "**/api/v1/sales/*/line/",
        lambda route: route.fulfill(content_type="application/json", body=document),
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(timer).to_have_text(re.compile(r"^3:"))


# The opening


def test_at_the_opening_the_page_works_its_place_out_and_asks_nobody(
    open_page: OpenPage, rival: Any
) -> None:
    now = timezone.now()
    sale = line_sale(
        queue_mode=Sale.QueueMode.DRAW,
        lobby_opens_at=now - timedelta(hours=1),
        opens_at=now + timedelta(minutes=5),
    )
    page, user = open_page(), make_user()
    sign_in(page, user.email, then=f"/sales/{sale.slug}/line/")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the draw")
    page.evaluate("window.isTheSamePage = true")
    say = answering(page, sale, rival.line(sale.slug))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    place = line.drawn_place(seed="a seed", shopper=user.shopper_id, draw_size=7_654_321)
    say(phase="open", seed="a seed", draw_size=7_654_321, serving=0, units_left=40)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in line")
    expect(page.locator("[data-place-shown]")).to_have_text(figure(place))
    expect(page.locator("[data-ahead]")).to_have_text(f"{rounded(place - 1):,}")
    assert page.evaluate("window.isTheSamePage")
    assert set(asked) == {"GET"}


def test_a_document_from_before_the_page_does_not_load_it_again(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale()
    page = open_page()
    say = answering(page, sale, rival.line(sale.slug))
    say(phase="lobby", units_left=7, now=(timezone.now() - timedelta(minutes=1)).isoformat())
    join_at(page, sale, 30)
    page.evaluate("window.isTheSamePage = true")
    expect(page.locator("[data-units-left]")).to_have_text("7")
    page.wait_for_timeout(7000)
    assert page.evaluate("window.isTheSamePage")


# When it asks


@pytest.mark.parametrize(("ahead", "longest"), [(5000, 1.9), (3, 1.5)])
def test_the_page_asks_more_often_near_the_front_and_never_later_than_it_must(
    open_page: OpenPage, rival: Any, ahead: int, longest: float
) -> None:
    sale = line_sale()
    page = open_page()
    join_at(page, sale, ahead + 1)
    say = answering(page, sale, rival.line(sale.slug))
    say(serving=0, units_left=40)
    page.wait_for_timeout(longest * 1000)
    looks = looks_of(page, sale)
    page.wait_for_timeout(longest * 4000)
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    assert len(gaps) >= 3
    assert max(gaps) < longest + 0.5  # the way to here, on a busy machine
    assert min(gaps) > longest * 0.6
    assert len({round(gap, 2) for gap in gaps}) > 1, "the crowd's looks are not spread"


def test_far_from_the_front_and_from_a_sell_out_the_page_asks_seldom(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale()
    page = open_page()
    join_at(page, sale, 5001)
    say = answering(page, sale, rival.line(sale.slug))
    say(serving=0, rate=1.0, pace=1.0, units_left=20_000)
    expect(page.locator("[data-wait]")).to_have_text("1 to 3 hours")
    looks = looks_of(page, sale)
    page.wait_for_timeout(6000)
    assert len(looks) <= 1
    page.wait_for_timeout(5000)
    assert looks


def test_a_hidden_page_asks_nothing_and_catches_up_when_it_is_shown(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale()
    page = open_page()
    page.add_init_script(WATCH)
    join_at(page, sale, 30)
    say = answering(page, sale, rival.line(sale.slug))
    say(serving=1, units_left=40)
    expect(page.locator("[data-ahead]")).to_have_text("28")
    page.evaluate("look(true)")
    page.wait_for_timeout(500)
    looks = looks_of(page, sale)
    page.wait_for_timeout(4000)
    assert looks == []
    say(serving=9)
    page.evaluate("look(false)")
    expect(page.locator("[data-ahead]")).to_have_text("20")
    assert looks


# It is your turn


def test_sound_and_notification_are_off_until_they_are_switched_on_and_are_remembered(
    open_page: OpenPage,
) -> None:
    sale = line_sale()
    page = open_page()
    page.add_init_script(WATCH)
    join_at(page, sale, 30)
    sound = page.get_by_role("button", name="With a sound")
    notify = page.get_by_role("button", name="With a notification")
    for switch in (sound, notify):
        expect(switch).to_have_attribute("aria-pressed", "false")
    sound.click()
    expect(sound).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("window.tones") == 3, "who switches it on hears what it is like"
    page.reload()
    expect(sound).to_have_attribute("aria-pressed", "true")
    expect(notify).to_have_attribute("aria-pressed", "false")
    sound.click()
    page.reload()
    expect(sound).to_have_attribute("aria-pressed", "false")
    page.evaluate("window.answer = 'denied'")
    notify.click()
    expect(page.get_by_text("Your browser does not allow notifications")).to_be_visible()
    expect(notify).to_have_attribute("aria-pressed", "false")


def test_a_hidden_page_calls_the_shopper_and_lets_them_in_when_they_look(
    open_page: OpenPage, rival: Any
) -> None:
    sale = line_sale()
    page = open_page()
    page.add_init_script(WATCH)
    page.add_init_script(FAST_WHEN_HIDDEN)
    store.client().set(key(sale.id, "last"), 4)
    sign_in(page, make_user().email, then=f"/sales/{sale.slug}/line/")
    page.get_by_role("button", name="Join").click()
    expect(heading(page)).to_have_text("You are in line")
    say = answering(page, sale, rival.line(sale.slug))
    say(serving=0, units_left=40)
    expect(page.locator("[data-ahead]")).to_have_text("4")
    page.get_by_role("button", name="With a sound").click()
    page.get_by_role("button", name="With a notification").click()
    posted: list[str] = []
    page.on(
        "request", lambda request: posted.append(request.url) if request.method == "POST" else None
    )
    page.evaluate("look(true)")
    say(serving=5)
    expect(page).to_have_title(f"Your turn · {sale.name}")
    assert page.evaluate("window.shown") == [f"Your turn · {sale.name}"]
    assert page.evaluate("window.tones") == 6
    page.wait_for_timeout(2500)
    assert (page.evaluate("window.shown.length"), page.evaluate("window.tones")) == (1, 6)
    assert posted == [], "their time inside must not run while they look elsewhere"

    page.route(
        "**/admission/",
        lambda route: route.fulfill(status=201, content_type="application/json", body="{}"),
    )
    page.evaluate("look(false)")
    page.wait_for_url(f"/sales/{sale.slug}/")


# Leaving


def test_leaving_asks_first_by_keyboard_and_staying_changes_nothing(open_page: OpenPage) -> None:
    sale = line_sale()
    page = open_page()
    join_at(page, sale, 30)
    page.get_by_role("link", name="Leave the line").press("Enter")
    expect(heading(page)).to_have_text("Leave the line?")
    expect(page.get_by_role("main")).to_contain_text("You give up your place, 30.")
    page.get_by_role("link", name="Stay in line").press("Enter")
    expect(page.locator("[data-place-shown]")).to_have_text("30")
    page.get_by_role("link", name="Leave the line").press("Enter")
    page.get_by_role("button", name="Leave the line").press("Enter")
    page.wait_for_url(f"/sales/{sale.slug}/")
    expect(page.get_by_role("button", name="Join the line")).to_be_visible()
