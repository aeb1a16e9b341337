"""`make bench`: measure on servers of its own, print a table, write var/bench/summary.json."""

import sys

from bench import servers, size


def main() -> int:
    servers.prepare_environment()
    import django  # noqa: PLC0415 -- the environment is ready now

    django.setup()
    from bench import measurements  # noqa: PLC0415 -- needs Django

    return measurements.everything(size.wanted())


if __name__ == "__main__":
    sys.exit(main())
