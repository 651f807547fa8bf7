"""Networks trained from scratch, as the papers have them."""
