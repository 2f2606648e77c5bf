"""Every workaround for fairseq, torch or NumPy: what it does, why, and when it can be removed.

``apply()`` runs them all, once, when the package is imported. Nothing else in the package patches
another library.
"""

from mass_plugins.compat.checkpoints import (
    broadcast_plain_configs,
    check_what_a_training_goes_on_from,
    copy_whole_checkpoints_or_none,
    explain_bad_checkpoints,
    save_whole_checkpoints_or_none,
    trust_what_checkpoints_hold,
)
from mass_plugins.compat.generation import block_repeated_ngrams
from mass_plugins.compat.gradients import watch_gradients_of_any_output
from mass_plugins.compat.imports import (
    hide_torchaudio_that_does_not_load,
    import_fairseq_without_its_logging,
    restore_numpy_compat_long,
    silence_harmless_warnings,
)
from mass_plugins.compat.processes import (
    end_threads_that_read_ahead,
    explain_a_missing_tpu,
    join_processes_of_torchrun,
    keep_a_dummy_batch_of_each_kind,
    leave_what_is_inherited_to_the_parent,
    print_input_errors_in_one_line,
    tell_which_batch_is_a_dummy,
)

_applied = False


def apply():
    """Put every workaround in place; a second call does nothing."""
    global _applied
    if _applied:
        return
    _applied = True
    silence_harmless_warnings()
    print_input_errors_in_one_line()
    leave_what_is_inherited_to_the_parent()
    restore_numpy_compat_long()
    hide_torchaudio_that_does_not_load()
    import_fairseq_without_its_logging()
    from fairseq import checkpoint_utils, ngram_repeat_block, utils
    from fairseq.data import iterators
    from fairseq.distributed import utils as distributed_utils
    from fairseq.file_io import PathManager
    from fairseq.nan_detector import NanDetector
    from fairseq.trainer import Trainer

    trust_what_checkpoints_hold()
    explain_bad_checkpoints(checkpoint_utils)
    save_whole_checkpoints_or_none(checkpoint_utils)
    copy_whole_checkpoints_or_none(PathManager)
    join_processes_of_torchrun(distributed_utils)
    explain_a_missing_tpu(utils)
    keep_a_dummy_batch_of_each_kind(Trainer)
    tell_which_batch_is_a_dummy(Trainer)
    check_what_a_training_goes_on_from(Trainer, checkpoint_utils, distributed_utils)
    broadcast_plain_configs(distributed_utils)
    end_threads_that_read_ahead(iterators)
    block_repeated_ngrams(ngram_repeat_block)
    watch_gradients_of_any_output(NanDetector)
