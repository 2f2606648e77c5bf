"""Each loss of DupMAE against a forward pass in NumPy, text by text; switches; what a checkpoint holds."""

import numpy as np
import pytest
import torch
from numpy import exp, log

from mass_plugins.data.dupmae_masking import sample_patterns
from mass_plugins.data.random_state import sentence_keys
from mass_plugins.models.dupmae import DupMae, DupMaeConfig
from mass_plugins.modules.enhanced_decoder import visible_rows

PAD, SIZE, WIDTH, HEADS = 0, 23, 8, 2
TEXT = np.array([[1, 7, 9, 7, 12, 2], [1, 5, 6, 2, 0, 0]])
LENGTHS = np.array([6, 4])


def make_model(**options):
    torch.manual_seed(3)
    shape = dict(encoder_layers=1, encoder_embed_dim=WIDTH, encoder_ffn_embed_dim=12, encoder_attention_heads=HEADS)
    cfg = DupMaeConfig(**shape, max_positions=10, layer_norm_epsilon=1e-5, **options)
    model = DupMae(cfg, SIZE, PAD).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def array(tensor):
    return tensor.detach().numpy()


def norm(x, layer):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
    return x * array(layer.weight) + array(layer.bias)


def linear(x, layer):
    return x @ array(layer.weight).T + array(layer.bias)


def gelu(x):
    return x * 0.5 * (1 + array(torch.erf(torch.from_numpy(x / np.sqrt(2)))))


def head(model, x):
    x = norm(gelu(linear(x, model.lm_head.dense)), model.lm_head.layer_norm)
    return x @ array(model.embed_tokens.weight).T + array(model.lm_head.bias)


def log_softmax(x):
    return x - log(exp(x - x.max()).sum()) - x.max()


def decode_row(model, sentence, text, row, seen, plain=False):
    """The decoder's state of one row of one text."""
    decoder, positions = model.enhanced_decoder, array(model.embed_positions.weight)
    types = array(model.embed_types.weight[0])
    embedded = norm(array(model.embed_tokens.weight)[text] + positions[: len(text)] + types, model.layernorm_embedding)
    memory = np.concatenate([sentence[None], embedded[1:]])
    query = sentence + positions[row]
    if not plain:
        query = norm(query + types, model.layernorm_embedding)
    q, k, v = linear(query, decoder.q_proj), linear(memory, decoder.k_proj), linear(memory, decoder.v_proj)
    size, context = WIDTH // HEADS, []
    for h in range(HEADS):
        part = slice(h * size, (h + 1) * size)
        scores = np.array([q[part] @ k[j, part] / np.sqrt(size) if seen[j] else -np.inf for j in range(len(text))])
        weights = exp(scores - scores.max())
        context.append((weights / weights.sum()) @ v[:, part])
    x = norm(query + linear(np.concatenate(context), decoder.out_proj), decoder.attention_norm)
    return norm(x + linear(gelu(linear(x, decoder.fc1)), decoder.fc2), decoder.final_norm)


def rows_of(patterns):
    return visible_rows(*map(torch.from_numpy, patterns)).numpy()


@pytest.mark.parametrize("queries", ["embedded", "plain"])
def test_decoder_and_its_loss_against_numpy(queries):
    model = make_model(decoder_queries=queries)
    patterns = sample_patterns(LENGTHS, 0.5, sentence_keys(1, 1, np.arange(2)))
    seen, text = rows_of(patterns), torch.from_numpy(TEXT)
    batch = sample(patterns, masked=[1, 7])
    hidden = model(batch["net_input"]["src_tokens"])
    states = model.decode(hidden[:, 0], text, torch.from_numpy(patterns.seen), torch.from_numpy(patterns.of_row))
    assert states.shape == (2, 4, WIDTH)
    loss = 0.0
    for b, length in enumerate(LENGTHS):
        for row in range(1, length - 1):
            expected = decode_row(model, array(hidden[b, 0]), TEXT[b, :length], row, seen[b, row], queries == "plain")
            assert np.allclose(array(states[b, row - 1]), expected)
            loss -= log_softmax(head(model, expected))[TEXT[b, row]]
    criterion = make_criterion()
    found = criterion.losses(model, batch)
    assert found.decoder.tokens == 6 and found.decoder.loss.item() == pytest.approx(loss)


def make_criterion(decoder_weight=1.0, bow_weight=1.0):
    from mass_plugins.objectives.dupmae.criterion import DupMaeCriterion

    return DupMaeCriterion(None, decoder_weight, bow_weight)


