"""The page behind a real nginx, with docs/page.md's own recipe."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import textwrap
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from edge_c2vl.outputs.page import Page
from tests.support.page_server import ABOUT, TOKEN, read
from tests.support.programs import free_port, needs
from tests.support.waiting import wait_for

DOCS = Path(__file__).resolve().parents[2] / "docs" / "page.md"
HOST = "fleet.example"


def recipe() -> str:
    found = re.search(r"^    location /car-17/ \{\n.*?^    \}\n", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    return textwrap.dedent(found[0])


# What others do: nginx's own Host header, the browser's with its port, the path left on, the root.
VARIANTS = {
    "as documented": ("/car-17", lambda text: text),
    "its own Host": ("/car-17", lambda text: text.replace("proxy_set_header Host $host;", "")),
    "the browser's Host": ("/car-17", lambda text: text.replace("$host;", "$http_host;")),
    "path left on": ("/car-17", lambda text: re.sub(r"(http://[\d.:]+)/;", r"\1;", text)),
    "root": ("", lambda text: text.replace("/car-17/", "/")),
}


class Nginx:
    """A real nginx on 127.0.0.1."""

    def __init__(self, folder: Path, location: str) -> None:
        program = needs("nginx", "nginx-light")
        self.port = free_port()
        temporary = "".join(f"{kind}_temp_path t;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid pid; error_log error.log; events {{}}\n"
            f"http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{self.port};\n{location}\n}} }}\n"
        )
        command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for(self._answers, timeout_s=20)

    def _answers(self) -> bool:
        assert self.process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path, headers={"Host": f"{HOST}:{self.port}"})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def socket(self, path: str, origin: str):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return connect(f"ws://{HOST}:{self.port}{path}", sock=plain, origin=origin, open_timeout=20)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_page_works_behind_nginx(tmp_path, monkeypatch, variant):
    monkeypatch.setenv("EDGE_C2VL_TOKEN", TOKEN)
    path, change = VARIANTS[variant]
    port = free_port()
    nginx = Nginx(tmp_path, change(recipe().replace("127.0.0.1:8480", f"127.0.0.1:{port}")))
    page = Page(f"127.0.0.1:{port}", ABOUT, public_url=f"http://{HOST}:{nginx.port}{path}")
    try:
        status, body = nginx.get(f"{path}/")
        assert (status, "<title>Edge-C2VL</title>" in body) == (200, True)
        assert nginx.get(f"{path}/page.js")[0] == 200
        with nginx.socket(f"{path}/live", f"http://{HOST}:{nginx.port}") as connection:
            connection.send(json.dumps({"kind": "open", "token": TOKEN}))
            assert read(connection, "hello")["bundle"] == "a-bundle"
        with pytest.raises(InvalidStatus, match="403"), nginx.socket(f"{path}/live", "http://evil.example"):
            pass
    finally:
        page.close()
        nginx.close()


def test_without_a_public_url_a_proxys_name_is_not_this_servers(tmp_path):
    port = free_port()
    nginx = Nginx(tmp_path, recipe().replace("127.0.0.1:8480", f"127.0.0.1:{port}"))
    page = Page(f"127.0.0.1:{port}", ABOUT)
    try:
        assert nginx.get("/car-17/")[0] == 421
    finally:
        page.close()
        nginx.close()
