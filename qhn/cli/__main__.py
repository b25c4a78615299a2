"""``python -m qhn.cli`` is ``qhn``."""

from qhn.cli import main

main()
