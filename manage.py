#!/usr/bin/env python
"""Django's commands. Those that need the servers find them running."""

import os
import sys

from django.core.management import execute_from_command_line

from config import embedded
from config.servers import EmbeddedServerError

#: They touch no database, and should not wait for one.
COMMANDS_WITHOUT_SERVERS = {
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "sendtestemail",
    "spectacular",
    "startapp",
    "startproject",
    "version",
}


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    command = next((word for word in arguments[1:] if not word.startswith("-")), "help")
    asks_for_help = {"-h", "--help", "--version"} & set(arguments)
    if command not in COMMANDS_WITHOUT_SERVERS and not asks_for_help:
        try:
            embedded.prepare_environment()
        except EmbeddedServerError as error:
            sys.exit(str(error))
    execute_from_command_line(arguments)


if __name__ == "__main__":
    main(sys.argv)
