"""Pre-training for cross-lingual retrieval by the order of sentences: MSM (Zhang et al. 2023)."""
