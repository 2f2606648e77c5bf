"""Pre-training of a text encoder as a masked language model (BERT)."""
