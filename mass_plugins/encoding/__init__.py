"""Raw text in, vectors out."""
