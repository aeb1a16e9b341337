"""Reviews of a product: the panel on its page, a page of their own, and one's own review."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from shop import catalogue, reviews
from shop.forms import ReviewForm
from shop.models import Product, Review, User
from shop.ratelimits import Limit, by_account, by_address, limited
from shop.views.fragments import is_for_a_script

#: Reviews and changes of them that somebody may send; each is read by a person.
REVIEW_LIMITS = (Limit("10/h", by_account), Limit("30/h", by_address))


@never_cache
@require_safe
def product_reviews(request: HttpRequest, slug: str) -> HttpResponse:
    """A page of its own; the panel with the newest for the product's page, whose script asks for it."""
    found = _product(slug)
    summary = reviews.summary(product=found)
    paginator = Paginator(reviews.shown(product=found), reviews.PER_PAGE)
    paginator.count = summary.count
    is_page = not is_for_a_script(request)
    standing = reviews.standing(user=request.user, product=found)
    context = {
        "product": found,
        "reviews": paginator.get_page(request.GET.get("page")),
        "summary": summary,
        "standing": standing,
        "form": _form(standing.own) if standing.why_not is None else None,
        "is_page": is_page,
    }
    template = "shop/reviews_page.html" if is_page else "shop/fragments/reviews.html"
    return render(request, template, context)


@never_cache
@login_required
@limited("review", *REVIEW_LIMITS)
@require_http_methods(["GET", "POST"])
def write(request: HttpRequest, slug: str) -> HttpResponse:
    found = _product(slug)
    assert isinstance(request.user, User)  # noqa: S101 -- what login_required means
    back = reverse("shop:product-reviews", args=[slug])
    standing = reviews.standing(user=request.user, product=found)
    if request.POST.get("action") == "remove":
        if reviews.remove(user=request.user, product=found):
            messages.success(request, _("Your review is gone."))
        return HttpResponseRedirect(back)
    form = _form(standing.own, request)
    if standing.why_not is None and form.is_valid():
        reviews.write(user=request.user, product=found, **form.cleaned_data)
        messages.success(request, _("Thank you. Your review is shown once somebody has read it."))
        return HttpResponseRedirect(back)
    context = {"product": found, "standing": standing, "form": form}
    if standing.why_not is not None:
        return render(request, "shop/review_form.html", context, status=403)
    status = 422 if request.method == "POST" else 200
    return render(request, "shop/review_form.html", context, status=status)


def _product(slug: str) -> Product:
    return get_object_or_404(catalogue.published().prefetch_related(None), slug=slug)


def _form(own: Review | None, request: HttpRequest | None = None) -> ReviewForm:
    data = request.POST if request is not None and request.method == "POST" else None
    return ReviewForm(data, instance=own)


urlpatterns = [
    path("p/<slug:slug>/reviews/", product_reviews, name="product-reviews"),
    path("p/<slug:slug>/reviews/write/", write, name="review-write"),
]
