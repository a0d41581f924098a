"""What shows jobs at work, on every page."""
