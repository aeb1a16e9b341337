"""deploy/nginx.conf in a real nginx, in front of an application that counts what reaches it."""

import asyncio
import gzip
import os
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from flashsale.line_document import CACHE_CONTROL
from tests.nginx import NGINX_MISSING, running_nginx

pytestmark = pytest.mark.nginx

LINE = "/api/v1/sales/evening/line/"
LINE_OF_COOKIES = "/api/v1/sales/cookies/line/"


class Application(ThreadingHTTPServer):
    """Answers as the shop does, and remembers who asked for what."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.cache_control = CACHE_CONTROL
        self.seconds = 0.0
        self.status = 200
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def die(self) -> None:
        """Nobody listens any more, and the connections that nginx keeps are closed."""
        self.shutdown()
        self.socket.close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Application

    def do_GET(self) -> None:
        number = sum(self.server.asked.values()) + 1
        self.server.asked[self.path] += 1
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        time.sleep(self.server.seconds)
        content = f'{{"number": {number}}}'.encode()
        etag = f'"{number}"' if self.path != LINE else '"same"'
        is_known = self.headers.get("If-None-Match") == etag
        self.send_response(304 if is_known else self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", etag)
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.path.endswith("/line/"):
            self.send_header("Cache-Control", self.server.cache_control)
        else:
            self.send_header("Cache-Control", "public, max-age=60")
        if self.path == LINE_OF_COOKIES:
            self.send_header("Set-Cookie", f"secret={number}")
        self.send_header("Content-Length", "0" if is_known else str(len(content)))
        self.end_headers()
        if not is_known:
            self.wfile.write(content)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: what was asked is counted."""


@pytest.fixture(scope="module", autouse=True)
def nginx() -> str:
    path = shutil.which("nginx")
    if path is None:
        if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
            pytest.fail(NGINX_MISSING, pytrace=False)
        pytest.skip(NGINX_MISSING)
    return path


