"""The program: hands the command line to mentorapi.cli."""

import sys

from mentorapi.cli import main

if __name__ == "__main__":
    sys.exit(main())
