"""Representations on disk, indices, search, mining: arrays and files alone, without fairseq."""
