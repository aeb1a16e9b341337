"""Pages of the shop. A view parses, asks the shop one thing, and shows the answer."""
