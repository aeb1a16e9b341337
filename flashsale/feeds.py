"""The sales as a feed, for those who would rather be told."""

from datetime import datetime

from django.conf import settings
from django.contrib.syndication.views import Feed
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import cache_control
from django.views.decorators.vary import vary_on_headers

from flashsale.models import Sale

#: Sales in the feed: the newest.
MOST = 20
#: Seconds for which caches may keep it.
KEPT_SECONDS = 300


class Sales(Feed[Sale, object]):
    """Sales that anybody may see, the one that opens last first; a rehearsal is nobody's business."""

    description = gettext_lazy("Small editions, sold once and fairly.")

    def title(self) -> str:
        return gettext("%(shop)s: sales") % {"shop": settings.SHOP_NAME}

    def link(self) -> str:
        return settings.SITE_URL + reverse("flashsale:sales")

    def feed_url(self) -> str:
        return settings.SITE_URL + reverse("flashsale:feed")

    def items(self) -> QuerySet[Sale]:
        shown = Sale.objects.exclude(status__in=[Sale.Status.DRAFT, Sale.Status.CANCELLED])
        return shown.filter(is_rehearsal=False).order_by("-opens_at")[:MOST]

    def item_title(self, item: Sale) -> str:
        return item.name

    def item_description(self, item: Sale) -> str:
        opens = f"{localtime(item.opens_at):%Y-%m-%d %H:%M %Z}"
        return gettext("Opens %(time)s. %(tagline)s") % {"time": opens, "tagline": item.tagline}

    def item_link(self, item: Sale) -> str:
        return settings.SITE_URL + item.get_absolute_url()

    def item_guid(self, item: Sale) -> str:
        return self.item_link(item)

    def item_pubdate(self, item: Sale) -> datetime:
        return item.created_at


#: It speaks the reader's language, so a cache keeps one for each.
feed = vary_on_headers("Accept-Language", "Cookie")(
    cache_control(public=True, max_age=KEPT_SECONDS)(Sales())
)
