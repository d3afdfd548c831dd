"""What a Comparison is made of: rows, digits, the table."""
