"""Let the environment of this Python import what another one has, behind its own packages.

.cache/litellm/bin/python scripts/see_environment.py .venv/bin/python
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

WHERE = "import sysconfig; print(sysconfig.get_path('purelib'))"

other = subprocess.run([sys.argv[1], "-c", WHERE], check=True, capture_output=True, text=True)
# A plain path would be enough, but for the other's own links to packages under development.
line = f"import site; site.addsitedir({other.stdout.strip()!r})\n"
Path(sysconfig.get_path("purelib"), "another_environment.pth").write_text(line)
