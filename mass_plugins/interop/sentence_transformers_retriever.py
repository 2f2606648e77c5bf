"""A retriever's vectors as a folder of sentence-transformers: transformer, pooling, and ``W_cls`` as a dense layer.

``SentenceTransformer(folder).encode`` makes the cls part of ``mass-plugins represent``; similarity is the dot product.
The ordinary tokens' part can't be had there: its ``SparseEncoder`` takes the maximum of ``log(1 + relu(MLM logits))``
over all tokens, ``[CLS]`` and ``[SEP]`` included, where ours is signed, of a projection without the head, between the
two, cut to its largest entries for documents and dense for queries.
"""

import json
from pathlib import Path

from mass_plugins.encoding.loading import LoadedEncoder
from mass_plugins.errors import InputError
from mass_plugins.interop.sentence_transformers import MODULES_FILE, write_sentence_transformer

_DENSE = "2_Dense"


def write_retriever(encoder: LoadedEncoder, folder: Path) -> None:
    """Write a whole model into an existing folder.

    Texts are cut at the longer of the two limits that the retriever was trained with, queries', too.

    Raises:
        InputError: no retriever, or one without vectors.
    """
    from safetensors.torch import save_file

    if encoder.representation is None:
        raise InputError(f"{encoder.path} is not a retriever; export it with mass-plugins export sentence-transformers")
    if encoder.representation == "ot":
        raise InputError(f"{encoder.path} has no vectors, and sentence-transformers can't hold its ordinary tokens")
    write_sentence_transformer(encoder, encoder.vector_settings(), folder)
    (folder / "config_sentence_transformers.json").write_text('{"similarity_fn_name": "dot"}\n', encoding="utf-8")
    weight = encoder.projection
    if weight is None:  # the state as it is
        return
    (folder / _DENSE).mkdir()
    content = {
        "in_features": weight.shape[1], "out_features": weight.shape[0], "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }  # fmt: skip
    (folder / _DENSE / "config.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    save_file({"linear.weight": weight.float().contiguous()}, folder / _DENSE / "model.safetensors")
    modules = json.loads((folder / MODULES_FILE).read_text(encoding="utf-8"))
    modules.append({"idx": 2, "name": "2", "path": _DENSE, "type": "sentence_transformers.models.Dense"})
    (folder / MODULES_FILE).write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8")
