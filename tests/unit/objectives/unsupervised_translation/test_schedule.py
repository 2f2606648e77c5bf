import pytest

from mass_plugins.errors import InputError
from mass_plugins.objectives.unsupervised_translation.schedule import Schedule, check_never_all_zero


def test_a_number_is_constant():
    schedule = Schedule.parse("0.5", "--x")
    assert [schedule.at(update) for update in (0, 1, 10**6)] == [0.5] * 3 and not schedule.never


def test_straight_lines_between_points_and_constant_beyond_them():
    schedule = Schedule.parse("100:1,300:0.5,400:0", "--x")
    found = [schedule.at(update) for update in (0, 100, 200, 300, 350, 400, 9999)]
    assert found == pytest.approx([1, 1, 0.75, 0.5, 0.25, 0, 0])


def test_never_is_zero_everywhere():
    assert Schedule.parse("0", "--x").never and Schedule.parse("0:0,5:0", "--x").never
    assert not Schedule.parse("0:0,5:1", "--x").never


@pytest.mark.parametrize(
    "text", ["", "much", "1,2", "0:1,0:2", "5:1,3:1", "-1", "0:-1", "nan", "0:inf", "1:2:3", "0:1,"]
)
def test_what_is_no_schedule_is_refused_by_its_flag(text):
    with pytest.raises(InputError, match="--mass-weight"):
        Schedule.parse(text, "--mass-weight")


def test_some_weight_is_above_zero_at_every_update():
    def check(**texts):
        check_never_all_zero({name: Schedule.parse(text, name) for name, text in texts.items()})

    check(a="1", b="0")
    check(a="0:1,10:0", b="0:0,10:1")
    with pytest.raises(InputError, match="a, b are all 0 at update 10"):
        check(a="0:1,10:0", b="0")
    with pytest.raises(InputError, match="at update 0"):
        check(a="0:0,10:1", b="0:0,20:1")
