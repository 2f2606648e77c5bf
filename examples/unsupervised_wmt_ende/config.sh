# shellcheck shell=bash disable=SC2034 # ../wmt.sh reads it
# Everything that the result depends on, besides ../wmt.sh, which has the settings. Read by run.sh.

CLAIM="MASS and back-translation reach 28.3 BLEU from English to German and 35.2 back, on newstest2016, without a pair (paper, table 2); with 10 K to 1 M pairs MASS is ahead of training from scratch (paper, figure 4)"
STATUS="not run" # at this size; whoever runs it says "reproduced" or "scaled down" here

PAIR=en-de
declare -A PAPER=([en-de]=28.3 [de-en]=35.2) # tokenized BLEU
declare -A NEWS=(
    [en]=https://data.statmt.org/news-crawl/en/news.YEAR.en.shuffled.deduped.gz
    [de]=https://data.statmt.org/news-crawl/de/news.YEAR.de.shuffled.deduped.gz
)

# File of DEV's folder dev/ and its language: validation pairs, then source and reference of either direction.
SETS=(
    valid newstest2013.en en
    valid newstest2013.de de
    en-de newstest2016-ende-src.en.sgm en
    en-de newstest2016-ende-ref.de.sgm de
    de-en newstest2016-deen-src.de.sgm de
    de-en newstest2016-deen-ref.en.sgm en
)

# WMT16's pairs: archive, English side, German side.
PARALLEL=(
    "https://www.statmt.org/wmt13/training-parallel-europarl-v7.tgz training/europarl-v7.de-en.en training/europarl-v7.de-en.de"
    "https://www.statmt.org/wmt13/training-parallel-commoncrawl.tgz commoncrawl.de-en.en commoncrawl.de-en.de"
    "https://data.statmt.org/wmt16/translation-task/training-parallel-nc-v11.tgz training-parallel-nc-v11/news-commentary-v11.de-en.en training-parallel-nc-v11/news-commentary-v11.de-en.de"
)
