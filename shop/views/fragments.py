"""Optional panels at addresses of their own: a page is complete without them, so load shedding drops them first."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop import catalogue, pages, search

#: Products that somebody looked at lately, as their browser remembers them.
RECENT = 4


def is_for_a_script(request: HttpRequest) -> bool:
    """Whether a script of ours asks, which has a page to put the answer into; else somebody opened the address."""
    return request.headers.get("X-Requested-With") == "fetch"


@require_safe
@pages.shared
def related(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(catalogue.published().prefetch_related(None), slug=slug)
    context = {"products": catalogue.related(product=found)}
    return render(request, "shop/fragments/related.html", context)


@require_safe
@pages.shared
def recent(request: HttpRequest) -> HttpResponse:
    """The products that the address names: which these are is known to the browser alone."""
    slugs = [slug[:50].replace("\x00", "") for slug in request.GET.getlist("p")]
    context = {"products": catalogue.by_slugs(slugs=list(dict.fromkeys(slugs))[:RECENT])}
    return render(request, "shop/fragments/recent.html", context)


@require_safe
@pages.shared
def suggestions(request: HttpRequest) -> HttpResponse:
    """What somebody who is still typing into the search may mean: the options of a list box."""
    query = search.clean(request.GET.get("q", ""))
    context = {"query": query, "suggestions": search.suggest(query=query)}
    return render(request, "shop/fragments/suggestions.html", context)


@never_cache
@require_safe
def personal(request: HttpRequest) -> HttpResponse:
    """What pages that are the same for everybody leave out: the shopper's account and cart, and what they are told."""
    return render(request, "shop/fragments/personal.html")
