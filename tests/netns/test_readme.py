# SPDX-License-Identifier: GPL-3.0-or-later
"""The first policy in README.md, step by step, as a reader would type it."""

import os
import re
import shlex
import signal
import subprocess

import lab as lab_module
import pytest

BLOCK = re.compile(r"^```(sh|yaml)\n(.*?)^```$", re.M | re.S)


@pytest.fixture
def background():
    """Starts commands that go on, and ends them with the test."""
    started = []
    yield lambda words, **more: started.append(subprocess.Popen(words, start_new_session=True, **more))
    for process in started:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def test_first_policy(lab, tmp_path, background):
    text = (lab_module.ROOT / "README.md").read_text()
    env = {**lab.env, "EDITOR": "true"}  # a reader who looks and leaves
    steps = 0
    for language, block in BLOCK.findall(text):
        if language == "yaml":
            (tmp_path / "policy.yaml").write_text(block)
            continue
        for line in block.splitlines():
            command, _, says = (part.strip() for part in line.partition("  #"))
            words = shlex.split(command)
            assert words[:2] == ["sudo", "tools/lab"] and words[3] == "mine", line
            if words[2] in ("up", "down"):  # the fixture's
                continue
            words = [str(lab_module.ROOT / "tools/lab"), words[2], lab.name, *words[4:]]
            if words[-1] == "&":
                background(words[:-1], cwd=tmp_path, env=env)
                continue
            done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
            assert (done.returncode != 0) == says.startswith("fails"), f"{line}\n{done.stdout}{done.stderr}"
            revision = re.search(r"revision (\d+)", says)
            if revision:
                assert f"revision {revision[1]}" in done.stdout, f"{line}\n{done.stdout}"
            steps += 1
    assert steps > 10
