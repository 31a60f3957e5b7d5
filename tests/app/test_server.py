"""The page answers to this machine only, and starts and ends as it should."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.app.conftest import SECONDS, App, start
from tests.cli.conftest import complaint

from ride.app.server import HOST, _Guarded


def ask(app: App, **headers: str) -> tuple[int, str, dict[str, str]]:
    return answered(urllib.request.Request(app.address, headers=headers))


def answered(request: urllib.request.Request) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def test_the_page_is_for_this_machine(app: App):
    assert app.address.startswith(f"http://{HOST}:")
    status, page, headers = ask(app)
    assert status == 200
    assert "<title>" not in page or "traceback" not in page.lower()
    assert "default-src 'self'" in headers["content-security-policy"]
    for name in ("evil.example", "192.168.0.7", "127.0.0.1.evil.example"):
        assert ask(app, Host=name)[0] == 400


def upload(app: App, origin: str | None) -> tuple[int, str]:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\nno image\r\n--x--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"} | ({"Origin": origin} if origin else {})
    request = urllib.request.Request(f"{app.address}gradio_api/upload", body, headers)
    return answered(request)[:2]


def test_the_pages_of_others_send_nothing_here(app: App):
    own = app.address.rstrip("/")
    for origin in (
        "http://evil.example",
        "null",
        own.replace("http://", "http://evil.example:"),
        "http://127.0.0.1:1",
    ):
        status, said = upload(app, origin)
        assert (status, "takes nothing from the pages of others" in said) == (403, True)
    for same in (own, None):
        status, said = upload(app, same)
        assert (status, "a.png" in said) == (200, True)


def test_uploads_are_bounded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    guard = _Guarded(None, most=100)
    post = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": []}
    (tmp_path / "one").mkdir()
    for size, status in ((100, None), (101, 413)):
        (tmp_path / "one" / "a.png").write_bytes(bytes(size))
        refused = guard._refused(post)
        assert (refused and refused[0]) == status
        assert guard._refused({**post, "path": "/gradio_api/queue/join"}) is None


def test_it_listens_to_no_other_address(app: App):
    port = int(app.address.rstrip("/").rpartition(":")[2])
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{app.process.pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_it_contacts_nobody(app: App):
    ask(app)
    assert app.contacted() == {HOST}


def test_a_port_that_is_taken_is_one_line(app: App, ride):
    port = app.address.rstrip("/").rpartition(":")[2]
    assert "give another with --port" in complaint(ride("app", "--port", port))
    assert "--port must be from 0" in complaint(ride("app", "--port", 70000))


def test_a_model_that_is_none_is_one_line(tmp_path: Path):
    home = tmp_path / "no.safetensors"
    words = [sys.executable, "-m", "ride", "app", "--port", "0", str(home)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ride: error: there is no model {home}: give a .safetensors file, a run directory")
    assert done.stderr.count("\n") == 1


def test_without_gradio_it_says_how_to_get_it(ride, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "pip install 'ride-density[app]'" in complaint(ride("app", "--port", 0))


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + 15), (signal.SIGHUP, 128 + 1)]
)
def test_it_ends_when_it_is_told_to_and_leaves_nothing(tmp_path: Path, number: int, status: int):
    running = start(tmp_path)
    assert list(tmp_path.glob("ride-app-*"))
    running.process.send_signal(number)
    assert running.process.wait(SECONDS) == status
    running.process.communicate()
    assert not list(tmp_path.glob("ride-app-*"))


def test_nothing_else_imports_gradio():
    code = (
        "import sys, ride, ride.cli.app, ride.cli.main; ride.load('bsds300');"
        "ride.cli.main.main([]); assert not {'gradio', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
