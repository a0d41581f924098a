"""Parts of the page Reproduce."""
