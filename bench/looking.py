"""Warm pages for people who are not signed in, and what the load shedding costs while nothing is shed, against an empty
Django view, on one server, sides in turns.
"""

from collections.abc import Callable
from dataclasses import replace

from bench import http
from bench.figures import Figure, ratio, take_turns
from bench.size import Size
from shop import demo_data


def measure(size: Size) -> dict[str, Figure]:
    demo_data.seed()
    count = size.clicks // 2
    with http.granian(environment={"PAGE_CACHE_SECONDS": "3600"}) as port:
        sides: dict[str, Callable[[], float]] = {
            "home": lambda: http.look(port, "/", count),
            "product": lambda: http.look(port, "/p/tide-mug/", count),
            "empty_view_that_may_be_shed": lambda: http.look(port, "/bench/shed/", count),
            "empty_view_without_middleware": lambda: http.look(port, "/bench/bare/", count),
        }
        for side in sides.values():
            side()  # warms the workers, and the pages that are kept
        figures = take_turns(sides, rounds=size.rounds)
    bare = "empty_view_without_middleware"
    shed = ratio(figures, "empty_view_that_may_be_shed", bare)
    return {
        "home_vs_bare_view": ratio(figures, "home", bare),
        "product_vs_bare_view": ratio(figures, "product", bare),
        "shedding_cost": replace(shed, value=round(1 - shed.value, 3)),
    }
