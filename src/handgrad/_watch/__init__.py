"""What watch() is made of: walls, calls, their lines, and how to rewrite them."""
