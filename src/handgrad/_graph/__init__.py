"""What a Graph is made of: plain data, text, products and ways through it."""
