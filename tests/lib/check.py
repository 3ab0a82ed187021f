# SPDX-License-Identifier: GPL-3.0-or-later
"""All tests, in tiers, counted by case: what tools/check runs once the dependencies are there."""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
BUILD = ROOT / "build-check"
FUZZ_BUILD = ROOT / "build-fuzz"
FUZZ_SECONDS = 5
FUZZ_SECONDS_LONG = 300
UNIT_TIMEOUT_S = 600  # a hang; the slowest takes a tenth of that on a busy machine
SLOWEST = 10  # are named after each tier
CORES = os.cpu_count() or 1
C_FOLDERS = ("libpatronus", "daemons", "cli", "bpf", "tests")

SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


TEXT_MAX = 8000


def shortened(text):
    """Both ends: a sanitizer says at the beginning what happened, a test at the end."""
    half = TEXT_MAX // 2
    return text if len(text) <= TEXT_MAX else f"{text[:half]}\n[...]\n{text[-half:]}"


@dataclasses.dataclass(frozen=True)
class Case:
    tier: str
    name: str
    outcome: str  # passed, failed, skipped
    text: str = ""  # why it was skipped, or how it failed
    seconds: float = 0  # with what it needs; of a program of several cases, at its first


def say(text):
    print(text, flush=True)


class BuildFailed(Exception):
    pass


# --- builds -------------------------------------------------------------------------------------------------------------


