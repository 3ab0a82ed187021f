# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/edge.yaml and real packets: each row of the table of tools/try is a test."""

import edge
import pytest
import traffic


@pytest.fixture(scope="module")
def results(edge_lab):
    """All rows at once: together they take as long as the slowest."""
    return {result.row: result for result in traffic.run(edge_lab.name, edge.ROWS)}


@pytest.mark.parametrize("row", edge.ROWS, ids=lambda row: row.what)
def test_row(results, row):
    assert results[row].seen == row.expect


def test_what_must_not_pass_would_pass_without_rules(bare_lab):
    """Else those rows could not fail."""
    blocked = [row for row in edge.ROWS if row.expect in ("no answer", "refused", "did not arrive")]
    assert [result.row.what for result in traffic.run(bare_lab.name, blocked) if result.ok] == []
