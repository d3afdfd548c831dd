"""Run the library's quick tests beside the torch that is installed, and note what came of it.

The table that it writes, one row for each version of torch, is part of the book.
"""

from __future__ import annotations

import csv
import importlib
import platform
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "back" / "torch-versions.csv"
REPORT = "quick-tests.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of the quick tests beside one version of torch."""

    torch: str
    python: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    remarks: str = ""


def read_report(path: Path, torch: str) -> Row:
    """Return the counts of a JUnit report, with the reasons for what was skipped.

    Example:
        >>> import tempfile
        >>> text = '''<testsuites><testsuite tests="3" failures="1" skipped="1">
        ... <testcase name="a"><skipped message="no browser"/></testcase>
        ... </testsuite></testsuites>'''
        >>> path = Path(tempfile.mkdtemp(), "report.xml")
        >>> _ = path.write_text(text)
        >>> row = read_report(path, "2.10.0")
        >>> row.passed, row.failed, row.skipped, row.remarks
        (1, 1, 1, 'skipped: no browser')
    """
    (suite,) = ElementTree.parse(path).getroot().iter("testsuite")
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    reasons = sorted({skip.get("message", "") for skip in suite.iter("skipped")})
    return Row(
        torch=torch,
        python=platform.python_version(),
        passed=count["tests"] - failed - count["skipped"],
        failed=failed,
        skipped=count["skipped"],
        remarks="; ".join(f"skipped: {reason}" for reason in reasons),
    )


def write_row(row: Row, path: Path = TABLE) -> None:
    """Put a row in the place of the one of the same version, versions in order."""
    rows = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            rows = {found["torch"]: found for found in csv.DictReader(file)}
    rows[row.torch] = {name: str(value) for name, value in asdict(row).items()}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[version] for version in sorted(rows, key=_numbers))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def main() -> int:
    """Run the tests, write the row, and return the exit code of pytest."""
    torch = importlib.import_module("torch").__version__.partition("+")[0]
    try:
        importlib.import_module("handgrad._autograd")
    except ImportError as error:
        said = str(error).partition(", with which")[0]
        write_row(Row(torch=torch, python=platform.python_version(), remarks=f"refused: {said}"))
        return 0
    tests = sorted(map(str, ROOT.glob("tests/test_*.py")))
    report = Path(sys.prefix, REPORT)
    quick = (
        "-q",
        "-m",
        "not slow and not browser",
        "--import-mode=importlib",
        f"--junitxml={report}",
    )
    ran = subprocess.run([sys.executable, "-m", "pytest", *quick, *tests, *sys.argv[1:]], cwd=ROOT)
    write_row(read_report(report, torch))
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
