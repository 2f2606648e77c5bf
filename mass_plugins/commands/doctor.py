"""``mass-plugins doctor``: see ``mass_plugins/doctor.py``."""

HELP = "print versions and hardware, and what is wrong"


def add_flags(command):
    pass


def run(options):
    from mass_plugins.doctor import main as examine

    return examine()
