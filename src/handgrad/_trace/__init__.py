"""What trace() is made of: the walk, the structure, the sweep, names and evidence."""
