# SPDX-License-Identifier: GPL-3.0-or-later
"""Who pays for OpenSSL: what seals or opens secrets loads its shared library, all others have SHA-256 linked in (libpatronus/secret/README.md)."""

import subprocess

import pytest

SHARED = {"daemons/configd/patronus-configd": True, "daemons/filterd/patronus-filterd": False, "cli/patronusctl": False,
          "tests/daemons/patronus-testd": True}


@pytest.mark.parametrize("program", SHARED)
def test_openssl(build_dir, program):
    dynamic = subprocess.run(["readelf", "--dynamic", "--wide", build_dir / program], check=True, capture_output=True, text=True).stdout
    symbols = subprocess.run(["nm", build_dir / program], check=True, capture_output=True, text=True).stdout
    defined = {line.split()[2] for line in symbols.splitlines() if len(line.split()) == 3}
    assert ("[libcrypto.so" in dynamic) == SHARED[program]
    assert ("SHA256_Init" in defined) != SHARED[program], "one OpenSSL in a program, not two"
    assert not any(name.startswith("EVP_") for name in defined)
