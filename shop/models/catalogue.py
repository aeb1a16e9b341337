"""What is for sale."""

from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse

from shop import pictures
from shop.models.accounts import User
from shop.money import PRICE_DIGITS
from shop.paths import path_to


class TaxClass(models.TextChoices):
    """Which of a country's tax rates a product has."""

    STANDARD = "standard", "Standard"
    REDUCED = "reduced", "Reduced"
    ZERO = "zero", "Not taxed"


class Category(models.Model):
    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    description = models.TextField(blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:category", args=[self.slug])


#: What lists show: published, and with an active variant.
LISTED = Q(is_published=True, price_from__isnull=False)


class Product(models.Model):
    """A thing with one or more variants that can be bought.

    Lists are sorted and searched by columns that the database itself works out of the product's variants and
    approved reviews (migration 0006): no way of changing a price can forget them.
    """

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    summary = models.CharField(max_length=200, help_text="One sentence, shown in lists.")
    description = models.TextField(blank=True)
    details = models.TextField(blank=True, help_text="Material, care and dimensions.")
    tax_class = models.CharField(max_length=8, choices=TaxClass.choices, default=TaxClass.STANDARD)
    is_published = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    #: The lowest price of an active variant; None: there is none.
    price_from = models.DecimalField(
        max_digits=PRICE_DIGITS, decimal_places=2, null=True, editable=False
    )
    is_reduced = models.BooleanField(default=False, editable=False)
    rating = models.DecimalField(max_digits=3, decimal_places=2, default=0, editable=False)
    rating_count = models.PositiveIntegerField(default=0, editable=False)
    search = SearchVectorField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "name"]
        indexes = [
            GinIndex(fields=["search"], name="product_search"),
            *(
                models.Index(fields=[*within, *order], name=f"product_{name}", condition=LISTED)
                for name, within, order in (
                    ("newest", [], ["-created_at", "-id"]),
                    ("by_price", [], ["price_from", "id"]),
                    ("by_rating", [], ["-rating", "-rating_count", "-id"]),
                    ("newest_there", ["category"], ["-created_at", "-id"]),
                    ("by_price_there", ["category"], ["price_from", "id"]),
                    ("by_rating_there", ["category"], ["-rating", "-rating_count", "-id"]),
                )
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return path_to("shop:product", self.slug)

    def get_wish_url(self) -> str:
        return path_to("shop:wish", self.slug)

    @property
    def is_sold_out(self) -> bool:
        """Whether no variant can be bought; `catalogue.count_available` comes before it."""
        return all(variant.available == 0 for variant in self.variants.all())


class Variant(models.Model):
    """One way to have a product: what a SKU and a price belong to."""

    #: Fewer free units than this are told to the shopper.
    LOW_STOCK = 6
    #: Units free in the main pool; not a column: `catalogue.count_available` sets it.
    available: int
    #: The lowest price of the thirty days before it was reduced; `prices.tell_lowest` sets it.
    lowest_price: Decimal | None = None

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants")
    sku = models.CharField("SKU", max_length=64, unique=True)
    name = models.CharField(max_length=80, blank=True, help_text="Colour or size, if it has one.")
    price = models.DecimalField(
        max_digits=PRICE_DIGITS,
        decimal_places=2,
        validators=[MinValueValidator(0)],
        help_text="Tax included.",
    )
    compare_at_price = models.DecimalField(
        max_digits=PRICE_DIGITS, decimal_places=2, null=True, blank=True
    )
    weight_grams = models.PositiveIntegerField("weight (g)", default=500)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="variant_price_not_negative"),
            models.CheckConstraint(
                condition=Q(compare_at_price__isnull=True) | Q(compare_at_price__gt=F("price")),
                name="variant_compare_at_price_above_price",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def full_name(self) -> str:
        return f"{self.product.name}, {self.name}" if self.name else self.product.name

    @property
    def image(self) -> "ProductImage | None":
        """The variant's own picture, or the product's first."""
        images = list(self.product.images.all())
        own = (image for image in images if image.variant_id == self.pk)
        return next(own, images[0] if images else None)

    @property
    def stock_tier(self) -> str:
        """`sold_out`, `low` or `in_stock`."""
        if self.available == 0:
            return "sold_out"
        return "low" if self.available < self.LOW_STOCK else "in_stock"


class ProductImage(models.Model):
    """A picture. Smaller widths are made when it is saved, never while a shopper waits."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="images")
    variant = models.ForeignKey(
        Variant, on_delete=models.SET_NULL, null=True, blank=True, related_name="images"
    )
    file = models.ImageField(upload_to="products/", width_field="width", height_field="height")
    width = models.PositiveIntegerField(editable=False)
    height = models.PositiveIntegerField(editable=False)
    alt = models.CharField("text for those who cannot see it", max_length=200)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.alt

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        pictures.make_renditions(file=self.file)


class Review(models.Model):
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="reviews")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="reviews")
    rating = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(5)], help_text="One to five stars."
    )
    title = models.CharField(max_length=100)
    body = models.TextField(blank=True)
    is_approved = models.BooleanField(default=False, help_text="Only these are shown.")
    refusal = models.CharField(
        max_length=300, blank=True, help_text="Why it is not shown; its writer reads this."
    )
    decided_by = models.CharField(max_length=254, blank=True, editable=False)
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    written_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="When its writer last changed it."
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["product", "user"], name="review_one_per_shopper"),
            models.CheckConstraint(
                condition=Q(is_approved=False) | Q(refusal=""),
                name="review_shown_or_refused",
            ),
            models.CheckConstraint(
                condition=Q(rating__gte=1) & Q(rating__lte=5), name="review_rating_one_to_five"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rating}/5 {self.title}"

    @property
    def state(self) -> str:
        """`shown`, `refused` or `waiting` for somebody to read it."""
        if self.is_approved:
            return "shown"
        return "refused" if self.refusal else "waiting"


class SearchWord(models.Model):
    """A word of the names in the catalogue: what a misspelt one may have meant, and the beginning of one may become.

    `search.learn_words` keeps them.
    """

    word = models.CharField(max_length=40, primary_key=True)
    products = models.PositiveIntegerField(help_text="Products whose name has it.")
    best = ArrayField(
        models.BigIntegerField(), default=list, help_text="Ids of the first of these to suggest."
    )

    class Meta:
        indexes = [
            GinIndex(fields=["word"], name="search_word_trigrams", opclasses=["gin_trgm_ops"])
        ]

    def __str__(self) -> str:
        return self.word
