"""A function in several processes that form a gloo group, for tests of what ranks do together.

They are forked from a process that has imported torch and fairseq and run nothing: started anew, each would import them
first; forked from the tests' own process, which has run torch in threads, now and then one waits for ever.
"""

import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

multiprocessing.get_context("forkserver").set_forkserver_preload(["fairseq", "mass_plugins", "torch.distributed"])


def _serve(rank, folder, world, function, arguments):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    torch.save(function(rank, *arguments), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def run_ranks(function, world: int, *arguments) -> list:
    """``function(rank, *arguments)`` of each rank; with one rank in this process, without a group."""
    if world == 1:
        return [function(0, *arguments)]
    with tempfile.TemporaryDirectory() as folder:
        work = (folder, world, function, arguments)
        multiprocessing.start_processes(_serve, work, nprocs=world, start_method="forkserver")
        return [torch.load(f"{folder}/{rank}.pt") for rank in range(world)]
