"""The shop's settings with an empty view to measure against."""

from config.settings import *  # noqa: F403 -- all of them, and then the one that differs

ROOT_URLCONF = "bench.urls"
