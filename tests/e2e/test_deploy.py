# SPDX-License-Identifier: Apache-2.0
"""The systemd unit, with the options that its README tells of."""

import re

from lib.agent import redtap_cli
from lib.util import ROOT_DIR

UNIT = ROOT_DIR / "tools/deploy/systemd/redtap.service.in"
README = ROOT_DIR / "tools/deploy/systemd/README.md"


def test_options_of_the_unit(tmp_path):
    """The service manager hands all variables of the file on, those of the command line too."""
    config = tmp_path / "redtap.yaml"
    config.write_text("metrics:\n  ttl: 2h\n")
    variables = dict(re.findall(r"^    ([A-Z_]+)=(.*)$", README.read_text(), re.M))
    assert any(name.startswith("REDTAP_") for name in variables)
    (line,) = re.findall(r"^ExecStart=@BINDIR@/redtap run (.*)$", UNIT.read_text(), re.M)
    words = line.split()
    assert words and all(word[0] == "$" and word[1:] in variables for word in words), words
    args = " ".join(variables[word[1:]] for word in words).replace('"', "")
    assert "/etc/redtap.yaml" in args
    env = {name: value.strip('"') for name, value in variables.items()}
    done = redtap_cli("config", *args.replace("/etc/redtap.yaml", str(config)).split(), env=env)
    assert done.returncode == 0, done.stderr
    assert variables["REDTAP_LISTEN"] in done.stdout and "2h" in done.stdout
    assert str(config) in done.stdout
