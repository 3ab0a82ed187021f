# SPDX-License-Identifier: GPL-3.0-or-later
"""configd with and without a participant, and a client of it (config_harness.py)."""

import pytest

import config_harness
import fault_harness


@pytest.fixture
def idle(build_dir, private_bus, tmp_path):
    """Nothing started yet."""
    tmp_path.chmod(0o711)  # the socket is in it, and configd another user
    setup = config_harness.Setup(build_dir, private_bus)
    yield setup
    setup.close()


@pytest.fixture
def configd(idle):
    """configd and a willing participant."""
    idle.start_participant()
    idle.start()
    return idle


@pytest.fixture
def faults(build_dir, private_bus, tmp_path):
    """configd-test and the test daemons, nothing started yet."""
    tmp_path.chmod(0o711)
    with fault_harness.FaultSetup(build_dir, private_bus) as setup:
        yield setup


@pytest.fixture
def faulty(faults):
    """The same, started."""
    faults.start()
    return faults


@pytest.fixture
def client(configd):
    return configd.client
