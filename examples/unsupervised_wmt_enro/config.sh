# shellcheck shell=bash disable=SC2034 # ../wmt.sh reads it
# Everything that the result depends on, besides ../wmt.sh, which has the settings. Read by run.sh.

CLAIM="MASS and back-translation reach 35.2 BLEU from English to Romanian and 33.1 back, on newstest2016, without a pair (paper, table 2); with 10 K to 1 M pairs MASS is ahead of training from scratch (paper, figure 4)"
STATUS="not run" # at this size; whoever runs it says "reproduced" or "scaled down" here

PAIR=en-ro
declare -A PAPER=([en-ro]=35.2 [ro-en]=33.1) # tokenized BLEU
declare -A NEWS=(
    [en]=https://data.statmt.org/news-crawl/en/news.YEAR.en.shuffled.deduped.gz
    [ro]=https://data.statmt.org/wmt16/translation-task/news.2015.ro.shuffled.gz
)
PAIRS_AS_TEXT=(ro) # the paper adds WMT16's Romanian: 2.9 M sentences in all

# File of DEV's folder dev/ and its language: validation pairs, then source and reference of either direction.
SETS=(
    valid newsdev2016-roen-ref.en.sgm en
    valid newsdev2016-roen-src.ro.sgm ro
    en-ro newstest2016-enro-src.en.sgm en
    en-ro newstest2016-enro-ref.ro.sgm ro
    ro-en newstest2016-roen-src.ro.sgm ro
    ro-en newstest2016-roen-ref.en.sgm en
)

# WMT16's pairs: archive, English side, Romanian side; a translation memory.
PARALLEL=(
    "https://data.statmt.org/wmt16/translation-task/training-parallel-ep-v8.tgz training-parallel-ep-v8/europarl-v8.ro-en.en training-parallel-ep-v8/europarl-v8.ro-en.ro"
    "https://object.pouta.csc.fi/OPUS-SETIMES/v2/tmx/en-ro.tmx.gz"
)
LOW_RESOURCE=(10000 100000 600000) # there are not more than 0.6 M
