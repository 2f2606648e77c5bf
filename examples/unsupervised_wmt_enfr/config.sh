# shellcheck shell=bash disable=SC2034 # ../wmt.sh reads it
# Everything that the result depends on, besides ../wmt.sh, which has the settings. Read by run.sh.

CLAIM="MASS and back-translation reach 37.5 BLEU from English to French and 34.9 back, on newstest2014, without a pair (paper, table 2); with 10 K to 1 M pairs MASS is ahead of training from scratch (paper, figure 4)"
STATUS="not run" # at this size; whoever runs it says "reproduced" or "scaled down" here

PAIR=en-fr
declare -A PAPER=([en-fr]=37.5 [fr-en]=34.9) # tokenized BLEU
declare -A NEWS=(
    [en]=https://data.statmt.org/news-crawl/en/news.YEAR.en.shuffled.deduped.gz
    [fr]=https://data.statmt.org/news-crawl/fr/news.YEAR.fr.shuffled.deduped.gz
)

# File of DEV's folder dev/ and its language: validation pairs, then source and reference of either direction.
SETS=(
    valid newstest2013.en en
    valid newstest2013.fr fr
    en-fr newstest2014-fren-src.en.sgm en
    en-fr newstest2014-fren-ref.fr.sgm fr
    fr-en newstest2014-fren-src.fr.sgm fr
    fr-en newstest2014-fren-ref.en.sgm en
)

# WMT14's pairs: archive, English side, French side.
PARALLEL=(
    "https://www.statmt.org/wmt13/training-parallel-europarl-v7.tgz training/europarl-v7.fr-en.en training/europarl-v7.fr-en.fr"
    "https://www.statmt.org/wmt13/training-parallel-commoncrawl.tgz commoncrawl.fr-en.en commoncrawl.fr-en.fr"
    "https://www.statmt.org/wmt13/training-parallel-un.tgz un/undoc.2000.fr-en.en un/undoc.2000.fr-en.fr"
    "https://www.statmt.org/wmt14/training-parallel-nc-v9.tgz training/news-commentary-v9.fr-en.en training/news-commentary-v9.fr-en.fr"
    "https://www.statmt.org/wmt10/training-giga-fren.tar giga-fren.release2.fixed.en.gz giga-fren.release2.fixed.fr.gz"
)
