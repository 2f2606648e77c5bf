# shellcheck shell=bash disable=SC2034 # ../summarization_large.sh reads it
# Everything that the result depends on, besides ../summarization_large.sh, which has the settings. Read by run.sh.

CLAIM="MASS (base) reaches ROUGE-1/2/L 42.12/19.50/39.01 on CNN/DailyMail (the authors' release)"
STATUS="not run" # at this size; whoever runs it says "reproduced" or "scaled down" here

STORIES=https://huggingface.co/datasets/abisee/cnn_dailymail/resolve/11343c3752184397d56efc19a8a7cceb68089318/data
LISTS=https://raw.githubusercontent.com/abisee/cnn-dailymail/master/url_lists
declare -A KNOWN=(
    [$STORIES/cnn_stories.tgz]="158577824 e8fbc0027e54e0a916abd9c969eb35f708ed1467d7ef4e3b17a56739d65cb200"
    [$STORIES/dailymail_stories.tgz]="375893739 ad69010002210b7c406718248ee66e65868b9f6820f163aa966369878d14147e"
)

PAIRS=(all)
PAPER=([all]=42.12/19.50/39.01)
LEAD=(3 --lowercase)
SCORING=(--summary-level) # ROUGE-L over sentences, as files2rouge has it
GPUS_OF_FINE_TUNING=64 # 4096 tokens x update-freq 8 x 8 GPUs
FINE_TUNING+=(--max-epoch 25 --eval-min-len 50 --eval-max-len-b 200)
GENERATION=(--beam 5 --min-len 50 --max-len 200 --no-repeat-ngram 3 --length-penalty 1.0)
