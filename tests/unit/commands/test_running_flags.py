"""Commands that run a translation model let one say where, how precisely and how much at once."""

import pytest

import mass_plugins
from mass_plugins import cli

PAIR = "--source de --target en"
COMMANDS = {
    "translate": f"translate {{model}} {PAIR}",
    "back-translate": f"back-translate {{model}} {PAIR} --input {{text}} --destdir {{folder}}/bt",
    "summarize": "summarize {model} --language de",
    "chat": "chat {model} --language de",
    "perplexity": f"evaluate perplexity {{model}} {PAIR} {{text}} {{text}}",
}


class Loaded(Exception):
    """With the arguments of ``load``."""


@pytest.mark.parametrize("name", COMMANDS)
def test_device_and_precision_reach_the_model(name, tmp_path, monkeypatch):
    def load(checkpoint, **options):
        raise Loaded(checkpoint, options)

    monkeypatch.setattr(mass_plugins, "load", load)
    (tmp_path / "text").write_text("a\n")
    words = COMMANDS[name].format(model="m.pt", text=tmp_path / "text", folder=tmp_path).split()
    with pytest.raises(Loaded) as caught:
        cli.main([*words, "--device", "cpu", "--dtype", "bfloat16", "--data", "bin"])
    checkpoint, options = caught.value.args
    assert (checkpoint, options["device"], str(options["dtype"]), options["data"]) == (
        "m.pt", "cpu", "torch.bfloat16", "bin",
    )  # fmt: skip


def test_documents_at_once(monkeypatch):
    class Summarizer:
        def only_language(self, language):
            return language

        def summarize(self, lines, language, **settings):
            raise Loaded(settings)

    monkeypatch.setattr(mass_plugins, "load", lambda *_, **__: Summarizer())
    monkeypatch.setattr("mass_plugins.commands.summarize.convert_stdin", lambda convert, buffer: convert([]))
    with pytest.raises(Loaded) as caught:
        cli.main("summarize m.pt --language de --batch-tokens 128000".split())
    assert caught.value.args[0]["batch_tokens"] == 128000
