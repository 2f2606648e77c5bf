"""Mirror-BERT (Liu et al. 2021): a masked language model into a sentence or word encoder, from raw strings alone."""
