"""`python -m scorer`: `run` is a scoring pod, anything else the command line."""

import sys

from scorer.settings import before_libraries

before_libraries()

if sys.argv[1:2] == ["run"]:
    from scorer.pod import main

    main(sys.argv[1:])
else:
    from scorer.cli import main as command_line

    sys.exit(command_line(sys.argv[1:]))
