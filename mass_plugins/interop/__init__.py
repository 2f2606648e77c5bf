"""Models of other programs in, ours out: a file for each format."""
