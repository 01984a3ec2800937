"""``python -m nrm_plugin`` is ``nrm``."""

from nrm_plugin.cli import main

main(prog_name="nrm")
