"""How the pages of the front door find a sale and send people on."""

from django.http import Http404, HttpResponseRedirect

from flashsale.sales import SaleInfo, find


def sale_or_404(slug: str) -> SaleInfo:
    sale = find(slug)
    if sale is None:
        raise Http404("There is no such sale.")
    return sale


def see(url: str) -> HttpResponseRedirect:
    """303: look there with GET, so that a reload posts nothing again."""
    return HttpResponseRedirect(url, status=303)
