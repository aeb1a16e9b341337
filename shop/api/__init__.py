"""The shop's part of the JSON API."""
