"""The demonstration's mailbox: what was written, newest first; never in production, and nothing but mails."""

from pathlib import Path

import pytest
from django.core import mail as outgoing
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db
FILES = "django.core.mail.backends.filebased.EmailBackend"


@pytest.fixture(autouse=True)
def kept(settings: Settings, tmp_path: Path) -> Path:
    settings.EMAIL_BACKEND = FILES
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.EMAIL_FILE_PATH.mkdir()
    return Path(settings.EMAIL_FILE_PATH)


def write(to: str, subject: str, *, html: str = "") -> EmailMultiAlternatives:
    message = EmailMultiAlternatives(subject, f"Dear {to}, żółć\n-- \nWe", "shop@example.com", [to])
    if html:
        message.attach_alternative(html, "text/html")
    return message


def send(*messages: EmailMultiAlternatives) -> None:
    """Over one connection, so into one file."""
    with outgoing.get_connection(FILES) as connection:
        connection.send_messages(list(messages))


def links(body: str) -> list[str]:
    return [part.partition('"')[0] for part in body.split('class="mail-link" href="')[1:]]


def test_mails_are_listed_the_newest_first_and_by_address(client: Client) -> None:
    send(write("ada@example.com", "First"), write("bob@example.com", "Second"))
    body = client.get("/mailbox/").content.decode()
    assert body.index("Second") < body.index("First")
    body = client.get("/mailbox/?q=ADA@").content.decode()
    assert "First" in body
    assert "Second" not in body


def test_a_mail_is_read_as_text_and_as_html_in_a_frame_that_runs_nothing(client: Client) -> None:
    send(write("ada@example.com", "Hello", html="<head></head><p>Hello <script>x</script></p>"))
    (link,) = links(client.get("/mailbox/").content.decode())
    page = client.get(link)
    assert "żółć" in page.content.decode()
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.content.decode()
    frame = client.get(f"{link}html/")
    assert "<p>Hello <script>x</script></p>" in frame.content.decode()
    assert "default-src 'none'" in frame["Content-Security-Policy"]
    assert frame["X-Frame-Options"] == "SAMEORIGIN"


def test_every_mail_of_a_file_is_its_own(client: Client) -> None:
    send(*[write("ada@example.com", f"Number {number}") for number in range(3)])
    found = links(client.get("/mailbox/").content.decode())
    assert len(set(found)) == 3
    for link, number in zip(found, (2, 1, 0), strict=True):
        assert f"<h1>Number {number}</h1>" in client.get(link).content.decode()


def test_an_empty_mailbox_says_so(client: Client) -> None:
    assert "No mail yet" in client.get("/mailbox/").content.decode()


@pytest.mark.parametrize(
    "path",
    ["secrets.log/0/", "..%2Fsecrets.log/0/", "20260101-000000-1.log/0/", "%2Fetc%2Fpasswd/0/"],
)
def test_nothing_but_mails_is_read(client: Client, kept: Path, path: str) -> None:
    (kept / "secrets.log").write_text("Subject: secret\n\nsecret")
    (kept.parent / "secrets.log").write_text("Subject: secret\n\nsecret")
    for end in ("", "html/"):
        assert client.get(f"/mailbox/{path}{end}").status_code == 404


@pytest.mark.parametrize(
    "change",
    [{"PRODUCTION": True}, {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend"}],
)
def test_where_mails_really_go_out_there_is_no_mailbox(
    client: Client, settings: Settings, change: dict[str, object]
) -> None:
    send(write("ada@example.com", "Hello"))
    (link,) = links(client.get("/mailbox/").content.decode())
    for name, value in change.items():
        setattr(settings, name, value)
    for path in ("/mailbox/", link, f"{link}html/"):
        assert client.get(path).status_code == 404
