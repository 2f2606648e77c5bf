"""Draw the paper's figure 5 from result.json: BLEU over the share of a sentence that is masked.

python examples/mass_ablation/plot.py result.json ablation.png
"""

import json
import os
import sys


def draw(result: dict, path: str) -> None:
    """One line for MASS, a point for each ablation; bars: standard deviation over seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    points: dict[str, list[tuple[float, float, float]]] = {}
    for score in result["scores"]:
        ratio = float(score["setting"].removeprefix("span ratio "))
        points.setdefault(score["system"], []).append((ratio, score["mean"], score["std"]))
    figure, axes = pyplot.subplots(figsize=(5.5, 3.6), layout="constrained")
    for (system, values), marker in zip(sorted(points.items(), key=lambda item: item[0] != "MASS"), "osD^v"):
        ratios, means, spreads = zip(*sorted(values))
        line = "-" if len(ratios) > 1 else "none"
        axes.errorbar(ratios, means, spreads, marker=marker, linestyle=line, capsize=3, label=system)
    axes.set_xlabel("share of the sentence that is masked")
    axes.set_ylabel(result["scores"][0]["metric"])
    axes.set_xlim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(f"{path}.tmp", dpi=150, format="png")
    os.replace(f"{path}.tmp", path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py RESULT_JSON PICTURE")
    with open(sys.argv[1], encoding="utf-8") as file:
        draw(json.load(file), sys.argv[2])
