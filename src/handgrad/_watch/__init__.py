"""What watch() is made of: calls, lines and the rewriting of them."""
