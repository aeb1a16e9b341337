"""What the demo is made of: goods, people and their orders, as plain rows. `shop.demo_data` makes them."""
