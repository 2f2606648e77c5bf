"""mass_plugins: pre-training and fine-tuning as a plugin of fairseq: MASS, translation, text encoders, retrieval.

``fairseq-train --user-dir mass_plugins`` and ``import mass_plugins`` both end here. This file is
the list of what gets registered with fairseq, and only that; ``load`` and ``load_encoder`` are fetched when asked for.
"""

from mass_plugins import compat

compat.apply()  # before anything of fairseq's is used

# Registration: importing a module runs its @register_... decorators.
import mass_plugins.models.cmlm  # noqa: E402,F401
import mass_plugins.models.dupmae  # noqa: E402,F401
import mass_plugins.models.mass_transformer  # noqa: E402,F401
import mass_plugins.models.msm  # noqa: E402,F401
import mass_plugins.models.retriever  # noqa: E402,F401
import mass_plugins.models.text_encoder  # noqa: E402,F401
import mass_plugins.objectives.cmlm.task  # noqa: E402,F401
import mass_plugins.objectives.dupmae.criterion  # noqa: E402,F401
import mass_plugins.objectives.dupmae.task  # noqa: E402,F401
import mass_plugins.objectives.mass_pretraining.task  # noqa: E402,F401
import mass_plugins.objectives.mirror_bert.criterion  # noqa: E402,F401
import mass_plugins.objectives.mirror_bert.task  # noqa: E402,F401
import mass_plugins.objectives.mlm_pretraining.criterion  # noqa: E402,F401
import mass_plugins.objectives.mlm_pretraining.task  # noqa: E402,F401
import mass_plugins.objectives.msm.criterion  # noqa: E402,F401
import mass_plugins.objectives.msm.task  # noqa: E402,F401
import mass_plugins.objectives.retrieval.criterion  # noqa: E402,F401
import mass_plugins.objectives.retrieval.task  # noqa: E402,F401
import mass_plugins.objectives.seq2seq_finetuning.task  # noqa: E402,F401
import mass_plugins.objectives.unsupervised_translation.task  # noqa: E402,F401

__version__ = "0.1.0"
__all__ = ["__version__", "load", "load_encoder"]


def load(checkpoint, data=None, **options):
    """The translator of a fine-tuned checkpoint; see ``generation/translator.py``."""
    from mass_plugins.generation.translator import load as load_translator

    return load_translator(checkpoint, data=data, **options)


def load_encoder(path, pooling=None, **options):
    """A text encoder with ``encode(lines)``; see ``encoding/encoder.py``."""
    from mass_plugins.encoding.encoder import load_encoder as load_text_encoder

    return load_text_encoder(path, pooling=pooling, **options)
