"""`make demo`: what it refuses."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config import demo

ROOT = Path(demo.__file__).resolve().parent.parent


def refusal(**environment: str) -> str:
    """What `python -m config.demo` says when it refuses to start."""
    refused = subprocess.run(
        [sys.executable, "-m", "config.demo"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert refused.returncode == 1
    assert refused.stdout == ""
    return refused.stderr


def test_a_busy_port_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert refusal(PORT=port, HOLDFAST_ENV="demo") == (
            f"Port {port} cannot be used here: Address already in use. "
            "Choose another, such as PORT=9000 make demo\n"
        )


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_that_is_none_is_a_clear_error(port: str) -> None:
    said = refusal(PORT=port, HOLDFAST_ENV="demo")
    assert said == f"PORT is {port!r}: set it to a number from 1 to 65535.\n"


def test_the_demo_does_not_run_in_production() -> None:
    said = refusal(PORT="8000", HOLDFAST_ENV="production")
    assert said == "HOLDFAST_ENV is production, and a real shop is no place for a demo.\n"


def test_a_second_demo_is_refused_and_told_where_the_first_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "VAR", tmp_path)
    with (
        demo._alone("http://127.0.0.1:8000"),
        pytest.raises(demo.DemoError, match=r"http://127\.0\.0\.1:8000/, process \d+"),
        demo._alone("http://127.0.0.1:9000"),
    ):
        pass
    with demo._alone("http://127.0.0.1:9000"):
        assert (tmp_path / "run" / "demo.lock").read_text().startswith("http://127.0.0.1:9000/")
