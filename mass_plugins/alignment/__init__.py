"""One space for the tokens of several languages, learned from monolingual text alone."""
