"""Vectors at unit length, whose dot products are cosines."""

import numpy as np


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """(N, D) -> (N, D) float32, each row of length 1; a row of zeros stays one."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length > 0, length, 1)).astype(np.float32)
