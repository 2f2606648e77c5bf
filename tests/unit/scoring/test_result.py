"""What a result says of the machine and the programs that made it."""

from mass_plugins.scoring import result


def test_versions_are_of_what_is_installed(monkeypatch):
    """What every result rests on always, what only some need where it is there."""
    installed = {"torch": "2", "fairseq-fixed": "0.12", "tokenizers": "0.22", "sentence-transformers": "6"}
    monkeypatch.setattr(result.doctor, "version_of", installed.get)
    found = result.versions()
    assert found["fairseq"] == "0.12" and found["sentence-transformers"] == "6" and found["tokenizers"] == "0.22"
    assert found["sacrebleu"] is None and "transformers" not in found
