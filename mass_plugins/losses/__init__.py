"""Tensors → scalar: pure functions that know nothing of fairseq."""
