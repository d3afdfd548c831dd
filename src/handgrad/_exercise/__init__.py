"""What an Exercise is made of: what it promises and which answers it reads."""
