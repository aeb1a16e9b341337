"""A Redis client that is nothing but a socket, and many of them in a few processes.

`python -m bench.bare HOST PORT PASSWORD CONNECTIONS CALLS ...COMMAND` makes the calls and prints how long they took,
in seconds; `__rand_int__` in a word of the command becomes another number each time, as with redis-benchmark.
"""

import random
import socket
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import hiredis

RANDOM = b"__rand_int__"


class BareSocket:
    def __init__(self, host: str, port: int, password: str) -> None:
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = hiredis.Reader()
        if password:
            self.send(pack([b"AUTH", password.encode()]))
            self.receive()

    @classmethod
    def of_url(cls, url: str) -> "BareSocket":
        server = urlsplit(url)
        return cls(server.hostname or "", server.port or 0, server.password or "")

    def send(self, packed: bytes) -> None:
        self.socket.sendall(packed)

    def receive(self) -> object:
        while (answer := self.reader.gets()) is False:
            self.reader.feed(self.socket.recv(65536))
        if isinstance(answer, hiredis.ReplyError):
            raise answer
        return answer

    def call(self, words: Sequence[bytes]) -> object:
        self.send(pack(words))
        return self.receive()

    def close(self) -> None:
        self.socket.close()


def pack(words: Sequence[bytes]) -> bytes:
    """A command in the protocol's own form."""
    parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n" % len(words) + b"".join(parts)


def main(arguments: list[str]) -> None:
    host, port, password, connections, calls, *command = arguments
    # Both the word and what it becomes have twelve letters, so the lengths in the packed command stay true.
    pattern = pack([word.encode() for word in command])
    sockets = [BareSocket(host, int(port), password) for _ in range(int(connections))]
    started = time.perf_counter()
    for _ in range(int(calls) // len(sockets)):
        for each in sockets:
            each.send(pattern.replace(RANDOM, b"%012d" % random.randrange(10**9)))
        for each in sockets:
            each.receive()
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1:])
