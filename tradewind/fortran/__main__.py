"""``python -m tradewind.fortran``."""

from tradewind.fortran.command import main

if __name__ == "__main__":
    raise SystemExit(main())
