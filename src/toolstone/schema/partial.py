"""An answer while it is still arriving: finished scalars, growing strings, and what is done."""
