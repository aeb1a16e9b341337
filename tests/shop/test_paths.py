import pytest
from django.urls import reverse

from shop.paths import path_to


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("shop:product", "tide-mug"),
        ("shop:wish", "tide_mug-2"),
        ("api:purchase", "8a1f3c52-0b64-4c7e-9d3a-5e2f7b1c0d9e"),
    ],
)
def test_a_path_is_the_one_that_django_would_look_up(name: str, word: str) -> None:
    for _ in range(2):
        assert path_to(name, word) == reverse(name, args=[word])
