"""The counter: catalogue, carts, checkout, orders, payments, accounts, reviews.

Invariant kept here: nobody is charged for a unit that is not reserved for them, and an order changes state
only by a conditional UPDATE. The room sells at the price it is given and knows nothing of sales or load.
"""
