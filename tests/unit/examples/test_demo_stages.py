"""The demo's stages: what they record of the time they took."""

import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[3] / "examples" / "demo"


@pytest.fixture(scope="module")
def stages():
    sys.path.insert(0, str(DEMO))
    try:
        import stages as module
    finally:
        sys.path.remove(str(DEMO))
    return module


def test_a_stage_that_goes_on_adds_up_its_seconds(stages, tmp_path):
    script = "test -e made && exit; touch made; sleep 0.3; false"  # fails the first time
    stage = stages.Stage("one", "a stage", ("bash", "-c", f"cd {tmp_path}; {script}"), makes=tmp_path / "made")
    with stages.open_work(tmp_path / "work", again=False) as work:
        with pytest.raises(stages.DemoError, match="a stage ended with status 1"):
            stages.run_stages(work, "stage", stage)
        first = work.seconds(stage)
        assert work.state(stage) == "begun" and first > 0.3
        stages.run_stages(work, "stage", stage)
        assert work.state(stage) == "done" and work.seconds(stage) > first
        other = stages.Stage("one", "a stage", ("true",), makes=tmp_path / "made")
        assert work.state(other) == "other"
        work.begin(other)
        assert work.seconds(other) == 0


def test_a_stage_that_is_stopped_keeps_its_seconds(stages, tmp_path):
    fails = stages.Stage("fails", "it fails", ("bash", "-c", "sleep 0.5; false"), makes=tmp_path / "a")
    stopped = stages.Stage("stopped", "it is stopped", ("sleep", "60"), makes=tmp_path / "b")
    with stages.open_work(tmp_path / "work", again=False) as work:
        with pytest.raises(stages.DemoError, match="it fails ended"):
            stages.run_stages(work, "both", fails, stopped)
        assert 0.5 < work.seconds(stopped) < 60 and work.state(stopped) == "begun"