def sample(patterns, masked, how="mean", positions=None):
    from mass_plugins.objectives.dupmae.dataset import bag_targets

    ordinary = TEXT >= 5
    hidden = np.zeros(TEXT.size, dtype=bool)
    hidden[masked] = True
    hidden = hidden.reshape(TEXT.shape)
    rows, tokens, shares = bag_targets(TEXT, ordinary, how)
    arrays = {
        "text": TEXT, "masked_slots": np.flatnonzero(hidden), "ordinary_slots": np.flatnonzero(ordinary),
        "seen": patterns.seen, "of_row": patterns.of_row, "bow_rows": rows, "bow_tokens": tokens,
        "bow_shares": shares.astype(np.float64),
        "bow_positions": ordinary & ~hidden if positions is None else positions,
    }  # fmt: skip
    source = torch.from_numpy(np.where(hidden, 3, TEXT))
    batch = {name: torch.from_numpy(value) for name, value in arrays.items()}
    return batch | {"net_input": {"src_tokens": source}, "nsentences": 2, "ntokens": len(masked)}


@pytest.mark.parametrize("projection", ["tied", "own", "mlm_head"])
@pytest.mark.parametrize("how", ["mean", "sum", "counts"])
def test_encoder_and_bag_of_words_losses_against_numpy(projection, how):
    model = make_model(bow_projection=projection)
    patterns = sample_patterns(LENGTHS, 0.5, sentence_keys(1, 1, np.arange(2)))
    batch = sample(patterns, masked=[1, 7], how=how)
    found = make_criterion(decoder_weight=0).losses(model, batch)
    hidden = array(model(batch["net_input"]["src_tokens"]))
    encoder = sum(-log_softmax(head(model, hidden[b, s]))[TEXT[b, s]] for b, s in ((0, 1), (1, 1)))
    assert found.encoder.loss.item() == pytest.approx(encoder) and found.encoder.tokens == 2

    def project(state):
        if projection == "mlm_head":
            return head(model, state)
        weight = model.embed_tokens.weight if projection == "tied" else model.bow_projection.weight
        return array(weight) @ state

    places, words = [[2, 3, 4], [2]], [{7: 2, 9: 1, 12: 1}, {5: 1, 6: 1}]
    bow = 0.0
    for b in range(2):
        logs = log_softmax(np.max([project(hidden[b, i]) for i in places[b]], axis=0))
        total = {"mean": len(words[b]), "sum": 1, "counts": sum(words[b].values())}[how]
        bow -= sum((count if how == "counts" else 1) / total * logs[word] for word, count in words[b].items())
    assert found.bow.item() == pytest.approx(bow) and found.texts == 2


def test_the_total_and_its_weights():
    model = make_model()
    batch = sample(sample_patterns(LENGTHS, 0.5, sentence_keys(1, 1, np.arange(2))), masked=[1, 7])
    parts = make_criterion().losses(model, batch)
    loss, size, log_output = make_criterion(0.5, 0.1)(model, batch)
    total = parts.encoder.loss / 2 + 0.5 * parts.decoder.loss / 6 + 0.1 * parts.bow / 2
    assert size == 2 and loss.item() == pytest.approx(2 * total.item())
    alone = make_criterion(0, 0)(model, batch)
    assert alone[0].item() == pytest.approx(parts.encoder.loss.item()) and alone[2]["decoder_count"] == 0
    loss.backward()
    assert all(p.grad is not None for name, p in model.named_parameters())


def test_rows_of_the_model_are_those_of_the_masks():
    patterns = sample_patterns(np.array([40, 300, 2]), 0.5, sentence_keys(1, 1, np.arange(3)))
    before = patterns.seen.copy()
    rows = rows_of(patterns)
    for text, row in np.ndindex(rows.shape[:2]):
        expected = patterns.seen[text, patterns.of_row[text, row]].copy()
        expected[row], expected[0] = False, True
        assert (rows[text, row] == expected).all()
    assert (patterns.seen == before).all()  # a pattern serves several rows


def test_the_unmasked_token_of_a_row_is_invisible_to_it():
    """A row's state doesn't change with its own token, but with the others that it sees."""
    model = make_model()
    patterns = sample_patterns(LENGTHS, 0.5, sentence_keys(1, 1, np.arange(2)))
    seen, sentence = rows_of(patterns), torch.randn(2, WIDTH, dtype=torch.float64)
    masks = torch.from_numpy(patterns.seen), torch.from_numpy(patterns.of_row)
    before = model.decode(sentence, torch.from_numpy(TEXT), *masks)
    for slot in range(1, 5):
        changed = torch.from_numpy(TEXT.copy())
        changed[0, slot] = 20
        differs = (model.decode(sentence, changed, *masks) != before)[0].any(dim=-1).numpy()
        assert (differs == seen[0, 1:5, slot]).all()


def test_own_projection_begins_as_the_token_embeddings():
    torch.manual_seed(1)
    model = DupMae(
        DupMaeConfig(encoder_layers=1, encoder_embed_dim=8, encoder_attention_heads=2, bow_projection="own"), 9, 0
    )
    assert (model.bow_projection.weight == model.embed_tokens.weight).all()
    assert model.bow_projection.weight is not model.embed_tokens.weight
