"""What ``peel`` is made of: layers taken together."""
