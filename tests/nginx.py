"""A real nginx with deploy/nginx.conf, under a prefix of its own."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = Path(__file__).resolve().parent.parent / "deploy" / "nginx.conf"
NGINX_MISSING = (
    "there is no nginx here. Install one (on Debian and Ubuntu: apt-get install nginx-light)"
)
START_SECONDS = 10.0


def write_configuration(prefix: Path, *, listen: int, application: int) -> Path:
    """The shop's configuration with its two lines changed, as whoever deploys it does."""
    text = CONFIGURATION.read_text()
    for line, changed in (
        ("listen 8080;", f"listen 127.0.0.1:{listen};"),
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{application};"),
    ):
        assert text.count(line) == 1, line
        text = text.replace(line, changed)
    path = prefix / "nginx.conf"
    path.write_text(text)
    return path


@contextmanager
def running_nginx(prefix: Path, *, application: int) -> Iterator[str]:
    """Serve an application that listens at a local port; gives the address. The files are below `prefix`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
    path = write_configuration(prefix, listen=port, application=application)
    # Whoever starts it as root would have workers that may not read the prefix.
    who = "user root; " if os.geteuid() == 0 else ""
    command = ["nginx", "-p", str(prefix), "-c", str(path), "-g", f"daemon off; {who}"]
    with subprocess.Popen(command) as server:
        try:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, "nginx did not start"
            time.sleep(0.05)
        else:
            return
