"""What is held back from the terminal, and what is not: seen from outside, where file descriptor 2 is."""

from __future__ import annotations

import subprocess
import sys


def stderr_of(block):
    program = f"import os, sys\nfrom edge_c2vl.utils.stderr import filtered_stderr\n{block}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stderr


def test_noise_is_dropped_and_errors_pass_in_order():
    block = (
        "os.write(2, b'before\\n')\n"
        "with filtered_stderr(['noise']):\n"
        "    os.write(2, b'some noise\\n')\n"
        "    print('from Python', file=sys.stderr)\n"
        "    os.write(2, b'a real error\\n')\n"
        "os.write(2, b'after\\n')\n"
    )
    assert stderr_of(block) == "before\nfrom Python\na real error\nafter\n"


def test_an_exception_takes_its_messages_along():
    block = "with filtered_stderr(['noise']):\n    os.write(2, b'the reason\\n')\n    raise ValueError('x')\n"
    lines = stderr_of(block).splitlines()
    assert lines[0] == "the reason"
    assert lines[-1] == "ValueError: x"


def test_a_process_without_stderr_goes_on():
    program = "from edge_c2vl.utils.stderr import filtered_stderr\nwith filtered_stderr(['x']): print('alive')"
    done = subprocess.run([f'exec {sys.executable} -c "{program}" 2>&-'], shell=True, capture_output=True, text=True)
    assert done.stdout == "alive\n"
