"""A function in several processes that form a gloo group, for tests of what ranks do together."""

import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing


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
        # forked: started anew, each process would import torch and fairseq first
        multiprocessing.start_processes(_serve, (folder, world, function, arguments), nprocs=world, start_method="fork")
        return [torch.load(f"{folder}/{rank}.pt") for rank in range(world)]
