"""``python -m nrm_plugin`` is ``nrm``."""

from nrm_plugin.program import run

if __name__ == "__main__":
    run()
