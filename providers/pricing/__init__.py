"""The price book: list prices, discounts, and what one request costs."""