def build(directory, options, targets=lambda: ["all"], compiler="gcc"):
    """Sets up and builds what targets() names once it is set up."""
    say(f"   building {directory.name}/ ({compiler}, sanitizers)")
    common = ["-Db_sanitize=address,undefined", "-Db_lundef=false", *options]
    again = ["--reconfigure"] if (directory / "build.ninja").exists() else []
    setup = ["meson", "setup", *again, str(directory), str(ROOT), *common]
    done = subprocess.run(setup, env={**os.environ, "CC": compiler}, capture_output=True, text=True)
    if done.returncode:
        raise BuildFailed(f"{' '.join(setup)}\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    ninja = ["ninja", "-C", str(directory)]
    chosen = targets()
    if not chosen:
        return
    if sys.stdout.isatty():  # ninja's own progress, on one line
        if subprocess.run([*ninja, *chosen]).returncode:
            raise BuildFailed("see above")
        return
    done = subprocess.run([*ninja, *chosen], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        _, _, errors = done.stdout.partition("FAILED: ")
        raise BuildFailed(errors or done.stdout[-4000:])


def introspect(directory, what):
    return json.loads(subprocess.run(["meson", "introspect", f"--{what}", str(directory)], check=True, capture_output=True).stdout)


# --- tiers: each yields cases -------------------------------------------------------------------------------------------


def tier_format(_):
    """The layout of C and the portability of shell."""
    sources = sorted(str(path) for folder in C_FOLDERS for path in (ROOT / folder).rglob("*.[ch]"))
    done = subprocess.run(["clang-format-14", "--dry-run", "--Werror", *sources], cwd=ROOT, capture_output=True, text=True)
    wrong = sorted(set(re.findall(r"^(?:/.*?/)?([^:\n]+):\d+:\d+: error", done.stderr.replace(str(ROOT) + "/", ""), re.M)))
    yield Case("format", f"clang-format of {len(sources)} files", "failed" if done.returncode else "passed",
               "run: clang-format-14 -i " + " ".join(wrong) if wrong else done.stderr)
    scripts = sorted(str(path) for folder in ("tools", ".ci", "tests") for path in (ROOT / folder).rglob("*")
                     if path.is_file() and re.match(rb"#!/bin/(ba)?sh\b", path.open("rb").read(12)))
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
    yield Case("format", f"shellcheck of {len(scripts)} scripts", "failed" if done.returncode else "passed", done.stdout)


def tap_cases(tier, name, done):
    """Cases of a program that speaks TAP (cmocka), or one for a program that does not."""
    before = ""
    n = failed = 0
    planned = sum(int(count) for count in re.findall(r"^\s*1\.\.(\d+)", done.stdout, re.M))
    for line in done.stdout.splitlines():
        match = re.match(r"\s*(not )?ok \d+ *(?:- *)?(# *SKIP\b)? *(.*)", line)
        if not match:
            before = line.strip("# \t") or before
            continue
        n += 1
        case = f"{name}: {match[3].strip() or n}"
        if match[2] or re.search(r"# *SKIP", match[3]):
            yield Case(tier, case, "skipped", before or "the test does not say why")
        else:
            failed += bool(match[1])
            yield Case(tier, case, "failed" if match[1] else "passed", shortened(done.stdout + done.stderr) if match[1] else "")
        before = ""
    if n == 0 and done.returncode == 77:
        yield Case(tier, name, "skipped", (done.stdout + done.stderr).strip().rpartition("\n")[2] or "the test does not say why")
    elif n == 0 or n < planned or (done.returncode and not failed):
        text = f"exit code {done.returncode}\n" + shortened(done.stdout + done.stderr)
        yield Case(tier, f"{name}: whole program", "failed" if done.returncode or n < planned else "passed", text)


def tier_unit(_):
    """cmocka programs under ASan and UBSan."""

    def run(test):
        env = {**os.environ, **SANITIZER_ENV, **test["env"], "CMOCKA_MESSAGE_OUTPUT": "TAP"}
        started = time.monotonic()
        try:
            done = subprocess.run(test["cmd"], cwd=test["workdir"] or ROOT, env=env, capture_output=True, text=True,
                                  errors="replace", timeout=UNIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return [Case("unit", test["name"], "failed", f"not done after {UNIT_TIMEOUT_S} s")]
        first, *rest = tap_cases("unit", test["name"], done)
        return [dataclasses.replace(first, seconds=time.monotonic() - started), *rest]

    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        for cases in pool.map(run, introspect(BUILD, "tests")):
            yield from cases


def tier_fuzz(options):
    """libFuzzer targets, from their seeds; what they find is kept in build-fuzz/artifacts."""

    def targets():
        return sorted(target["filename"][0] for target in introspect(FUZZ_BUILD, "targets")
                      if target["type"] == "executable" and target["name"].startswith("fuzz-"))

    build(FUZZ_BUILD, ["-Dfuzz=true", "-Dwerror=false"], lambda: [os.path.relpath(path, FUZZ_BUILD) for path in targets()], "clang-14")
    artifacts = FUZZ_BUILD / "artifacts"
    artifacts.mkdir(exist_ok=True)

    def run(program):
        seeds = TESTS / "fuzz" / "corpus" / program.name.removeprefix("fuzz-")
        with tempfile.TemporaryDirectory(prefix="patronus-fuzz-") as found:
            command = [str(program), found, *([str(seeds)] if seeds.is_dir() else []), f"-max_total_time={options.fuzz_seconds}",
                       "-timeout=10", "-print_final_stats=1", f"-artifact_prefix={artifacts}/{program.name}-"]
            done = subprocess.run(command, env={**os.environ, **SANITIZER_ENV}, capture_output=True, text=True, errors="replace")
        runs = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
        name = f"{program.name}: {runs[1] if runs else 0} inputs in {options.fuzz_seconds} s"
        if done.returncode or not runs or not int(runs[1]):
            return Case("fuzz", name, "failed", shortened(done.stderr))
        return Case("fuzz", name, "passed" if seeds.is_dir() else "failed", "" if seeds.is_dir() else f"no seeds in {seeds}")

    with concurrent.futures.ThreadPoolExecutor(CORES) as pool:
        for case in pool.map(run, map(pathlib.Path, targets())):
            say(f"   {case.outcome:8}{case.name}")
            yield case


def junit_cases(tier, path):
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        seconds = float(case.get("time") or 0)
        if bad is not None:
            yield Case(tier, name, "failed", shortened(bad.text or bad.get("message") or ""), seconds)
        elif skipped is not None:
            yield Case(tier, name, "skipped", skipped.get("message") or "the test does not say why", seconds)
        else:
            yield Case(tier, name, "passed", seconds=seconds)


def tier_pytest(tier):
    def run(_):
        """pytest, in parallel: each test owns its namespaces, buses and folders."""
        with tempfile.TemporaryDirectory(prefix="patronus-check-") as directory:
            report = pathlib.Path(directory) / "junit.xml"
            env = {**os.environ, **SANITIZER_ENV, "PATRONUS_BUILD": str(BUILD), "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider",
                                   "-n", str(CORES), "--dist", "loadscope", f"--junitxml={report}", str(TESTS / tier)], cwd=ROOT, env=env)
            cases = list(junit_cases(tier, report)) if report.exists() else []
        if done.returncode not in (0, 5) and not any(case.outcome == "failed" for case in cases):
            cases.append(Case(tier, "pytest itself", "failed", f"exit code {done.returncode}, see above"))
        return cases

    return run


def all_tiers():
    """In the order of their cost; a folder of tests with test_*.py is a tier."""
    tiers = {"format": tier_format, "unit": tier_unit}
    folders = sorted({path.parent.name for path in TESTS.glob("*/test_*.py")} - {"lib"})
    tiers.update({folder: tier_pytest(folder) for folder in folders})
    tiers["fuzz"] = tier_fuzz
    return tiers


# --- the whole ----------------------------------------------------------------------------------------------------------


def run_tier(name, run, options):
    started = time.monotonic()
    say(f"== {name}: {(run.__doc__ or 'pytest').strip()}")
    try:
        cases = list(run(options))
    except BuildFailed as error:
        cases = [Case(name, "build", "failed", str(error))]
    counts = summary(cases)
    for case in sorted(cases, key=lambda case: -case.seconds)[:SLOWEST]:
        if case.seconds >= 1:
            say(f"   {case.seconds:6.1f} s  {case.name}")
    say(f"   {name}: {counts} in {time.monotonic() - started:.0f} s")
    return cases


def summary(cases):
    return ", ".join(f"{sum(case.outcome == outcome for case in cases)} {outcome}" for outcome in ("passed", "failed", "skipped"))


def report(cases):
    for case in cases:
        if case.outcome == "skipped":
            say(f"skipped  {case.tier} {case.name}: {case.text}")
    for case in cases:
        if case.outcome == "failed":
            say(f"\nFAILED   {case.tier} {case.name}\n" + "\n".join("    " + line for line in case.text.strip().splitlines()))
    say("")
    say(summary(cases))


def main():
    tiers = all_tiers()
    parser = argparse.ArgumentParser(prog="tools/check", description="Builds with sanitizers and runs all tests.")
    parser.add_argument("tiers", metavar="TIER", nargs="*", help=", ".join(tiers) + "; all when none is given")
    parser.add_argument("--long", action="store_const", const=FUZZ_SECONDS_LONG, default=FUZZ_SECONDS, dest="fuzz_seconds",
                        help=f"{FUZZ_SECONDS_LONG} s for each fuzzer instead of {FUZZ_SECONDS}, more random policies, and mutants")
    parser.add_argument("--fuzz-seconds", metavar="N", type=int, help="N s for each fuzzer")
    options = parser.parse_args()
    if options.fuzz_seconds == FUZZ_SECONDS_LONG:
        os.environ["PATRONUS_LONG"] = "1"  # what tests look at that take minutes
    unknown = [name for name in options.tiers if name not in tiers]
    if unknown:
        parser.error(f"no tier '{unknown[0]}': there are {', '.join(tiers)}")
    chosen = {name: run for name, run in tiers.items() if not options.tiers or name in options.tiers}
    cases = []
    try:
        if set(chosen) - {"format", "fuzz"}:
            say("== build")
            build(BUILD, ["-Dwerror=true"])
    except BuildFailed as error:
        cases.append(Case("build", "build-check", "failed", str(error)))
        chosen = {}
    for name, run in chosen.items():
        cases += run_tier(name, run, options)
    report(cases)
    sys.exit(any(case.outcome == "failed" for case in cases) or not cases)


if __name__ == "__main__":
    main()
