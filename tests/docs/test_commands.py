"""Every command of README, deploy/README and docs is run, or is in a list below with its reason.

Blocks run from top to bottom in a copy of the project, in bash, at a terminal, with a gateway
that `make serve` started. A page that is added, and a command in it, is run without more.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.adaptations import ADAPTED, LEFT_OUT, PASSWORD, adapt, is_left_out
from tests.docs.commands import PAGES, Block, blocks, run_script
from tests.docs.pages import ROOT
from tests.docs.reader import Served, token


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_the_commands_of_a_block_work(
    block: Block, served: Served, folder_of: Callable[[str], Path]
) -> None:
    folder = folder_of(block.page)
    root = folder.parent / "root"
    for part in ("etc/systemd/system", "etc/nginx/conf.d", "var/lib/visiongate", "opt"):
        (root / part).mkdir(parents=True, exist_ok=True)
    access = token(served.address)
    lines = block.text.replace("\\\n", " ").splitlines()
    script = "\n".join(
        adapt(line, served.address, access, root) for line in lines if not is_left_out(line)
    )
    world = served.environment | {"ACCESS_TOKEN": access, "TOKEN": access}
    if "git clone" in script:
        # The copy that is made lacks an environment, and making one takes a minute.
        script = re.sub(r"^(.*git clone.*)$", rf"\1\n{lend(root)}", script, flags=re.MULTILINE)
    answers = {"User name: ": "cleo", "Password: ": PASSWORD, "The same again: ": PASSWORD}
    status, seen = run_script(script, folder, world, answers)
    assert status == 0, f"{script}\n\n{seen}"


def lend(root: Path) -> str:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path; "
        "from tests.docs.commands import link_environment; "
        f"link_environment(Path({str(root / 'opt/visiongate')!r}))"
    )
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def test_what_is_left_out_is_in_a_page_and_no_more() -> None:
    lines = [line for block in blocks() for line in block.text.splitlines()]
    for pattern, reason in LEFT_OUT.items():
        assert reason
        assert any(re.search(pattern, line) for line in lines), pattern
    for pattern, _, reason in ADAPTED:
        assert reason
        assert any(re.search(pattern, line) for line in lines), pattern


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_block_is_a_shells(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_line_that_looks_like_a_command_is_in_a_block() -> None:
    command = re.compile(r"^ *(?:\.venv/bin/)?(?:python3? [\w-]\S|curl -|pip i|docker c|sudo )")
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        ours = {line for b in blocks() if b.page == name for line in b.text.splitlines()}
        text = re.sub(r"^```(?:python|toml|json)\n.*?^```", "", page.read_text(), flags=re.M | re.S)
        lines = [line.strip() for line in text.splitlines() if command.match(line)]
        assert set(lines) <= {line.strip() for line in ours}, f"{name}: fence these as sh"
