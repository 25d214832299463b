"""Run by the test driver of NixOS, which provides ``machine`` and ``subtest``."""

import json

machine.wait_for_unit("multi-user.target")

with subtest("the guest has version 2 of the control groups, and no network"):
    kind = machine.succeed("stat --file-system --format %T /sys/fs/cgroup").strip()
    assert kind == "cgroup2fs", kind
    machine.fail("ip route | grep default")

with subtest("labs can run, and every program is from the closure"):
    machine.succeed("stamplab doctor")
    listed = machine.succeed("stamplab --version --verbose").splitlines()[1:]
    outside_store = [line.split()[0] for line in listed if "/nix/store/" not in line]
    assert outside_store == ["abra"], listed

with subtest("an ordinary user is told the command for root"):
    status, output = machine.execute("runuser -u nobody -- stamplab repro discourse 2>&1")
    assert status == 77, output
    assert "sudo /nix/store/" in output, output

with subtest("the incident is reproduced, and the fix holds"):
    report = json.loads(
        machine.succeed("stamplab repro discourse --json --quiet --runs /tmp/runs", timeout=1800)
    )
    machine.log(json.dumps(report, indent=2))
    verdicts = {claim["id"]: claim["verdict"] for claim in report["claims"]}
    assert set(verdicts.values()) == {"pass"}, verdicts
    assert {"C4", "C7", "C8"} <= set(verdicts), verdicts
    assert report["verdict"] == "pass", report

with subtest("nothing is left behind"):
    machine.succeed('test -z "$(ls /var/tmp/stamplab)"')
    machine.fail("ls -d /sys/fs/cgroup/*stamplab*")
