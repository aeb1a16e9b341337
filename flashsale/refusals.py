"""What a shopper is told when a click on Buy is refused, and the status of the answer."""

from django.utils.translation import gettext_lazy as _

from flashsale.buying import Refusal

REFUSALS = {
    Refusal.SOLD_OUT: (
        _("All units are taken"),
        _(
            "Every unit is sold or held for somebody who is paying. A hold that is not paid comes back: "
            "stay in line, and you may still get one."
        ),
    ),
    Refusal.LIMIT_REACHED: (
        _("You have your share already"),
        _("This sale has a limit per shopper, and you have reached it."),
    ),
    Refusal.NOT_OPEN: (
        _("The sale is not open"),
        _("Nothing was taken. Come back when it is open."),
    ),
    Refusal.UNKNOWN_ITEM: (_("This is not in the sale"), _("Choose one of the things that are.")),
    Refusal.BAD_QUANTITY: (_("How many?"), _("Choose a whole number of at least one.")),
    Refusal.KEY_REUSED: (
        _("This click was used already"),
        _(
            "It bought something else before, and nothing more was taken. Start again to buy this as well."
        ),
    ),
    Refusal.ACCOUNT_CLOSED: (
        _("This account is closed"),
        _("It cannot buy any more, and nothing was taken. Sign in with another account."),
    ),
    Refusal.BUSY: (
        _("One moment"),
        _("We could not take your click just now, and nothing was taken. Please try again."),
    ),
}
#: A conflict with what others took or what the shopper has, unless it says something else.
REFUSAL_STATUS = {
    Refusal.UNKNOWN_ITEM: 404,
    Refusal.BAD_QUANTITY: 400,
    Refusal.KEY_REUSED: 422,
    Refusal.ACCOUNT_CLOSED: 403,
    Refusal.BUSY: 503,
}
