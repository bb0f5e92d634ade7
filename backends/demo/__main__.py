"""`python -m backends.demo JSON`: serves the embedded CI until standard input is closed; see `process.DemoProcess`.

JSON is an object with the options, and `warm` to generate the large pages first.
"""

from __future__ import annotations

import json
import sys

from backends.demo.options import DemoOptions
from backends.demo.process import serve

if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    warm = arguments.pop("warm")
    sys.exit(serve(DemoOptions(**arguments), until_eof=True, warm=warm))
