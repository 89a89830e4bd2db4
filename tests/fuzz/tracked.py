"""What an external tracker answers: the task in it, and the HTTP that it comes in."""

from __future__ import annotations

import socket
import threading
from functools import cache
from typing import Any, Final

import msgspec

from tests.fuzz.mutation import as_json
from vault import limits, tracker
from vault.errors import Denied
from vault.governance.facts import TaskFact
from vault.governance.intent import Task, Tasks
from vault.governance.principal import Principal, PrincipalKind
from vault.governance.request import Request, Verb
from vault.governance.tracker import Answer, read_answer
from vault.testing.clock import START

_ENVIRONMENT: Final = "production"
_NAME: Final = "OPS-1"
_SECONDS: Final = 5.0
_REQUEST: Final = Request(
    verb=Verb.DELETE,
    volume="db",
    environment=_ENVIRONMENT,
    principal=Principal(PrincipalKind.AGENT, "deploy-bot"),
    task=_NAME,
)


def run_task(value: Any) -> Any:
    """A body: a task that can be judged and entered, or words for why it is none."""
    return _read(Answer(status=200, body=as_json(value)))


def run_body(body: bytes) -> Any:
    """A body that need not be JSON."""
    return _read(Answer(status=200, body=body))


def _read(answer: Answer) -> Any:
    told = read_answer(answer, _ENVIRONMENT, _NAME)
    fact, why = Tasks().fact(_REQUEST, START, told)
    msgspec.json.encode([msgspec.to_builtins(told), why])  # as the audit log has it
    if isinstance(told, Task):
        assert (told.environment, told.task) == (_ENVIRONMENT, _NAME)
        return told
    assert fact is TaskFact.UNKNOWN
    raise Denied(why)


class _Speaker:
    """Whoever connects is told the same bytes, whatever they ask."""

    def __init__(self) -> None:
        self.says = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/tasks"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            caller, _ = self._listening.accept()
            with caller:
                try:
                    caller.recv(65536)
                    caller.sendall(self.says)
                    caller.shutdown(socket.SHUT_WR)
                    while caller.recv(65536):
                        pass  # whoever has enough closes
                except OSError:
                    continue


@cache
def _speaker() -> _Speaker:
    return _Speaker()


def run_http(data: bytes) -> Any:
    """An answer as it comes over the wire; asking never raises, and reads no more than it may."""
    speaker = _speaker()
    speaker.says = data
    answer = tracker.ask(speaker.url, _ENVIRONMENT, _NAME, seconds=_SECONDS)
    assert len(answer.body) <= limits.TRACKER_ANSWER
    assert "did not answer" not in answer.failure, "what is over was waited for"
    return _read(answer)


def _tasks() -> list[Any]:
    plain: dict[str, Any] = {"task": _NAME, "environment": _ENVIRONMENT}
    own = {"assignees": ["deploy-bot"], "volumes": ["preview-*", "db"], "verbs": ["delete"]}
    until = {"until": "2026-12-01T00:00:00Z", "closed": False}
    return [plain, plain | own, plain | own | until | {"title": "tidy up"}]


def _answers() -> list[bytes]:
    body = as_json(_tasks()[2])
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:], b""))
    return [
        head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
        b"HTTP/1.0 200 OK\r\n\r\n" + body,
    ]


TARGETS: Final = (
    ("tracker's task", _tasks, run_task, msgspec.to_builtins),
    ("tracker's body", lambda: [as_json(task) for task in _tasks()], run_body),
    ("tracker's answer", _answers, run_http),
)
