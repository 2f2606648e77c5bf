"""The fingerprint by which a checkpoint knows its dictionary."""

import hashlib


def dictionary_hash(dictionary) -> str:
    """Fingerprint of the symbols in their order."""
    return hashlib.sha256("\n".join(dictionary.symbols).encode()).hexdigest()[:16]
