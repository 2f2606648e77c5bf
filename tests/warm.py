"""fairseq's commands without the seconds that each of them spends on importing torch and fairseq.

    WarmCommands.run --one line of JSON--> this file as a process of its own --fork--> the command

The process holds what the real command has imported before it reads its arguments, fairseq and nothing of ours; each
command runs in a child of it, from the installed script on, and ends as a process ends. The plugin comes by
``--user-dir``, as always.
"""

import json
import logging
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Optional


class WarmCommands:
    """The process that forks; started at the first command, ended by :meth:`close`."""

    def __init__(self):
        self._process = None

    def run(self, arguments: list[str], env: dict[str, str], stdin: str, timeout: float) -> tuple[int, str, str]:
        """Exit status (minus the signal's number for a killed command), stdout, stderr.

        Raises:
            subprocess.TimeoutExpired: it took longer than ``timeout`` seconds and was killed.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )  # unbuffered, because select looks at what is not read yet
        with tempfile.TemporaryDirectory() as folder:
            files = {name: f"{folder}/{name}" for name in ("stdin", "stdout", "stderr")}
            Path(files["stdin"]).write_text(stdin, encoding="utf-8")
            request = {"arguments": arguments, "env": env, "cwd": os.getcwd(), **files}
            self._process.stdin.write(f"{json.dumps(request)}\n".encode())
            child = int(self._process.stdout.readline())
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                os.killpg(child, signal.SIGKILL)
                self._process.stdout.readline()
                raise subprocess.TimeoutExpired(arguments, timeout)
            status = int(self._process.stdout.readline())
            return status, *(Path(files[name]).read_text(encoding="utf-8") for name in ("stdout", "stderr"))

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()  # its end of file may never come: a process forked meanwhile holds the pipe, too
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


def serve() -> Optional[dict]:
    """Fork for each request; the request in the child, None in the parent when there are no more."""
    while line := sys.stdin.readline():
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()
            return request
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        with suppress(ProcessLookupError):  # workers that it left
            os.killpg(child, signal.SIGKILL)
    return None


def become(request: dict) -> str:
    """This process's files, folder, environment and arguments are those of the request; the script to run."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        opened = os.open(request[name], os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  as long as the process
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[:] = request["arguments"]
    return request["arguments"][0]


if __name__ == "__main__":
    import fairseq_cli.generate
    import fairseq_cli.interactive
    import fairseq_cli.train  # noqa: F401

    request = serve()
    if request is not None:
        for name in [name for name in sys.modules if name.startswith("fairseq_cli")]:
            del sys.modules[name]  # they set up logging when they are imported
        logging.root.handlers.clear()
        script = become(request)
        sys.path[0] = str(Path(script).parent)  # as it is for the script, so that --user-dir alone shows the plugin
        runpy.run_path(script, run_name="__main__")
