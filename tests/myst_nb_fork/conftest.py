"""The small book that the tests of the executor build."""

from small_book import book, leftovers

__all__ = ["book", "leftovers"]
