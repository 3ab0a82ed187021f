# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of a kind's table whose C member has another type than its PtType does not compile."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = """
#include "kind/type.h"
typedef struct Inner {{ uint64_t present; bool flag; }} Inner;
typedef struct Late {{ bool flag; uint64_t present; }} Late;
typedef struct Thing {{
        PtObject object; bool flag; uint8_t small; uint16_t port; int choice; char *text; PtAddressRange range; PtPortRange ports;
        PtSecret secret;
        PtList list; Inner inner; Late late;
}} Thing;
static const PtField inner_fields[] = {{PT_FIELD(Inner, bool, flag, "flag", 0), {{}}}};
const PtField *fields(void);
const PtField *fields(void)
{{
        static const PtField rows[] = {{{row}, {{}}}};

        (void) inner_fields;
        return rows;
}}
"""

GOOD = [
    'PT_FIELD(Thing, bool, flag, "x", 0)',
    'PT_FIELD(Thing, u8, small, "x", 0, .max = 63)',
    'PT_FIELD(Thing, u16, port, "x", 0)',
    'PT_FIELD(Thing, enum, choice, "x", PT_F_REQUIRED)',
    'PT_FIELD(Thing, protocol, choice, "x", 0)',
    'PT_FIELD(Thing, ref, text, "x", 0, .ref = "Zone")',
    'PT_FIELD(Thing, prefix, range, "x", 0)',
    'PT_FIELD(Thing, port_range, list, "x", PT_F_LIST | PT_F_ORDERED)',
    'PT_FIELD(Thing, secret, secret, "x", PT_F_SECRET)',
    'PT_STRUCT(Thing, Inner, inner, "x", inner_fields)',
]
BAD = [
    'PT_FIELD(Thing, bool, choice, "x", 0)',
    'PT_FIELD(Thing, u16, small, "x", 0)',
    'PT_FIELD(Thing, u8, port, "x", 0)',
    'PT_FIELD(Thing, enum, flag, "x", 0)',
    'PT_FIELD(Thing, name, choice, "x", 0)',
    'PT_FIELD(Thing, port_range, range, "x", 0)',
    'PT_FIELD(Thing, port_range, list, "x", 0)',
    'PT_FIELD(Thing, port_range, ports, "x", PT_F_LIST)',
    'PT_FIELD(Thing, secret, secret, "x", 0)',
    'PT_FIELD(Thing, secret, text, "x", PT_F_SECRET)',
    'PT_FIELD(Thing, secret, list, "x", PT_F_SECRET | PT_F_LIST)',
    'PT_FIELD(Thing, string, text, "x", PT_F_SECRET)',
    'PT_STRUCT(Thing, Late, inner, "x", inner_fields)',
    'PT_STRUCT(Thing, Late, late, "x", inner_fields)',
]


def compile_row(row, compiler):
    flags = subprocess.run(["pkg-config", "--cflags", "glib-2.0", "json-c"], check=True, capture_output=True, text=True).stdout.split()
    command = [compiler, "-std=gnu11", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Werror", *flags, f"-I{ROOT}/libpatronus", "-xc", "-"]
    return subprocess.run(command, input=SOURCE.format(row=row), capture_output=True, text=True)


@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
@pytest.mark.parametrize("row", GOOD)
def test_good_rows_compile(row, compiler):
    done = compile_row(row, compiler)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
@pytest.mark.parametrize("row", BAD)
def test_bad_rows_do_not(row, compiler):
    done = compile_row(row, compiler)
    assert done.returncode != 0
    assert "is not of the row's type" in done.stderr
