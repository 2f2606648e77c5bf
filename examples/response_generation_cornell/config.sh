# shellcheck shell=bash disable=SC2034 # run.sh reads it
# Everything that the result depends on, besides ../wmt.sh, which has the settings of text and model, and ../responses.sh.

CLAIM="MASS lowers the sub-word perplexity of responses on Cornell's movie dialogues from 82.39 to 74.32 with 10 K pairs and from 26.38 to 23.52 with 110 K (paper, section 4.4)"
STATUS="not run" # at this size; whoever runs it says "reproduced" or "scaled down" here

CORNELL=https://www.cs.cornell.edu/~cristian/data/cornell_movie_dialogs_corpus.zip
KNOWN+=([$CORNELL]="- 3bde8a571f615201bc2d2453e22878090719638592f774720eddec739de8c900")
declare -A NEWS=([en]=https://data.statmt.org/news-crawl/en/news.YEAR.en.shuffled.deduped.gz)
SHARDS=10

SPLIT=random # as in the paper, whose perplexities come from it; movie: no movie is in two splits
VALID=10000 TEST=20000 TOTAL=140000 # pairs; the others are training
TURNS=1
PAIRS=(10000 all)
declare -A PAPER=([scratch.10000]=82.39 [mass.10000]=74.32 [scratch.all]=26.38 [mass.all]=23.52)
SEEDS=(1)
# Without label smoothing: perplexity is what is measured.
FINE_TUNING=(--task seq2seq_finetuning --directions en-en --max-tokens 2000 --long-lines truncate --max-update 20000
    --validate-interval 1000 --save-interval 1000 --validate-interval-updates 500 --save-interval-updates 500 --patience 10)
BEAM=5
