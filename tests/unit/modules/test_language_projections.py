import torch

from mass_plugins.modules.language_projections import LanguageLinear, pick


def test_each_row_goes_through_its_languages_layer():
    torch.manual_seed(0)
    layer = LanguageLinear(3, 4)
    torch.nn.init.normal_(layer.bias)
    x, layer.languages = torch.randn(5, 6, 4), torch.tensor([2, 0, 1, 1, 0, 2])
    found = layer(x)
    for row, language in enumerate(layer.languages):
        assert torch.allclose(found[:, row], x[:, row] @ layer.weight[language].T + layer.bias[language], atol=1e-6)


def test_a_language_that_no_row_has_gets_no_gradient():
    layer = LanguageLinear(3, 4)
    layer.languages = torch.tensor([0, 2])
    layer(torch.randn(5, 2, 4)).sum().backward()
    assert not layer.weight.grad[1].any() and layer.weight.grad[0].any() and layer.weight.grad[2].any()


def test_pick_by_hand():
    every = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])  # two rows, two languages of two columns
    assert pick(every, torch.tensor([1, 0]), 2).tolist() == [[3, 4], [5, 6]]
