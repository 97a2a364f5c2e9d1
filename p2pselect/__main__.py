"""``python -m p2pselect`` is the console script ``p2pselect``."""

from p2pselect.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
