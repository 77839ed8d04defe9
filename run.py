"""The program: hands the command line to mentorapi.cli."""

import signal
import sys

if __name__ == "__main__":
    # While modules are imported, Ctrl-C ends the process at once, without a traceback.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mentorapi.cli import main

    sys.exit(main())