@pytest.fixture
def application() -> Iterator[Application]:
    with Application() as application:
        thread = threading.Thread(target=application.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield application
        application.shutdown()


@pytest.fixture
def client(application: Application, tmp_path: Path) -> Iterator[httpx.Client]:
    with (
        running_nginx(tmp_path, application=application.port) as url,
        httpx.Client(base_url=url) as client,
    ):
        yield client


def numbers_of(answers: list[httpx.Response]) -> set[int]:
    return {answer.json()["number"] for answer in answers}


def test_nginx_accepts_the_configuration_as_it_is(nginx: str, tmp_path: Path) -> None:
    configuration = Path(__file__).parents[2] / "deploy" / "nginx.conf"
    done = subprocess.run(
        [nginx, "-t", "-p", tmp_path, "-c", configuration], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


def test_two_hundred_polls_at_once_reach_the_application_a_few_times_at_most(
    client: httpx.Client, application: Application
) -> None:
    application.seconds = 0.05

    async def poll() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=client.base_url, limits=limits, timeout=20) as crowd:
            return await asyncio.gather(
                *(
                    crowd.get(LINE, params={"n": n}, headers={"Cookie": f"sessionid={n}"})
                    for n in range(200)
                )
            )

    started = time.monotonic()
    answers = asyncio.run(poll())
    assert {answer.status_code for answer in answers} == {200}
    assert application.asked.total() <= 2 + (time.monotonic() - started)
    assert numbers_of(answers) <= set(range(1, application.asked.total() + 1))


def test_a_poll_a_second_later_is_given_a_new_document(
    client: httpx.Client, application: Application
) -> None:
    first = client.get(LINE.replace("evening", "morning"))
    time.sleep(2.1)
    second = client.get(LINE.replace("evening", "morning"))
    assert [answer.json() for answer in (first, second)] == [{"number": 1}, {"number": 2}]


def test_a_poll_is_spared_what_protects_pages_but_for_the_word_that_it_is_json(
    client: httpx.Client, application: Application
) -> None:
    poll, page = client.get(LINE), client.get("/sales/evening/")
    assert "Content-Security-Policy" not in poll.headers
    assert "Content-Security-Policy" in page.headers
    assert [answer.headers["X-Content-Type-Options"] for answer in (poll, page)] == ["nosniff"] * 2


def test_who_has_the_document_is_told_so_and_the_application_is_asked_whether_it_changed(
    client: httpx.Client, application: Application
) -> None:
    client.get(LINE)
    again = client.get(LINE, headers={"If-None-Match": '"same"'})
    assert (again.status_code, again.content) == (304, b"")
    assert application.asked == {LINE: 1}
    time.sleep(2.1)
    assert client.get(LINE).json() == {"number": 1}
    assert application.headers[-1]["if-none-match"] == '"same"'
    assert application.asked == {LINE: 2}


def test_the_application_does_not_learn_who_polls(
    client: httpx.Client, application: Application
) -> None:
    client.get(LINE, headers={"Cookie": "sessionid=1", "Authorization": "Token 1"})
    assert not {"cookie", "authorization"} & application.headers[0].keys()


@pytest.mark.parametrize(
    "path", ["/", "/sales/evening/line/", "/api/v1/sales/evening/", "/api/v1/sales/evening/line"]
)
def test_another_route_is_never_kept(
    client: httpx.Client, application: Application, path: str
) -> None:
    answers = [client.get(path, headers={"Cookie": "sessionid=1"}) for _ in range(3)]
    assert numbers_of(answers) == {1, 2, 3}
    assert {headers["cookie"] for headers in application.headers} == {"sessionid=1"}


def test_a_post_to_the_line_document_is_not_kept(
    client: httpx.Client, application: Application
) -> None:
    answers = [client.post(LINE, content=b"x") for _ in range(2)]
    assert numbers_of(answers) == {1, 2}


def test_a_cookie_is_given_to_nobody_else(client: httpx.Client, application: Application) -> None:
    answers = [client.get(LINE_OF_COOKIES) for _ in range(2)]
    assert [answer.headers["Set-Cookie"] for answer in answers] == ["secret=1", "secret=2"]


def test_while_the_application_is_down_the_last_document_is_served_for_as_long_as_it_said(
    client: httpx.Client, application: Application
) -> None:
    application.cache_control = "public, max-age=1, stale-if-error=3"
    document = client.get(LINE).json()
    application.die()
    time.sleep(2.1)
    late = client.get(LINE)
    assert (late.status_code, late.json()) == (200, document)
    assert late.headers["X-Cache"] == "STALE"
    time.sleep(3)
    assert client.get(LINE).status_code == 503


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_while_the_application_is_down_people_and_programs_are_told_that_it_passes(
    client: httpx.Client, application: Application, tmp_path: Path, method: str
) -> None:
    (tmp_path / "static").mkdir()
    shutil.copy(settings.BASE_DIR / "static" / "away.html", tmp_path / "static")
    application.die()
    page = client.request(method, "/checkout/")
    problem = client.request(method, "/api/v1/sales/evening/purchases/")
    for answer in (page, problem):
        assert answer.status_code == 503
        assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("5", "no-store")
    assert page.headers["Content-Type"] == "text/html"
    assert "Nothing is lost" in page.text
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert (problem.json()["status"], problem.json()["code"]) == (503, "busy")


def test_an_error_of_the_applications_own_is_passed_on_as_it_is(
    client: httpx.Client, application: Application
) -> None:
    application.status = 502
    assert client.get("/").json() == {"number": 1}


def test_the_shop_says_how_long_its_document_may_be_used_while_it_does_not_answer() -> None:
    said = dict(part.strip().partition("=")[::2] for part in CACHE_CONTROL.split(","))
    assert said["max-age"] == "1"
    assert 1 < int(said["stale-if-error"]) <= 60


def test_where_a_request_comes_from_is_what_nginx_says_and_not_the_client(
    client: httpx.Client, application: Application
) -> None:
    forged = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "for=203.0.113.7",
        "Host": "shop.example:8443",
    }
    for path in ("/", LINE):
        client.get(path, headers=forged)
        said = application.headers[-1]
        assert (said["x-forwarded-for"], said["x-forwarded-proto"]) == ("127.0.0.1", "http")
        assert not {"x-forwarded-host", "forwarded"} & said.keys()
        assert said["host"] == "shop.example:8443"


def test_connections_to_the_application_are_kept(
    client: httpx.Client, application: Application
) -> None:
    for _ in range(3):
        client.get("/")
    assert {headers.get("connection") for headers in application.headers} == {None}


@pytest.mark.parametrize(("path", "kilobytes", "status"), [("/", 65, 413), ("/admin/", 65, 200)])
def test_a_body_has_a_size_at_most(
    client: httpx.Client, application: Application, path: str, kilobytes: int, status: int
) -> None:
    assert client.post(path, content=b"x" * kilobytes * 1024).status_code == status


def test_files_with_a_hash_in_their_name_are_kept_for_good_and_others_are_not(
    client: httpx.Client, application: Application, tmp_path: Path
) -> None:
    (tmp_path / "static" / "js").mkdir(parents=True)
    for name in ("line.0123456789ab.js", "line.js"):
        (tmp_path / "static" / "js" / name).write_text("line")
    with gzip.open(tmp_path / "static" / "js" / "line.js.gz", "wb") as packed:
        packed.write(b"packed")
    hashed, plain = (
        client.get(f"/static/js/{name}") for name in ("line.0123456789ab.js", "line.js")
    )
    assert hashed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert hashed.headers["Content-Type"] == "text/javascript"
    assert plain.headers["Cache-Control"] == "public, max-age=60"
    assert (hashed.text, plain.text) == ("line", "packed")
    assert client.get("/static/../nginx.pid").status_code == 200  # is the application's: /nginx.pid
    assert client.get("/static/%2e%2e/nginx.pid").json()["number"] == 2
    assert client.get("/static/nothing.js").status_code == 404
