"""The book in other forms: notebooks, EPUB, PDF."""
