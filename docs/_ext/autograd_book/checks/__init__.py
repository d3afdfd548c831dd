"""What stops the build."""
