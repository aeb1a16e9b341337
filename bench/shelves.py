"""Pages of a shop with fifty products and with very many: `python -m bench.shelves`, on servers of its own.

Two databases of one server take turns, and no page is kept: each is made anew by Django in this process. PRODUCTS and
ORDERS say how large the large one is (100,000 and a million: then it writes the table of docs/performance.md);
EXPLAIN=1 prints how PostgreSQL goes about the queries.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

FEW = 50
FULL = {"PRODUCTS": 100_000, "ORDERS": 1_000_000}
ROUNDS = 15
PAGES = {
    "home": "/",
    "category": "/c/table/",
    "category by price": "/c/table/?sort=price",
    "category narrowed": "/c/table/?kind=Moss&stock=1&max=90",
    "category, page 25": "/c/table/?page=25",
    "everything, best rated": "/search/?sort=rating",
    "search, a twentieth matches": "/search/?q=lamp",
    "search, everything matches": "/search/?q=made+up",
    "search, one match": "/search/?q=tide+mug",
    "search by price": "/search/?q=oak&sort=price",
    "search misspelt": "/search/?q=candelstick",
    "search for nonsense": "/search/?q=xqzvw+qqq",
    "suggestions": "/search/suggestions/?q=la",
    "product": "/p/tide-mug/",
    "related": "/p/tide-mug/related/",
    "reviews": "/p/tide-mug/reviews/",
    "API, products": "/api/v1/products/",
    "API, search": "/api/v1/products/?search=lamp",
}


@contextmanager
def database(name: str) -> Iterator[None]:
    from django.db import connection, connections  # noqa: PLC0415 -- needs Django, as below

    usual = connection.settings_dict["NAME"]
    connections.close_all()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = usual


def fill(*, products: int, orders: int) -> float:
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    from shop import demo_bulk, demo_data  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    demo_data.seed()
    started = time.monotonic()
    demo_bulk.fill(products=products, orders=orders)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
    return time.monotonic() - started


def look(pages: Mapping[str, str], *, explain: bool = False) -> dict[str, float]:
    """Milliseconds that each page takes to be made."""
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    client, taken = Client(), {}
    for name, path in pages.items():
        started = time.perf_counter()
        answer = client.get(path, headers={"Host": "127.0.0.1"}, follow=True)
        taken[name] = 1000 * (time.perf_counter() - started)
        assert answer.status_code == 200, (path, answer.status_code)
        if explain:
            with CaptureQueriesContext(connection) as captured:
                client.get(path, headers={"Host": "127.0.0.1"})
            print(f"\n{name}: {len(captured)} queries")
            with connection.cursor() as cursor:
                for query in captured.captured_queries:
                    cursor.execute("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + query["sql"])
                    plan = [line for (line,) in cursor.fetchall()]
                    print("  " + query["sql"][:120], *plan, sep="\n      ")
    return taken


def compare() -> list[list[str]]:
    """Let both shops take turns: of each page the medians of its milliseconds in either, and their ratio."""
    sides: dict[str, dict[str, list[float]]] = {"shelf_few": {}, "shelf_many": {}}
    for side in sides:
        with database(side):
            look(PAGES)
    for _ in range(ROUNDS):
        for side, figures in sides.items():
            with database(side):
                for name, milliseconds in look(PAGES).items():
                    figures.setdefault(name, []).append(milliseconds)
    rows = []
    for name in PAGES:
        few, more = (statistics.median(figures[name]) for figures in sides.values())
        rows.append([name, f"{few:.1f}", f"{more:.1f}", f"{more / few:.2f}"])
    return rows


def main() -> int:
    from bench import servers  # noqa: PLC0415 -- before Django, which it prepares

    os.environ["PAGE_CACHE_SECONDS"] = "0"
    servers.prepare_environment()
    import django  # noqa: PLC0415 -- the environment is ready now

    django.setup()
    from django.db import connection  # noqa: PLC0415

    from bench import pages  # noqa: PLC0415
    from bench.measurements import PAGE  # noqa: PLC0415

    products, orders = (int(os.environ.get(name, size)) for name, size in FULL.items())
    names = ("shelf_few", "shelf_many")
    try:
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                cursor.execute(f"CREATE DATABASE {name}")
        with database("shelf_few"):
            fill(products=FEW, orders=0)
        with database("shelf_many"):
            seconds = fill(products=products, orders=orders)
            print(f"{products:,} products and {orders:,} orders in {seconds:.0f} s.")
            if os.environ.get("EXPLAIN"):
                look(PAGES, explain=True)
        load = os.getloadavg()[0]
        titles = ["page", f"ms, {FEW} products", f"ms, {products:,} products", "times"]
        table = pages.table(titles, compare())
        print(f"\n{table}")
        if products >= FULL["PRODUCTS"] and orders >= FULL["ORDERS"]:
            said = f"{products:,} products and {orders:,} orders; the load average was {load:.1f} when it began.\n\n"
            pages.write(PAGE, {"pages": said + table}, run="shelves")
    finally:
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.close()
        servers.drop_databases()
    return 0


if __name__ == "__main__":
    sys.exit(main())
