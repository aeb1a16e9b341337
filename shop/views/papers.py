"""An order's papers as files to keep."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from shop import documents
from shop.documents import Document
from shop.views.orders import own_order


def paper(document: Document | None) -> HttpResponse:
    """The file, or 404 when there is no such paper (yet)."""
    if document is None:
        raise Http404("There is no such paper.")
    # Not with the module: it takes a third of a second, and every process of the shop would pay for it.
    from shop import document_pdf  # noqa: PLC0415

    name = f'inline; filename="{slugify(document.title)}.pdf"'
    return HttpResponse(
        document_pdf.draw(document),
        content_type="application/pdf",
        headers={"Content-Disposition": name},
    )


@never_cache
@require_safe
def invoice(request: HttpRequest, reference: str) -> HttpResponse:
    return paper(documents.invoice_of(own_order(request, reference)))


@never_cache
@require_safe
def credit_note(request: HttpRequest, reference: str, pk: UUID) -> HttpResponse:
    refund = own_order(request, reference).refunds.filter(pk=pk).first()
    return paper(None if refund is None else documents.credit_note_of(refund))


urlpatterns = [
    path("orders/<str:reference>/invoice.pdf", invoice, name="order-invoice"),
    path("orders/<str:reference>/credit-note/<uuid:pk>.pdf", credit_note, name="order-credit-note"),
]
