"""``python -m nrm_plugin`` is ``nrm``."""

from nrm_plugin.entry_point import run

if __name__ == "__main__":
    run()
