"""The filter by kind of pool: what anybody may have, and what is kept for a purpose."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from inventory.models import Stock


class PoolKindFilter(admin.SimpleListFilter):
    """For the stock itself; `path` leads to a stock row's pool from elsewhere."""

    title = "pool"
    parameter_name = "pool_kind"
    path = "pool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("main", "Main"), ("ring-fenced", "Ring-fenced")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        in_main = {self.path: Stock.MAIN}
        match self.value():
            case "main":
                return queryset.filter(**in_main)
            case "ring-fenced":
                return queryset.exclude(**in_main)
        return queryset


class PoolKindOfStockFilter(PoolKindFilter):
    path = "stock__pool"
