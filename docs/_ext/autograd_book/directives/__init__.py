"""What a chapter may hold besides text, figures and cells."""
