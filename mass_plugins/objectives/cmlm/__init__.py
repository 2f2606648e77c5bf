"""Conditional masked language modelling: CMLM (Yang et al. 2020)."""
