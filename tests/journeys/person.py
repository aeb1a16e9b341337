"""Somebody with a browser that knows no JavaScript: pages, links and forms over HTTP, as they come.

Forms are sent with all that the page put into them, the CSRF field among it, so a field that a page lacks is
missed here as it would be by a person.
"""

import html
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

PATIENCE_SECONDS = 30


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Collects a page's forms and links."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self._form: Form | None = None
        self._select = ""
        self._textarea = ""
        self._link: str | None = None
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self._link, self._words = given["href"], ""
        elif tag == "form":
            self._form = Form(action=given.get("action", ""))
            self.forms.append(self._form)
        elif self._form is not None:
            self._start_field(self._form, tag, given)

    def _start_field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        kind = given.get("type", "text")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            form.fields[self._select] = value
        elif tag == "textarea":
            self._textarea = name
            form.fields[name] = ""
        elif (tag == "input" and kind == "submit") or tag == "button":
            form.buttons[name] = value
        elif tag == "input" and name and (kind not in ("radio", "checkbox") or "checked" in given):
            form.fields[name] = value

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self._words += data
        if self._textarea and self._form is not None:
            self._form.fields[self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            self.links.setdefault(" ".join(self._words.split()), self._link)
            self._link = None
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""


class Page:
    def __init__(self, answer: httpx.Response) -> None:
        reader = _Reader()
        reader.feed(answer.text)
        self.status = answer.status_code
        self.url = str(answer.url)
        self.path = answer.url.path
        self.html = answer.text
        self.links = reader.links
        self.forms = reader.forms

    @property
    def text(self) -> str:
        """What is read on the page, in one line."""
        without_tags = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", self.html, flags=re.DOTALL)
        return " ".join(html.unescape(without_tags).split())

    @property
    def heading(self) -> str:
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.html, flags=re.DOTALL)
        return html.unescape(" ".join(found[1].split())) if found else ""

    def form(self, action: str) -> Form:
        """The form whose address ends with `action`; a form without one is sent to its own page."""
        for form in self.forms:
            if urljoin(self.url, form.action).partition("?")[0].endswith(action):
                return form
        raise AssertionError(f"No form for {action} on {self.url}, but {self.forms}: {self.text}")


class Person:
    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, follow_redirects=True, timeout=20)

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def visit(self, path: str) -> Page:
        return Page(self.http.get(path))

    def follow(self, page: Page, link: str) -> Page:
        assert link in page.links, f"No link {link!r} on {page.url}, but {sorted(page.links)}"
        return self.visit(urljoin(page.url, page.links[link]))

    def send(self, page: Page, action: str, **changes: object) -> Page:
        """Fill in a form of the page and send it."""
        form = page.form(action)
        answer = self.http.post(
            urljoin(page.url, form.action),
            data=form.fields | {name: str(value) for name, value in changes.items()},
            headers={"Referer": page.url},
        )
        return Page(answer)

    def reload_until(self, page: Page, wanted: Callable[[Page], object]) -> Page:
        """Look again, as a page without JavaScript does by itself."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not wanted(page):
            assert time.monotonic() < deadline, f"{page.url} still says: {page.text}"
            time.sleep(0.2)
            page = self.visit(page.path)
        return page
