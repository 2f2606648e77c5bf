"""Raw text -> clean text -> sub-words -> binarized: one command (``prepare.py``) and the small tools
that it is made of. README.md says how to use them."""
