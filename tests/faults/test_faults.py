"""A few of the faults of faults.py, in the short test run: so that the harness keeps working, and what it has found stays mended.

usage: test_faults.py PROGRAM
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faults  # noqa: E402
import scenarios  # noqa: E402

SIZE = 12

# Scenario, the kind of call or "cut", what is done to it, and how many places, spread evenly over all.
CHOSEN = (
    (scenarios.IndexNew, "cut", "stop", 16),  # the library's own folder was not synced
    (scenarios.IndexMore, "sync", "broken", 8),  # a commit that failed came back, and its vectors were gone
    (scenarios.IndexMore, "write", "short", 4),
    (scenarios.Compact, "cut", "torn", 8),
    (scenarios.Forget, "sync", "broken", 8),  # so did a compaction, and its file was gone
    (scenarios.Compact, "memory-sqlite", "none", 4),
    (scenarios.IndexNew, "memory-ours", "none", 6),  # pictures failed for the reason "(null)"
    (scenarios.Near, "cut", "stop", 4),  # files of killed processes were left for ever
    (scenarios.Pull, "cut", "stop", 10),
)


def main(program):
    options = faults.options_of(["--program", program, "--seed", "1"])
    if not os.path.exists(options.shim):
        print("there is no shim.so beside the program (make run-tests makes it)")
        return 77
    harness = faults.Harness(options)
    worlds, wrong, unmet = {}, 0, 0
    try:
        for kind in dict.fromkeys(scenario for scenario, *_ in CHOSEN):
            worlds[kind] = kind(harness.world, SIZE)
        for chosen, kind, deed, most in CHOSEN:
            scenario = worlds[chosen]
            counts = harness.count(scenario)
            places = faults.spread(counts["change" if kind == "cut" else kind], most)
            harness.each([(harness.cut, scenario, deed, at) if kind == "cut" else (harness.error, scenario, kind, deed, at) for at in places])
            new, wrong = len(harness.wrong) - wrong, len(harness.wrong)
            name = f"{scenario.name}: {kind} {deed}"
            met = harness.met[scenario.name, kind, deed]
            print(f"FAILED {name}: {new} wrong" if new else f"ok {name}: {len(places)} places" if met else f"FAILED {name}: the shim met no such call")
            unmet += not met
    finally:
        harness.close()
    return 1 if wrong or unmet else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
