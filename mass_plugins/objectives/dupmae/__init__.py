"""Pre-training for retrieval: RetroMAE (Xiao et al. 2022) and DupMAE (Liu et al. 2022)."""
