"""Totals of a JUnit report by CTest or pytest: junit_totals.py REPORT SUMMARY.

Prints "PASSED FAILED SKIPPED" and writes one line for each test that failed or was skipped to SUMMARY.
"""

import sys
import xml.etree.ElementTree as ElementTree

# How CTest names a test that decided by itself to be skipped. Any other that did not run is a failure:
# its binary is missing, or a fixture failed.
CTEST_SKIPS = ("SKIP_REGULAR_EXPRESSION_MATCHED", "SKIP_RETURN_CODE")


def outcome(case):
    """('passed' | 'failed' | 'skipped', detail)"""
    for tag in ("failure", "error"):
        found = case.find(tag)
        if found is not None:
            return "failed", found.get("message", "")
    skip = case.find("skipped")
    status = case.get("status")
    if skip is None and status in (None, "run"):
        return "passed", ""
    message = skip.get("message", "") if skip is not None else ""
    if status is None or status == "disabled" or message.startswith(CTEST_SKIPS):
        # GoogleTest: "file:line: Skipped", and the reason on the next line.
        lines = (case.findtext("system-out") or "").splitlines()
        reasons = [after for line, after in zip(lines, lines[1:]) if line.endswith(": Skipped")]
        return "skipped", reasons[0] if reasons else message
    return "failed", message or status


def main(report, summary):
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    with open(summary, "w", encoding="utf-8") as stream:
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            what, detail = outcome(case)
            totals[what] += 1
            if what != "passed":
                first = detail.strip().splitlines()[0][:160] if detail.strip() else ""
                stream.write(f"{what}: {case.get('name')}{': ' if first else ''}{first}\n")
    print(totals["passed"], totals["failed"], totals["skipped"])


if __name__ == "__main__":
    main(*sys.argv[1:])
