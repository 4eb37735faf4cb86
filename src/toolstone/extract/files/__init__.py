"""Documents out of files, and rows into them."""
