"""`python -m mssim` is the command line."""

from mssim.cli import main

if __name__ == "__main__":
    main()
