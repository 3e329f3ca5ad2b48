"""Looks the installed packages up in the Python advisory database, and says plainly where it could not.

Exits with 0 when every package was looked up and none has a known hole, with 1 when one has, and with 2 when packages
could not be looked up: an audit that did not happen is no clean one. (pip-audit itself calls it clean.)
"""

import json
import subprocess
import sys
from typing import Any

OWN = "stemgen"


def judge(report: dict[str, Any]) -> tuple[int, str]:
    """Return the exit status and what to say of a report in pip-audit's JSON."""
    packages = [package for package in report["dependencies"] if package["name"] != OWN]
    looked_up = [package for package in packages if "skip_reason" not in package]
    holes = [f"{p['name']} {p['version']}: {hole['id']}" for p in looked_up for hole in p["vulns"]]
    if holes:
        return 1, "Known holes:\n" + "\n".join(holes)
    missing = len(packages) - len(looked_up)
    if missing:
        return 2, (
            f"NOT AUDITED: {missing} of {len(packages)} packages could not be looked up; is there no internet, or "
            "only a mirror? The version floors that the tests assert were checked by them, and nothing else was."
        )
    return 0, f"{len(looked_up)} packages looked up, no known hole."


def main() -> int:
    """Run pip-audit on this environment and judge what it found."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner=off", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        print(f"NOT AUDITED: pip-audit could not do its work ({last[0]}). Is it installed, and is there internet?")
        return 2
    status, words = judge(report)
    print(words)
    return status


if __name__ == "__main__":
    sys.exit(main())
