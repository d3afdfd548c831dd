"""What the witness is made of: forward formulas and slopes."""
