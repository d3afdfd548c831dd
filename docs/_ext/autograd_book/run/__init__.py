"""What cells have left behind when a page is read: records, and counts of them."""
