"""What why_no_grad() is made of: the case, what was found, the verdicts, the values."""
